/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two guests in turn, an ASID each, with pages of 4K and 2M in either
 * dimension; with each TLB_CONTROL; and processes in the guests. Nested pages
 * of 4K make pieces of one guest's pages of 2M.
 */
#include "lib/tap.h"
#include "guest.h"

#define PAGES 60
#define LARGE_PAGES 12
#define LARGE (DATA + GiB)
#define ROUNDS 120
#define ACCESSES 60

static struct machine guests[2];
static struct tables others[2];         /* of their second processes */
static uint64_t state = 23;

static void accesses(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t address = random_below(&state, 4)
            ? DATA + random_below(&state, PAGES * PAGE / 8) * 8
            : LARGE + random_below(&state, LARGE_PAGES * MiB2 / 8) * 8;

        random_access(&state, address);
    }
}

/* 8 pages of 4K of a page of 2M, which may be pieces of it. */
static void access_pieces(uint64_t large)
{
    for (unsigned i = 0; i < 8; i++) {
        random_access(&state, large + i * 17 * PAGE);
    }
}

/* INVLPG of an address in no piece: all of that page go, not the next one's. */
static void invlpg_pieces(void)
{
    uint64_t large = LARGE + random_below(&state, LARGE_PAGES - 1) * MiB2;

    access_pieces(large);
    access_pieces(large + MiB2);
    invlpg(large + MiB2 - PAGE);
    access_pieces(large);
    access_pieces(large + MiB2);
}

/* MOV to CR3, INVLPG and CR4.PGE in a guest concern that guest alone. */
static void processes(uint64_t other)
{
    uint64_t own = read_cr3();

    write_cr3(other);
    accesses(ACCESSES);
    write_cr3(own);
    accesses(ACCESSES);
    invlpg(DATA + random_below(&state, PAGES) * PAGE);
    invlpg(LARGE + random_below(&state, LARGE_PAGES) * MiB2);
    accesses(ACCESSES);
    invlpg_pieces();
    if (random_below(&state, 4) == 0) {
        write_cr4(read_cr4() ^ CR4_PGE);
    }
}

static void map_data(struct tables *tables, uint64_t flags)
{
    space_map(tables, DATA, PAGES, 1, LEAF | flags);
    space_map(tables, LARGE, LARGE_PAGES, 2, LEAF);
}

/* Clean pages in one of the two dimensions. */
static void clean(struct machine *machine, bool nested)
{
    if (nested) {
        *tables_entry(&machine->nested, to_gpa(FRAMES),
                      machine == &guests[0] ? 1 : 2) &= ~PTE_D;
    } else {
        *tables_entry(&machine->tables, DATA, 1) &= ~PTE_D;
    }
}

static void make(unsigned i, unsigned guest_level, unsigned nested_level)
{
    machine_init(&guests[i], 1 + i, guest_level, nested_level);
    guests[i].guest.vmcb->cr4 |= CR4_PGE;
    map_data(&guests[i].tables, PTE_G);
    machine_tables(&others[i], guest_level, PTE_G);
    map_data(&others[i], 0);
}

static void run_in_turn(void)
{
    static const uint8_t controls[] = { 0, 0, 0, 3, 0, 7, 0, 0, 1 };

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct machine *machine = &guests[i & 1];

        machine->guest.vmcb->tlb_control = controls[i % sizeof(controls)];
        machine_call(machine, accesses, ACCESSES);
        machine->guest.vmcb->tlb_control = 0;
        machine_call(machine, processes, others[i & 1].root);
        if (i % 16 == 0) {
            clean(machine, i & 32);
            /* The guest's ASID, as software has to. */
            machine->guest.vmcb->tlb_control = 3;
            machine_call(machine, accesses, ACCESSES);
        }
        load(FRAMES + i * 8);
    }
}

void tests(void)
{
    struct tables tables;

    case_begin("VM switches");
    space_init(&tables, 0);
    make(0, 2, 1);
    make(1, 1, 2);
    space_enter(&tables);
    REGION_BEGIN();
    run_in_turn();
    REGION_END();
    expect("the guests' page is dirty again", PTE_D,
           *tables_entry(&guests[0].tables, DATA, 1) & PTE_D);
    case_end();
}
