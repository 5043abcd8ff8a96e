/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: caches that have been built, by the presets of TLBs
 *
 * No vendor says how its caches choose a victim: plru, or lru where the ways are
 * no power of two, stands for the unknown.  Memory's latency is a property of a
 * machine, not of a processor: 200 cycles stand for about 70 ns at 3 GHz.
 */

#include <stddef.h>
#include <string.h>
#include "caches/geometry.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

static const struct {
    const char *name;
    DsegCachesGeometry geometry;
} presets[] = {
    /*
     * Sizes and ways: those of a Xeon E5-2600 with eight cores, which share the
     * LLC; it is inclusive.  Latencies: measured on a Sandy Bridge-E by The Tech
     * Report, 4, 12 and 30 cycles ("Intel's Core i7-3960X processor", 2011).
     */
    {
        .name = "sandybridge-ep",
        .geometry = {
            .line = 64,
            .memory = 200,
            .cache = {
                [DSEG_CACHE_L1D] = { 32 * KIB, 8, DSEG_TLB_PLRU, 4, false },
                [DSEG_CACHE_L1I] = { 32 * KIB, 8, DSEG_TLB_PLRU, 4, false },
                [DSEG_CACHE_L2] = { 256 * KIB, 8, DSEG_TLB_PLRU, 12, false },
                [DSEG_CACHE_LLC] = { 20 * MIB, 20, DSEG_TLB_LRU, 30, true },
            },
        },
    },
    /*
     * Sizes and ways: those of a Xeon Platinum 8480, whose LLC is 56 slices of
     * 1.875 MiB, and not inclusive.  Latencies of L1D and L2: Golden Cove's, 5
     * (Chips and Cheese, "Going Armchair Quarterback on Golden Cove's Caches",
     * 2022) and about 16 cycles.  That of LLC: 33 ns, or 100 cycles at 3 GHz (a
     * secondary source: Tom's Hardware of the next generation, as quoted).
     */
    {
        .name = "sapphire-rapids",
        .geometry = {
            .line = 64,
            .memory = 300,
            .cache = {
                [DSEG_CACHE_L1D] = { 48 * KIB, 12, DSEG_TLB_LRU, 5, false },
                [DSEG_CACHE_L1I] = { 32 * KIB, 8, DSEG_TLB_PLRU, 5, false },
                [DSEG_CACHE_L2] = { 2 * MIB, 16, DSEG_TLB_PLRU, 16, false },
                [DSEG_CACHE_LLC] = { 105 * MIB, 15, DSEG_TLB_LRU, 100, false },
            },
        },
    },
    /*
     * Sizes and ways: those of an EPYC 9654; LLC is that of one core complex,
     * a victim cache, for which not inclusive stands.  Latencies: AMD's Software
     * Optimization Guide for the AMD Zen4 Microarchitecture, publication 57647,
     * recalled: 4, 14, and on average 50 cycles.
     */
    {
        .name = "genoa",
        .geometry = {
            .line = 64,
            .memory = 300,
            .cache = {
                [DSEG_CACHE_L1D] = { 32 * KIB, 8, DSEG_TLB_PLRU, 4, false },
                [DSEG_CACHE_L1I] = { 32 * KIB, 8, DSEG_TLB_PLRU, 4, false },
                [DSEG_CACHE_L2] = { 1 * MIB, 8, DSEG_TLB_PLRU, 14, false },
                [DSEG_CACHE_LLC] = { 32 * MIB, 16, DSEG_TLB_PLRU, 50, false },
            },
        },
    },
};

const DsegCachesGeometry *dseg_caches_preset(const char *name)
{
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
        if (!strcmp(presets[i].name, name)) {
            return &presets[i].geometry;
        }
    }
    return NULL;
}
