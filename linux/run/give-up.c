/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of the primary region: the kernel has its memory
 */
#define _GNU_SOURCE
#include "device.h"
#include "kernel.h"
#include "region-own.h"
#include "shared.h"

#include <sys/syscall.h>

void region_stand_aside(void)
{
    device_forget_killed();
    __atomic_store_n(&region_state, WITHOUT, __ATOMIC_RELEASE);
}

void region_give_up(void)
{
    uintptr_t at = region.start, end = at + region.nr * PAGE_SIZE;
    size_t run;

    while ((run = pages_run(&region, region.used, false, &at,
                            (end - at) / PAGE_SIZE))) {
        /* Before others can map something there: whoever goes on with a copy of
           the bits, or after us, must not take that for the region's. */
        pages_leave(&region, at, run);
        kernel_call(SYS_munmap, at, run * PAGE_SIZE, 0, 0, 0, 0);
        at += run * PAGE_SIZE;
    }
    region_stand_aside();
}

/* Holds back, of pages in use, those to which the kernel refers. */
static bool hold_busy(uintptr_t at, uintptr_t end)
{
    region_complete_lists();
    while (at < end) {
        struct dseg_guest_clear clear = {
            .address = at, .size = end - at, .flags = DSEG_GUEST_CLEAR_LOOK,
        };

        if (device_request(DSEG_GUEST_CLEAR, &clear)) {
            return false;
        }
        pages_hold(&region, at + clear.done, clear.busy / PAGE_SIZE);
        at += clear.done + clear.busy;
    }
    return true;
}

/* All at once: the first visit may change page tables. */
static bool hold_all_busy(void)
{
    uintptr_t at = region.start, end = at + region.nr * PAGE_SIZE;
    size_t run;

    pages_release(&region);
    while ((run = pages_run(&region, region.used, true, &at,
                            (end - at) / PAGE_SIZE))) {
        if (!hold_busy(at, at + run * PAGE_SIZE)) {
            return false;
        }
        at += run * PAGE_SIZE;
    }
    return true;
}

static void visit_run(uintptr_t at, uintptr_t end, void (*visit)(void *page))
{
    size_t run;

    while ((run = pages_run(&region, region.held, false, &at,
                            (end - at) / PAGE_SIZE))) {
        for (size_t i = 0; i < run; i++, at += PAGE_SIZE) {
            visit((void *)at);
        }
    }
}

bool region_give_up_by(void (*visit)(void *page))
{
    uintptr_t at = region.start, end = at + region.nr * PAGE_SIZE;
    bool known = hold_all_busy();
    size_t run;

    while (known && (run = pages_run(&region, region.used, true, &at,
                                     (end - at) / PAGE_SIZE))) {
        visit_run(at, at + run * PAGE_SIZE, visit);
        at += run * PAGE_SIZE;
    }
    region_give_up();
    return known;
}
