/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest at CPL 3 and at CPL 0 in turn, in the same pages of 4K and 2M: whose
 * walks they are.
 */
#include "lib/tap.h"
#include "guest.h"

#define PAGES 150
#define LARGE_PAGES 12
#define LARGE (DATA + GiB)
#define ROUNDS 80
#define ACCESSES 60

static struct machine machine;
static uint64_t state = 41, calls_at[4];

/* Random accesses, at the CPL that the selector of CS has. */
static void accesses(uint64_t n)
{
    uint64_t cs;

    asm volatile("mov %%cs, %0" : "=r"(cs));
    calls_at[cs & 3]++;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t address = random_below(&state, 3)
            ? DATA + random_below(&state, PAGES * PAGE / 8) * 8
            : LARGE + random_below(&state, LARGE_PAGES * MiB2 / 8) * 8;

        random_access(&state, address);
    }
}

void tests(void)
{
    struct tables tables, pages;

    case_begin("a guest at two privileges");
    space_init(&tables, 0);
    machine_init(&machine, 1, 1, 2);
    machine_tables(&pages, 1, PTE_U);
    space_map(&pages, DATA, PAGES, 1, LEAF | PTE_U);
    space_map(&pages, LARGE, LARGE_PAGES, 2, LEAF | PTE_U);
    machine.guest.vmcb->cr3 = pages.root;
    space_enter(&tables);
    REGION_BEGIN();
    for (unsigned i = 0; i < ROUNDS; i++) {
        guest_set_cpl(&machine.guest, i % 3 ? 3 : 0);
        machine_call(&machine, accesses, ACCESSES);
    }
    REGION_END();
    expect("calls at CPL 0", (ROUNDS + 2) / 3, calls_at[0]);
    expect("calls at CPL 3", ROUNDS - (ROUNDS + 2) / 3, calls_at[3]);
    case_end();
}
