/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both segments in a guest: no dimension, one, or both, with pages that escape;
 * the guest changes its segment, the host the other and the filter.
 */
#include "lib/tap.h"
#include "guest.h"

#define PAGES 200
#define LARGE_PAGES 8
#define LARGE (DATA + GiB)
#define ROUNDS 100
#define ACCESSES 120

static struct machine machine;
static uint64_t state = 31;

static void accesses(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t address = random_below(&state, 8)
            ? DATA + random_below(&state, PAGES * PAGE / 8) * 8
            : LARGE + random_below(&state, LARGE_PAGES * MiB2 / 8) * 8;

        random_access(&state, address);
    }
}

/* A new end of the guest's segment, and after some accesses the old one. */
static void moves_its_segment(uint64_t limit)
{
    uint64_t old = read_cr10();

    accesses(ACCESSES);
    write_cr10(limit);
    accesses(ACCESSES);
    write_cr10(old);
    write_cr10(old);
    accesses(ACCESSES);
    /* Global pages stay, those that the VMM segment translates, too. */
    write_cr3(read_cr3());
    accesses(ACCESSES);
}

/* What the host does between two runs. */
static void change_segments(unsigned round)
{
    uint64_t page = to_gpa(FRAMES + random_below(&state, 64) * PAGE);

    switch (round % 10) {
    case 1:
        set_vmm_segment(segment(to_gpa(0), 64 * MiB, 0));
        break;
    case 3:
        filter_add(page);
        filter_add(page);               /* no change */
        break;
    case 5:
        filter_clear();
        break;
    case 7:
        set_vmm_segment(segment(to_gpa(FRAMES), MiB, FRAMES));
        break;
    case 9:
        set_vmm_segment(NO_SEGMENT);
        filter_add(page);               /* without a segment */
        filter_clear();
        break;
    }
}

void tests(void)
{
    struct tables tables;

    case_begin("segments of a guest");
    space_init(&tables, 0);
    machine_init(&machine, 1, 1, 2);
    machine.guest.vmcb->cr4 |= CR4_PGE;
    space_map(&machine.tables, DATA, PAGES, 1, LEAF | PTE_G);
    space_map(&machine.tables, LARGE, LARGE_PAGES, 2, LEAF);
    space_enter(&tables);
    REGION_BEGIN();
    machine_call(&machine, accesses, ACCESSES);
    set_guest_segment(&machine.guest, segment(DATA, PAGES / 2 * PAGE,
                                              to_gpa(FRAMES)));
    /* Whoever changes a guest's segment in its VMCB has to flush. */
    machine.guest.vmcb->tlb_control = 3;
    for (unsigned i = 0; i < ROUNDS; i++) {
        change_segments(i);
        machine_call(&machine, accesses, ACCESSES);
        machine.guest.vmcb->tlb_control = 0;
        machine_call(&machine, moves_its_segment,
                     DATA + random_below(&state, PAGES) * PAGE);
    }
    REGION_END();
    dseg_reset();
    expect("CR10 of the guest", DATA + PAGES / 2 * PAGE,
           machine.guest.vmcb->dseg_cr10);
    case_end();
}
