/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real CPU. */
#include "machine.h"

#include "lib/cpu.h"
#include "lib/dseg.h"

#define ATTRIBUTES_CODE32 0xc9b
#define CODE_SELECTOR 0x10
#define DATA_SELECTOR 0x18

static void load_own_segment(const struct ref_segment *segment)
{
    write_cr10(0);
    write_cr9(segment->base);
    write_cr11(segment->offset);
    write_cr10(segment->limit);
}

static void load_filter(const struct world *world)
{
    const struct ref_state *state = &world->state;

    filter_clear();
    for (unsigned i = 0; i < state->added_count; i++) {
        write_msr(MSR_FILTER_ADD, state->added[i]);
    }
    for (unsigned i = 0; i < filter_words() && world->writes_filter; i++) {
        write_msr(MSR_FILTER(i), state->filter[i]);
    }
}

static void load_vmm_segment(const struct ref_segment *segment)
{
    write_msr(MSR_VMM_LIMIT, 0);
    write_msr(MSR_VMM_BASE, segment->base);
    write_msr(MSR_VMM_OFFSET, segment->offset);
    write_msr(MSR_VMM_LIMIT, segment->limit);
}

/* L1's own pages are the kernel's, without NX: it can live with all of this. */
static void load_host(const struct world *world)
{
    write_cr4(world->state.host.cr4 | CR4_PKE);
    write_pkru(world->state.pkru);
    write_cr4(world->state.host.cr4);
    write_cr0(world->state.host.cr0);
    write_msr(MSR_EFER, world->state.host.efer);
}

static void load_guest(struct vmcb *vmcb, const struct ref_state *state)
{
    vmcb->cr0 = state->guest.cr0;
    vmcb->cr3 = state->guest.cr3;
    vmcb->cr4 = state->guest.cr4;
    vmcb->efer = state->guest.efer;
    vmcb->np_enable = state->nested;
    vmcb->n_cr3 = state->host.cr3;
    vmcb->dseg_cr9 = state->guest_segment.base;
    vmcb->dseg_cr10 = state->guest_segment.limit;
    vmcb->dseg_cr11 = state->guest_segment.offset;
}

void machine_load(struct guest *guest, const struct world *world)
{
    load_host(world);
    load_own_segment(&world->host_segment);
    load_vmm_segment(&world->state.vmm_segment);
    load_filter(world);
    load_guest(guest->vmcb, &world->state);
}

static const char *snippet(const struct try *access)
{
    if (access->ref.implicit) {
        return guest_load_segment;
    }
    if (access->after_load) {
        return guest_load_store4;
    }
    if (access->ref.kind == REF_STORE) {
        return access->size == 1 ? guest_store1 : guest_store4;
    }
    return access->size == 1 ? guest_load1 : guest_load4;
}

uint64_t machine_code(const struct world *world, const struct try *access)
{
    uint64_t page = world->mode == MODE_UNPAGED ? CODE_GPA
                    : access->cpl == 3 ? CODE_USER : CODE_KERNEL;

    if (access->ref.kind == REF_FETCH) {
        return access->ref.gva;
    }
    if (world->without_guest && access->cpl == 0) {
        return 0;
    }
    return page + (snippet(access) - guest_code);
}

static void set_privilege(struct vmcb *vmcb, const struct world *world,
                          unsigned cpl)
{
    unsigned code = world->mode == MODE_LONG ? ATTRIBUTES_CODE64
                                             : ATTRIBUTES_CODE32;

    vmcb->cpl = cpl;
    vmcb->cs = (struct vmcb_segment) {
        CODE_SELECTOR | cpl, code | ATTRIBUTES_DPL(cpl), ~0u, 0,
    };
    vmcb->ss = (struct vmcb_segment) {
        DATA_SELECTOR | cpl, ATTRIBUTES_DATA | ATTRIBUTES_DPL(cpl), ~0u, 0,
    };
    vmcb->ds = vmcb->es = vmcb->ss;
}

void machine_access(struct guest *guest, const struct world *world,
                    const struct try *access, uint32_t value,
                    struct outcome *outcome)
{
    struct vmcb *vmcb = guest->vmcb;

    set_privilege(vmcb, world, access->cpl);
    vmcb->rip = machine_code(world, access);
    vmcb->rflags = RFLAGS_FIXED | (access->ref.ac ? RFLAGS_AC : 0);
    vmcb->rax = value;
    /* VMRUN drops all translations, whatever it is told. */
    vmcb->tlb_control = value & 1 ? TLB_FLUSH_ALL : 0;
    if (access->ref.implicit) {
        vmcb->rax = DESCRIPTOR_SELECTOR | access->cpl;
        vmcb->gdtr.base = access->ref.gva - DESCRIPTOR_SELECTOR;
        vmcb->gdtr.limit = 0xffff;
    }
    enter_guest((uint64_t)vmcb, access->ref.gva, &outcome->native);
    outcome->exit_code = vmcb->exit_code;
    outcome->info1 = vmcb->exit_info1;
    outcome->info2 = vmcb->exit_info2;
    outcome->rip = vmcb->rip;
    outcome->rax = vmcb->rax;
}
