/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes with PCIDs: MOV to CR3 with bit 63 and without, each type of
 * INVPCID, and an end of CR4.PCIDE.
 */
#include "lib/print.h"
#include "lib/tap.h"
#include "space.h"

#define SPACES 5
#define SWITCHES 600
#define ACCESSES 40
#define PAGES 24
#define SHARED (DATA + GiB)
#define KEEP BIT(63)

static struct tables spaces[SPACES];

static void invpcid(uint64_t type, uint64_t pcid, uint64_t address)
{
    uint64_t descriptor[2] = { pcid, address };

    asm volatile("invpcid %1, %0" : : "r"(type), "m"(descriptor) : "memory");
}

static bool has_pcids(void)
{
    return cpuid(1, 0).ecx & BIT(17) && cpuid(7, 0).ebx & BIT(10);
}

/* Space 0 has PCID 0, the others have gaps between them. */
static uint64_t cr3_of(unsigned space)
{
    return spaces[space].root | space * 0x111;
}

static void accesses(uint64_t *state)
{
    for (unsigned j = 0; j < ACCESSES; j++) {
        uint64_t page = random_below(state, PAGES) * PAGE;

        random_access(state, (j & 1 ? DATA : SHARED) + page);
    }
}

static void run(uint64_t *state, bool with_invpcid)
{
    for (unsigned i = 0; i < SWITCHES; i++) {
        bool keep = random_below(state, 4) && i >= SPACES;

        write_cr3(cr3_of(random_below(state, SPACES)) | (keep ? KEEP : 0));
        accesses(state);
        if (with_invpcid && i % 8 == 0) {
            invpcid(i / 8 % 4, random_below(state, SPACES) * 0x111,
                    (i & 32 ? DATA : SHARED) +
                    random_below(state, PAGES) * PAGE);
        }
    }
}

void tests(void)
{
    uint64_t state = 11, cr4 = read_cr4();

    case_begin("process switches with PCIDs");
    if (!has_pcids()) {
        print("# SKIP the CPU has no PCIDs, or no INVPCID\n");
        case_end();
        return;
    }
    for (unsigned i = 0; i < SPACES; i++) {
        space_init(&spaces[i], PTE_G);
        space_map(&spaces[i], DATA, PAGES, 1, LEAF);
        space_map(&spaces[i], SHARED, PAGES, 1, LEAF | PTE_G);
    }
    space_enter(&spaces[0]);
    write_cr4(cr4 | CR4_PGE | CR4_PCIDE);
    REGION_BEGIN();
    run(&state, false);
    run(&state, true);
    write_cr3(cr3_of(0));
    write_cr4(cr4 | CR4_PGE);
    accesses(&state);
    REGION_END();
    expect("CR4.PCIDE", 0, read_cr4() & CR4_PCIDE);
    case_end();
}
