/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the caches have counted, as JSON. */
#ifndef TLB_PRINT_PASSING_H
#define TLB_PRINT_PASSING_H

#include "passing.h"

/*
 * A comma and the member "caches" of QEMU's X86DsegTlbInfo; nothing if there
 * are no caches.
 */
void print_passing(struct passing *passing);

#endif
