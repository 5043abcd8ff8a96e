/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what a CPU keeps of the marker instructions it has passed
 */

#ifndef I386_DSEG_CPU_MARKER_H
#define I386_DSEG_CPU_MARKER_H

#include "cpu/state.h"

/* That of one label, in X86DsegState.markers. */
typedef struct X86DsegMarkerState {
    uint64_t count;         /* how often it has been passed */
    DsegCounters counters;  /* as they were the last time */
    bool has_instructions;
    uint64_t instructions;
    X86DsegTlbSnapshot tlb;
} X86DsegMarkerState;

#endif
