/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: geometries of TLBs that have been built
 *
 * No vendor says how its TLBs choose a victim: lru stands for the unknown.
 */

#include "tlb/geometry.h"

#define PAGES_4K (1 << DSEG_TLB_4K)
#define PAGES_2M (1 << DSEG_TLB_2M)
#define PAGES_1G (1 << DSEG_TLB_1G)

const DsegTlbPreset dseg_tlb_presets[] = {
    {
        .name = "sandybridge-ep",
        .description = "Intel Xeon E5 (Sandy Bridge-EP); its figures were "
                       "given, not taken from a document",
        .geometry = {
            .count = 6,
            .arrays = {
                { DSEG_TLB_PLACE_L1D, PAGES_4K, 64, 4, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1D, PAGES_2M, 32, 4, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1D, PAGES_1G, 4, 4, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1I, PAGES_4K, 128, 4, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1I, PAGES_2M, 8, 8, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L2, PAGES_4K, 512, 4, DSEG_TLB_LRU },
            },
        },
    },
    /*
     * CPUID leaf 18h (Intel SDM volume 2A, CPUID, "Deterministic Address
     * Translation Parameters"), as a core of the same design, Golden Cove, says
     * it of itself: a Core i7-12700K, in the tests of the Rust crate raw-cpuid.
     * For 4 KiB pages of L1D it says 4 ways of 16 sets, but Sapphire Rapids is
     * said to have 96 entries (a secondary source: Schmidt and others,
     * DIMES 2025, section 3), so 6 ways.
     *
     * Its L2 TLB is two arrays of 1024 entries in 8 ways, one for 4 KiB and
     * 2 MiB, the other for 4 KiB and 1 GiB.  A size has one array here, so it
     * is one of 16 ways for all.  Its TLB for stores alone, of 16 entries, is
     * left out: stores share L1D with loads.
     */
    {
        .name = "sapphire-rapids",
        .description = "Intel Xeon of the 4th generation (Golden Cove): CPUID "
                       "leaf 18h, and DIMES 2025 for L1D",
        .geometry = {
            .count = 6,
            .arrays = {
                { DSEG_TLB_PLACE_L1D, PAGES_4K, 96, 6, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1D, PAGES_2M, 32, 4, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1D, PAGES_1G, 8, 8, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1I, PAGES_4K, 256, 8, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1I, PAGES_2M, 32, 8, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L2, PAGES_4K | PAGES_2M | PAGES_1G, 2048, 16,
                  DSEG_TLB_LRU },
            },
        },
    },
    /*
     * CPUID functions 8000_0005h, 8000_0006h and 8000_0019h (AMD APM volume 3,
     * appendix E) of an EPYC 9654, in InstLatX64.  24 ways, which CPUID has no
     * code for (it says 8 and 6), are of AMD's Software Optimization Guide for
     * the AMD Zen4 Microarchitecture, publication 57647, revision 1.01, 2.7.2,
     * as others quote it.
     *
     * L2I: 4 ways are what CPUID says of 4 KiB pages (2 of 2 MiB pages).  That
     * neighbouring pages may share an entry of L1 or L2 is left out.
     */
    {
        .name = "genoa",
        .description = "AMD EPYC 9004 (Zen 4): CPUID Fn8000_0005, _0006, "
                       "_0019; L2D ways of AMD publication 57647, 2.7.2",
        .geometry = {
            .count = 5,
            .arrays = {
                { DSEG_TLB_PLACE_L1D, PAGES_4K | PAGES_2M | PAGES_1G, 72, 72,
                  DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1I, PAGES_4K | PAGES_2M | PAGES_1G, 64, 64,
                  DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L2D, PAGES_4K | PAGES_2M, 3072, 24,
                  DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L2D, PAGES_1G, 64, 64, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L2I, PAGES_4K | PAGES_2M, 512, 4,
                  DSEG_TLB_LRU },
            },
        },
    },
    { .name = NULL },
};
