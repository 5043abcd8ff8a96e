/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device dseg-bad-frames (docs/spec/bad-frames.rst), with the frames that
 * tests/meson.build lets it make bad.
 */
#ifndef BARE_METAL_BAD_FRAMES_H
#define BARE_METAL_BAD_FRAMES_H

#include <stdint.h>

#include "../../../linux/include/dseg-bad-frames.h"

#define BAD_FRAME 0x3000000ull
#define OTHER_BAD_FRAME 0x3002000ull
/* Garbage that is a page-table entry: present, not accessed, no reserved bit */
#define LEAF_FRAME 0x242b000ull
#define LEAF_INDEX 229

/* Registers of 32 and 64 bits. */
uint32_t bad_frames_read32(unsigned offset);
uint64_t bad_frames_read64(unsigned offset);
void bad_frames_write32(unsigned offset, uint32_t value);

/* What the quadword at hPA, a multiple of 8, reads as, but for complements. */
uint64_t garbage(uint64_t hpa);

/* How often a bad frame was accessed. */
struct accesses {
    uint64_t reads, writes;
};
struct accesses accesses_of(uint64_t frame);

/* Expect that it was accessed so often since "before". */
void expect_accesses(uint64_t frame, struct accesses before, uint64_t reads,
                     uint64_t writes);

/*
 * Write to a quadword of a bad frame what is not its garbage in any byte: then
 * it reads as garbage().
 */
void lose_quadword(uint64_t hpa);

/* Have fw_cfg write 4 bytes to memory by DMA. */
void write_by_dma(uint64_t hpa);

#endif
