/* SPDX-License-Identifier: GPL-2.0-or-later */
/* L1's side of AMD's virtualization. */
#include "svm.h"

#include "cpu.h"
#include "print.h"
#include "tables.h"

#define MAX_CPUS 4
#define PAT_RESET 0x0007040600070406ull
#define DR6_RESET 0xffff0ff0
#define DR7_RESET 0x400
#define CR0_PAGING_64 0x80010033        /* PG, WP, NE, ET, MP, PE */

void svm_switch(struct guest_registers *registers, uint64_t vmcb);

static uint8_t host_save_areas[MAX_CPUS][0x1000]
    __attribute__((aligned(0x1000)));

uint64_t svm_host_save_area(void)
{
    unsigned apic_id = cpuid(1, 0).ebx >> 24;

    if (apic_id >= MAX_CPUS) {
        die("the CPU with APIC ID %u is one too many", apic_id);
    }
    return (uint64_t)host_save_areas[apic_id];
}

void svm_init(void)
{
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SVME);
    write_msr(MSR_VM_HSAVE_PA, svm_host_save_area());
}

void guest_set_cpl(struct guest *guest, unsigned cpl)
{
    struct vmcb *vmcb = guest->vmcb;

    vmcb->cpl = cpl;
    vmcb->cs = (struct vmcb_segment) {
        0x10 | cpl, ATTRIBUTES_CODE64 | ATTRIBUTES_DPL(cpl), ~0u, 0,
    };
    vmcb->ss = (struct vmcb_segment) {
        0x18 | cpl, ATTRIBUTES_DATA | ATTRIBUTES_DPL(cpl), ~0u, 0,
    };
    vmcb->ds = vmcb->es = vmcb->fs = vmcb->gs = vmcb->ss;
}

void guest_init(struct guest *guest, struct vmcb *vmcb,
                const struct tables *guest_tables,
                const struct tables *nested)
{
    __builtin_memset(guest, 0, sizeof(*guest));
    __builtin_memset(vmcb, 0, sizeof(*vmcb));
    guest->vmcb = vmcb;
    guest_set_cpl(guest, 0);
    vmcb->intercept_exceptions = ~0u;
    vmcb->intercepts1 = INTERCEPT1_SHUTDOWN | INTERCEPT1_HLT;
    vmcb->intercepts2 = INTERCEPT2_VMRUN | INTERCEPT2_VMMCALL;
    vmcb->asid = 1;
    vmcb->tlb_control = TLB_FLUSH_ALL;
    vmcb->efer = EFER_SVME | EFER_LME | EFER_LMA | EFER_NXE;
    vmcb->cr0 = CR0_PAGING_64;
    vmcb->cr3 = guest_tables->root;
    vmcb->cr4 = CR4_PAE | (guest_tables->levels == 5 ? CR4_LA57 : 0);
    vmcb->dr6 = DR6_RESET;
    vmcb->dr7 = DR7_RESET;
    vmcb->rflags = RFLAGS_FIXED;
    vmcb->g_pat = PAT_RESET;
    if (nested) {
        vmcb->np_enable = 1;
        vmcb->n_cr3 = nested->root;
    }
}

uint64_t guest_run(struct guest *guest)
{
    svm_switch(&guest->registers, (uint64_t)guest->vmcb);
    return guest->vmcb->exit_code;
}
