/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the watches of pages: whatever accesses come, few pages are watched, the
 * hint loses none of them, only a page that is watched is swept, and only from its
 * second line or, on trust, from its first byte; then the page behind it is watched
 * in its place
 */

#include "caches/sweeps.h"
#include "input.h"

static void check(const DsegSweeps *sweeps)
{
    assert(sweeps->next < DSEG_WATCHES);
    for (unsigned i = 0; i < DSEG_WATCHES; i++) {
        for (unsigned j = 0; j < i; j++) {
            assert(!sweeps->page[i] || sweeps->page[i] != sweeps->page[j]);
        }
        if (sweeps->page[i]) {
            assert(dseg_sweeps_is_watched(
                sweeps, (sweeps->page[i] - 1) * DSEG_PAGE_SIZE));
        }
    }
}

static void check_swept(const DsegSweeps *sweeps, uint64_t va)
{
    assert(!dseg_sweeps_is_watched(sweeps, va));
    assert(dseg_sweeps_is_watched(sweeps, va + DSEG_PAGE_SIZE));
}

static void hit(DsegSweeps *sweeps, uint64_t va, uint32_t line)
{
    bool watched = dseg_sweeps_is_watched(sweeps, va);
    uint64_t offset = va % DSEG_PAGE_SIZE;

    if (dseg_sweeps_hit(sweeps, va, line)) {
        assert(watched && (offset == line || offset == 0));
        check_swept(sweeps, va);
    } else {
        assert(!watched || offset != line);
        assert(offset < line || !dseg_sweeps_is_watched(sweeps, va));
    }
}

static void miss(DsegSweeps *sweeps, uint64_t va)
{
    bool watched = dseg_sweeps_is_watched(sweeps, va);
    bool first = va % DSEG_PAGE_SIZE == 0;

    if (dseg_sweeps_miss(sweeps, va)) {
        assert(watched && first);
        check_swept(sweeps, va);
    } else {
        assert(dseg_sweeps_is_watched(sweeps, va) == first);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    uint32_t line = 16u << take_below(&in, 9);
    uint64_t base = take_edge(&in) & DSEG_PAGE_MASK;
    DsegSweeps sweeps = {};

    while (in.left) {
        uint64_t va = base + take_below(&in, 12) * DSEG_PAGE_SIZE +
                      take_below(&in, 4) * (line / 2) % DSEG_PAGE_SIZE;

        switch (take_below(&in, 8)) {
        case 0:
            dseg_sweeps_end(&sweeps, va);
            assert(!dseg_sweeps_is_watched(&sweeps, va));
            break;
        case 1:
            dseg_sweeps_end_all(&sweeps);
            assert(!dseg_sweeps_is_watched(&sweeps, va));
            break;
        case 2:
        case 3:
        case 4:
            miss(&sweeps, va);
            break;
        default:
            hit(&sweeps, va, line);
        }
        check(&sweeps);
    }
    return 0;
}
