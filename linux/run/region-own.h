/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primary region itself: for region.c, and give-up.c
 */
#ifndef RUN_REGION_OWN_H
#define RUN_REGION_OWN_H

#include "pages.h"
#include "region.h"

enum region_state { NOT_YET, WITH_REGION, WITHOUT };

extern enum region_state region_state;
extern struct pages region;

/*
 * Pages on their way to a list of the kernel's have one more reference: this
 * completes that for those of this CPU.
 */
void region_complete_lists(void);

#endif
