/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what a snapshot or a migration keeps of a CPU
 *
 * Registers, what the monitor owns, and the counters; not the snapshots of
 * markers.  State that breaks a rule is refused.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "migration/vmstate.h"
#include "dseg.h"
#include "model/page-tables.h"
#include "cpu/state.h"

static const VMStateDescription vmstate_segment = {
    .name = "cpu/dseg/segment",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64(base, DsegSegment),
        VMSTATE_UINT64(limit, DsegSegment),
        VMSTATE_UINT64(offset, DsegSegment),
        VMSTATE_END_OF_LIST()
    }
};

/* The words that a filter of the default size has; see vmstate_filter. */
#define FILTER_WORDS (DSEG_FILTER_BITS / 64)

static const VMStateDescription vmstate_escapes = {
    .name = "cpu/dseg/escapes",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64_SUB_ARRAY(filter.word, DsegEscapes, 0, FILTER_WORDS),
        VMSTATE_UINT32(count, DsegEscapes),
        VMSTATE_UINT64_ARRAY(page, DsegEscapes, DSEG_ESCAPES_MAX),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_scoped = {
    .name = "cpu/dseg/scoped",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_STRUCT(segment, X86DsegScoped, 1, vmstate_segment, DsegSegment),
        VMSTATE_UINT32(world, X86DsegScoped),
        VMSTATE_UINT64(cr3.addr, X86DsegScoped),
        VMSTATE_UINT64(cr3.mask, X86DsegScoped),
        VMSTATE_UINT64(nested_cr3.addr, X86DsegScoped),
        VMSTATE_UINT64(nested_cr3.mask, X86DsegScoped),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_state = {
    .name = "cpu/dseg/state",
    .version_id = 2, /* with more counters */
    .minimum_version_id = 2,
    .fields = (const VMStateField[]) {
        VMSTATE_STRUCT(registers.control.guest, X86DsegState, 1,
                       vmstate_segment, DsegSegment),
        VMSTATE_UINT64(registers.control.select, X86DsegState),
        VMSTATE_STRUCT(registers.vmm, X86DsegState, 1, vmstate_segment,
                       DsegSegment),
        VMSTATE_STRUCT(registers.escapes, X86DsegState, 1, vmstate_escapes,
                       DsegEscapes),
        VMSTATE_BOOL(registers.escapes_unknown, X86DsegState),
        VMSTATE_BOOL(control_is_guests, X86DsegState),
        VMSTATE_STRUCT(monitor.guest, X86DsegState, 1, vmstate_scoped,
                       X86DsegScoped),
        VMSTATE_STRUCT(monitor.vmm, X86DsegState, 1, vmstate_scoped,
                       X86DsegScoped),
        VMSTATE_STRUCT(monitor.escapes, X86DsegState, 1, vmstate_escapes,
                       DsegEscapes),
        VMSTATE_UINT64_ARRAY(counter_words, X86DsegState, X86_DSEG_COUNTERS),
        VMSTATE_END_OF_LIST()
    }
};

static bool root_valid(const X86DsegRoot *root)
{
    return root->mask == 0 || root->mask == DSEG_PAGE_MASK;
}

/* Whether the monitor could have set @scoped. */
static bool scoped_valid(const X86DsegScoped *scoped, DsegLevel level,
                         CPUX86State *env)
{
    const DsegSegment *s = &scoped->segment;
    DsegSegment scratch;

    if (!dseg_segment_enabled(s)) {
        return true;
    }
    return scoped->world < X86_DSEG_WORLD__MAX && root_valid(&scoped->cr3) &&
           root_valid(&scoped->nested_cr3) &&
           (level == DSEG_GUEST || scoped->world == X86_DSEG_WORLD_NESTED) &&
           dseg_segment_make(&scratch, level, s->base, s->limit - s->base,
                             s->base + s->offset, x86_dseg_phys_bits(env),
                             x86_dseg_virt_bits(env)) == DSEG_RULE_OK;
}

/* The first part that breaks a rule, or NULL. */
static const char *find_broken(CPUX86State *env)
{
    const X86DsegState *dseg = env->dseg;
    unsigned phys_bits = x86_dseg_phys_bits(env);

    if (!dseg_control_valid(&dseg->registers.control,
                            x86_dseg_virt_bits_now(env)) ||
        dseg->control_is_guests != !!(env->hflags & HF_GUEST_MASK)) {
        return "CR9 to CR12";
    }
    if (!dseg_vmm_valid(&dseg->registers, phys_bits)) {
        return "the VMM segment's MSRs";
    }
    if (!dseg_escapes_valid(&dseg->registers.escapes, phys_bits) ||
        !dseg_filter_valid(&dseg->registers.escapes.filter)) {
        return "the escape filter's MSRs";
    }
    if (!scoped_valid(&dseg->monitor.guest, DSEG_GUEST, env)) {
        return "the monitor's guest segment";
    }
    if (!scoped_valid(&dseg->monitor.vmm, DSEG_VMM, env)) {
        return "the monitor's VMM segment";
    }
    if (!dseg_escapes_valid(&dseg->monitor.escapes, phys_bits) ||
        !dseg_escapes_whole(&dseg->monitor.escapes)) {
        return "the monitor's escape filter";
    }
    return NULL;
}

static int dseg_post_load(void *opaque, int version_id)
{
    X86CPU *cpu = opaque;
    const char *broken;

    if (cpu->env.dseg->saved_filter_bits != cpu->dseg_filter_bits) {
        error_report("CPU %d: direct segments: the state to load has an escape "
                     "filter of %u bits, but the CPU's property "
                     "'dseg-filter-bits' is %u", CPU(cpu)->cpu_index,
                     cpu->env.dseg->saved_filter_bits, cpu->dseg_filter_bits);
        return -EINVAL;
    }
    broken = find_broken(&cpu->env);
    if (broken) {
        error_report("CPU %d: direct segments: the state to load breaks a rule "
                     "in %s", CPU(cpu)->cpu_index, broken);
        return -EINVAL;
    }
    /* They are of counters that may be ahead of these. */
    x86_dseg_forget_markers(cpu->env.dseg);
    x86_dseg_tlb_reset(&cpu->env);
    return 0;
}

static bool dseg_needed(void *opaque)
{
    X86CPU *cpu = opaque;

    return cpu->env.dseg;
}

/* The field is a pointer, which must lead somewhere. */
static int dseg_pre_load(void *opaque)
{
    X86CPU *cpu = opaque;

    if (!cpu->env.dseg) {
        error_report("CPU %d: the state to load has direct segments, but the "
                     "CPU's property 'dseg' is off (-cpu MODEL,dseg=on)",
                     CPU(cpu)->cpu_index);
        return -EINVAL;
    }
    cpu->env.dseg->saved_filter_bits = DSEG_FILTER_BITS;
    return 0;
}

static bool filter_needed(void *opaque)
{
    X86CPU *cpu = opaque;

    return cpu->dseg_filter_bits != DSEG_FILTER_BITS;
}

static int filter_pre_save(void *opaque)
{
    X86CPU *cpu = opaque;

    cpu->env.dseg->saved_filter_bits = cpu->dseg_filter_bits;
    return 0;
}

static const VMStateDescription vmstate_more_words = {
    .name = "cpu/dseg/filter/words",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64_SUB_ARRAY(word, DsegFilter, FILTER_WORDS,
                                 DSEG_FILTER_MAX_WORDS - FILTER_WORDS),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_filter_state = {
    .name = "cpu/dseg/filter/state",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT32(saved_filter_bits, X86DsegState),
        VMSTATE_STRUCT(registers.escapes.filter, X86DsegState, 1,
                       vmstate_more_words, DsegFilter),
        VMSTATE_STRUCT(monitor.escapes.filter, X86DsegState, 1,
                       vmstate_more_words, DsegFilter),
        VMSTATE_END_OF_LIST()
    }
};

/* Only where the filters are of another size than the default. */
static const VMStateDescription vmstate_filter = {
    .name = "cpu/dseg/filter",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = filter_needed,
    .pre_save = filter_pre_save,
    .fields = (const VMStateField[]) {
        VMSTATE_STRUCT_POINTER(env.dseg, X86CPU, vmstate_filter_state,
                               X86DsegState),
        VMSTATE_END_OF_LIST()
    }
};

const VMStateDescription vmstate_x86_dseg = {
    .name = "cpu/dseg",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = dseg_needed,
    .pre_load = dseg_pre_load,
    .post_load = dseg_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_STRUCT_POINTER(env.dseg, X86CPU, vmstate_state, X86DsegState),
        VMSTATE_END_OF_LIST()
    },
    .subsections = (const VMStateDescription *const []) {
        &vmstate_filter,
        NULL
    }
};
