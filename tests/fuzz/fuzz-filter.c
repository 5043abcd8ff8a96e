/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the escape filter: whatever is added and removed, it never misses a page
 * of its list
 */

#include "model/filter.h"
#include "input.h"

static void check(const DsegEscapes *escapes)
{
    DsegFilter rebuilt = { .scale = escapes->filter.scale };

    for (unsigned i = 0; i < escapes->count; i++) {
        assert(dseg_filter_test(&escapes->filter, escapes->page[i]));
        assert(dseg_escapes_contains(escapes, escapes->page[i] + 4095));
        dseg_filter_add(&rebuilt, escapes->page[i]);
    }
    assert(dseg_filter_same(&rebuilt, &escapes->filter));
    assert(dseg_filter_valid(&rebuilt));
    assert(dseg_filter_empty(&escapes->filter) == !escapes->count);
}

static void add(DsegEscapes *escapes, uint64_t gpa, unsigned phys_bits)
{
    bool there = dseg_escapes_contains(escapes, gpa);

    switch (dseg_escapes_add(escapes, gpa, phys_bits)) {
    case DSEG_ESCAPE_OK:
        assert(!there && dseg_escapes_contains(escapes, gpa));
        break;
    case DSEG_ESCAPE_UNALIGNED:
        assert(gpa % 4096);
        break;
    case DSEG_ESCAPE_TOO_WIDE:
        assert(gpa >= UINT64_C(1) << phys_bits);
        break;
    case DSEG_ESCAPE_PRESENT:
        assert(there);
        break;
    case DSEG_ESCAPE_FULL:
        assert(escapes->count == DSEG_ESCAPES_MAX);
        break;
    default:
        assert(false);
    }
}

static void remove_page(DsegEscapes *escapes, uint64_t gpa)
{
    bool there = dseg_escapes_contains(escapes, gpa) && gpa % 4096 == 0;

    assert((dseg_escapes_remove(escapes, gpa) == DSEG_ESCAPE_OK) == there);
    assert(gpa % 4096 || !dseg_escapes_contains(escapes, gpa));
}

/* Many at once: one at a time the fuzzer would hardly reach the end. */
static void add_run(DsegEscapes *escapes, uint64_t gpa, unsigned phys_bits)
{
    for (unsigned i = 0; i < 64; i++) {
        add(escapes, gpa + i * 4096, phys_bits);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    unsigned phys_bits = take_phys_bits(&in);
    DsegEscapes escapes = { 0 };

    assert(dseg_filter_init(&escapes.filter, 64 << take_below(&in, 5)));
    while (in.left) {
        uint64_t gpa;

        switch (take_below(&in, 6)) {
        case 0:
            dseg_escapes_clear(&escapes);
            break;
        case 1:
            gpa = take_edge(&in);
            remove_page(&escapes, gpa);
            break;
        case 2:
            if (escapes.count) {
                remove_page(&escapes,
                            escapes.page[take_below(&in, escapes.count)]);
            }
            break;
        case 3:
            add_run(&escapes, take_edge(&in), phys_bits);
            break;
        default:
            add(&escapes, take_edge(&in), phys_bits);
        }
        check(&escapes);
    }
    assert(dseg_escapes_valid(&escapes, phys_bits));
    return 0;
}
