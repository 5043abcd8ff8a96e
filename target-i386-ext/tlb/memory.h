/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: memory for what a TLB consists of
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_TLB_MEMORY_H
#define DSEG_TLB_MEMORY_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Bytes of a line of the host's cache, on nearly every host. */
#define DSEG_TLB_LINE 64

/* From so many bytes on memory is of whole huge pages, where the host has any. */
#define DSEG_TLB_HUGE_FROM (128 * 1024)
#define DSEG_TLB_HUGE_PAGE (2 * 1024 * 1024)

/*
 * @bytes of zeros, aligned to a line.  Ends the program if there is no memory.
 * What is large is looked up at random: in small pages each look would miss the
 * host's TLB, too.
 */
static inline void *dseg_tlb_zeroed(size_t bytes)
{
    bool huge = bytes >= DSEG_TLB_HUGE_FROM;
    size_t unit = huge ? DSEG_TLB_HUGE_PAGE : DSEG_TLB_LINE;
    size_t whole = (bytes + unit - 1) / unit * unit;
    void *memory = aligned_alloc(unit, whole);

    if (!memory) {
        abort();
    }
#ifdef MADV_HUGEPAGE
    if (huge) {
        madvise(memory, whole, MADV_HUGEPAGE);
    }
#endif
    return memset(memory, 0, bytes);
}

#endif
