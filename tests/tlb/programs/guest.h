/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests with nested paging that execute functions of the program itself: it is
 * at the same virtual addresses in them as in the host, and at gPA = hPA +
 * GPA_BASE.
 */
#ifndef TLB_GUEST_H
#define TLB_GUEST_H

#include "lib/vm.h"
#include "space.h"

struct machine {
    struct guest guest;
    struct tables tables, nested;
    uint64_t stack;             /* its top */
};

/*
 * Make a guest with that ASID, whose image of the program and whose nested
 * pages are of these levels, 1 or 2. It has no data yet, and runs without a
 * flush.
 */
void machine_init(struct machine *machine, unsigned asid, unsigned guest_level,
                  unsigned nested_level);

/* More tables for guests, with the program in them. */
void machine_tables(struct tables *tables, unsigned level, uint64_t flags);

/* Execute function(argument) in it. The program ends if that fails. */
void machine_call(struct machine *machine, void (*function)(uint64_t),
                  uint64_t argument);

#endif
