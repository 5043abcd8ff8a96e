/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * L1's side of AMD's virtualization (APM, volume 2, chapter 15): an L2 guest's
 * CPU.
 */
#ifndef BARE_METAL_SVM_H
#define BARE_METAL_SVM_H

#include <stdint.h>

#include "vmcb.h"

struct tables;

/* The order is that of svm.S. */
struct guest_registers {
    uint64_t rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
};

struct guest {
    struct vmcb *vmcb;
    struct guest_registers registers;
};

/* Let this CPU use VMRUN. */
void svm_init(void);

/* The hPA of this CPU's host save area. */
uint64_t svm_host_save_area(void);

/*
 * Give a guest, whose VMCB is a page of its own, a CPU in 64-bit mode at CPL 0,
 * without segments and with all registers 0; nested paging if "nested" is not
 * NULL. Exceptions and VMMCALL are intercepted. The TLB is flushed at each
 * VMRUN.
 */
void guest_init(struct guest *guest, struct vmcb *vmcb,
                const struct tables *guest_tables,
                const struct tables *nested);

/* CPL 0 or 3. */
void guest_set_cpl(struct guest *guest, unsigned cpl);

/* Run it until #VMEXIT; returns the exit code. */
uint64_t guest_run(struct guest *guest);

#endif
