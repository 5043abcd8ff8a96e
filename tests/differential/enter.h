/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written in assembler: the code of the guest, and the way there and back. */
#ifndef DIFFERENTIAL_ENTER_H
#define DIFFERENTIAL_ENTER_H

#include <stdint.h>

/*
 * What the guest executes, from a page of its own; the same in 64-bit and in 32-bit code. RSI
 * is the address, RAX the value. Each ends with VMMCALL.
 */
extern const char guest_code[], guest_load1[], guest_load4[], guest_store1[],
    guest_store4[], guest_load_segment[], guest_code_end[];

/* Native walks of the kernel, as CR13 has them. */
enum { NATIVE_WALKS, NATIVE_REFS, NATIVE_CHECKS, NATIVE_COUNTS };

/* [0] before the guest ran, [1] after it; [kind - 1]. */
struct native_counts {
    uint64_t count[2][3][NATIVE_COUNTS];
};

/*
 * VMRUN until #VMEXIT, with RSI for the guest. L1 makes exactly one walk between the two
 * readings of the counters, for the fetch that follows the #VMEXIT.
 */
void enter_guest(uint64_t vmcb, uint64_t rsi, struct native_counts *counts);

#endif
