/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passes over arrays at fixed strides, some of which straddle pages. */
#include "lib/tap.h"
#include "space.h"

#define PAGES 1200

static const struct {
    unsigned stride, accesses, passes;
} rows[] = {
    { 64, 4000, 2 },                    /* many accesses a page */
    { 4096, 48, 40 },                   /* fits any L1 */
    { 4096, 300, 10 },                  /* fits L2 only */
    { 4096, PAGES, 5 },                 /* fits nothing */
    { 16 * 4096 + 64, 70, 20 },         /* few sets */
    { 4096 - 4, 200, 8 },               /* straddles every page at last */
};

void tests(void)
{
    struct tables tables;
    uint64_t done = 0;

    case_begin("strides");
    space_init(&tables, 0);
    space_map(&tables, DATA, PAGES + 1, 1, LEAF);
    space_enter(&tables);
    REGION_BEGIN();
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
        for (unsigned pass = 0; pass < rows[row].passes; pass++) {
            for (unsigned i = 0; i < rows[row].accesses; i++) {
                uint64_t address = DATA + (uint64_t)i * rows[row].stride;

                if (i % 4) {
                    load(address);
                } else {
                    store(address, i);
                }
                done++;
            }
        }
    }
    REGION_END();
    expect("accesses", 8000 + 1920 + 3000 + 6000 + 1400 + 1600, done);
    case_end();
}
