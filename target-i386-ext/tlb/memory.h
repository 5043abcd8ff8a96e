/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: memory for what a TLB consists of
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_TLB_MEMORY_H
#define DSEG_TLB_MEMORY_H

#include <stdlib.h>
#include <string.h>

/* Bytes of a line of the host's cache, on nearly every host. */
#define DSEG_TLB_LINE 64

/*
 * @bytes of zeros, aligned to a line.  Ends the program if there is no memory.
 */
static inline void *dseg_tlb_zeroed(size_t bytes)
{
    size_t whole = (bytes + DSEG_TLB_LINE - 1) / DSEG_TLB_LINE * DSEG_TLB_LINE;
    void *memory = aligned_alloc(DSEG_TLB_LINE, whole);

    if (!memory) {
        abort();
    }
    return memset(memory, 0, whole);
}

#endif
