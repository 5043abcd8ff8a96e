/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: modelled caches, as HMP shows them beside the TLB
 */

#ifndef I386_DSEG_MONITOR_HMP_CACHES_H
#define I386_DSEG_MONITOR_HMP_CACHES_H

#include "qapi/qapi-types-x86-dseg.h"
#include "monitor/monitor.h"

/* Prints where data and page-table entries were found, and what that took. */
void hmp_print_dseg_caches(Monitor *mon, const X86DsegCachesInfo *caches);

#endif
