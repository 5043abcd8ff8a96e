/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the page tables that a CPU uses, read as a debugger does
 *
 * All of it runs on the CPU's own thread and changes nothing.
 */

#ifndef I386_DSEG_MONITOR_TABLES_IN_FORCE_H
#define I386_DSEG_MONITOR_TABLES_IN_FORCE_H

#include "cpu.h"
#include "model/page-tables.h"

/* The page tables of a CPU: its own, and those of the guest that it runs. */
typedef struct X86DsegTables {
    DsegTables native;  /* outside guest mode with nested paging */
    bool has_nested;    /* it runs, or ran last, a guest with nested paging */
    DsegTables nested;  /* gPA -> hPA, of that guest */
    DsegTables guest;   /* gVA -> gPA, of that guest; read through @nested */
} X86DsegTables;

/* @tables points into itself, so it can't be copied. */
void x86_dseg_tables(CPUX86State *env, X86DsegTables *tables);

/*
 * Whether @size bytes at host-physical @addr are RAM; if not, *@bad is the
 * first page that is none.  ROM is not RAM, but a read-only alias of RAM is.
 */
bool x86_dseg_is_ram(CPUX86State *env, hwaddr addr, hwaddr size, uint64_t *bad);

#endif
