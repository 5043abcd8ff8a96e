/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the registers for gdb and for "info registers"
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/error-report.h"
#include "qemu/qemu-print.h"
#include "exec/gdbstub.h"
#include "gdbstub/helpers.h"
#include "dseg.h"
#include "cpu/state.h"

typedef struct Register {
    const char *name;
    unsigned cr;    /* a control register, if not 0 */
    uint32_t msr;   /* else an MSR */
} Register;

/* In the order in which gdb gets them. */
static const Register registers[] = {
    { "cr9", .cr = DSEG_CR_BASE },
    { "cr10", .cr = DSEG_CR_LIMIT },
    { "cr11", .cr = DSEG_CR_OFFSET },
    { "cr12", .cr = DSEG_CR_SELECT },
    { "cr13", .cr = DSEG_CR_COUNT },
    { "vmm_base", .msr = DSEG_MSR_BASE },
    { "vmm_limit", .msr = DSEG_MSR_LIMIT },
    { "vmm_offset", .msr = DSEG_MSR_OFFSET },
    { "vmm_filter0", .msr = DSEG_MSR_FILTER0 },
    { "vmm_filter1", .msr = DSEG_MSR_FILTER0 + 1 },
    { "vmm_filter2", .msr = DSEG_MSR_FILTER0 + 2 },
    { "vmm_filter3", .msr = DSEG_MSR_FILTER0 + 3 },
    { "vmm_filter4", .msr = DSEG_MSR_FILTER0 + 4 },
    { "vmm_filter5", .msr = DSEG_MSR_FILTER0 + 5 },
    { "vmm_filter6", .msr = DSEG_MSR_FILTER0 + 6 },
    { "vmm_filter7", .msr = DSEG_MSR_FILTER0 + 7 },
    { "vmm_filter8", .msr = DSEG_MSR_FILTER0 + 8 },
    { "vmm_filter9", .msr = DSEG_MSR_FILTER0 + 9 },
    { "vmm_filter10", .msr = DSEG_MSR_FILTER0 + 10 },
    { "vmm_filter11", .msr = DSEG_MSR_FILTER0 + 11 },
    { "vmm_filter12", .msr = DSEG_MSR_FILTER0 + 12 },
    { "vmm_filter13", .msr = DSEG_MSR_FILTER0 + 13 },
    { "vmm_filter14", .msr = DSEG_MSR_FILTER0 + 14 },
    { "vmm_filter15", .msr = DSEG_MSR_FILTER0 + 15 },
};
QEMU_BUILD_BUG_ON(ARRAY_SIZE(registers) != DSEG_MSR_LAST - DSEG_MSR_BASE + 5);

/* How many of them there are: as many as the filter has words. */
static unsigned register_count(CPUX86State *env)
{
    return ARRAY_SIZE(registers) - DSEG_FILTER_MAX_WORDS +
           dseg_filter_words(&env->dseg->registers.escapes.filter);
}

static uint64_t get(CPUX86State *env, const Register *r)
{
    uint64_t value = 0;

    if (r->cr) {
        return x86_dseg_get_cr(env, r->cr);
    }
    dseg_msr_read(&env->dseg->registers, r->msr, &value);
    return value;
}

static int gdb_get(CPUState *cs, GByteArray *buffer, int i)
{
    CPUX86State *env = cpu_env(cs);

    return i < register_count(env) ?
           gdb_get_reg64(buffer, get(env, &registers[i])) : 0;
}

/* Returns 0 if @buffer breaks a rule; nothing changes then. */
static int gdb_set(CPUState *cs, uint8_t *buffer, int i)
{
    CPUX86State *env = cpu_env(cs);
    const Register *r = &registers[i];
    uint64_t value;

    if (i >= register_count(env)) {
        return 0;
    }
    value = ldq_le_p(buffer);
    if (value == get(env, r)) {
        return sizeof(value); /* gdb writes back whole sets of registers */
    }
    if (!(r->cr ? x86_dseg_set_cr(env, r->cr, value)
                : x86_dseg_set_msr(env, r->msr, value))) {
        /* gdb itself is told that all is well: see handle_set_reg(). */
        error_report("gdb: %s: software could not write 0x%" PRIx64 ": see "
                     "docs/spec/registers.rst of direct segments", r->name,
                     value);
        return 0;
    }
    return sizeof(value);
}

void x86_dseg_gdb_init(CPUState *cs)
{
    static GDBFeature feature;  /* of all CPUs: they have the same registers */

    if (!feature.xml) {
        GDBFeatureBuilder builder;

        gdb_feature_builder_init(&builder, &feature, "org.qemu.i386.dseg",
                                 "i386-dseg.xml", cs->gdb_num_regs);
        for (unsigned i = 0; i < register_count(cpu_env(cs)); i++) {
            gdb_feature_builder_append_reg(&builder, registers[i].name, 64, i,
                                           "int", "system");
        }
        gdb_feature_builder_end(&builder);
    }
    gdb_register_coprocessor(cs, gdb_get, gdb_set, &feature, 0);
}

/* Four words of the filter are a line. */
static bool ends_line(const Register *r)
{
    return r->cr == DSEG_CR_COUNT || r->msr == DSEG_MSR_OFFSET ||
           (r->msr >= DSEG_MSR_FILTER0 && (r->msr - DSEG_MSR_FILTER0) % 4 == 3);
}

void x86_dseg_do_dump(CPUX86State *env, FILE *f)
{
    unsigned count = register_count(env);

    for (unsigned i = 0; i < count; i++) {
        g_autofree char *name = g_ascii_strup(registers[i].name, -1);

        if (registers[i].msr && !x86_dseg_has_vmm(env)) {
            continue;
        }
        qemu_fprintf(f, "%s=%016" PRIx64 "%c", name,
                     get(env, &registers[i]),
                     ends_line(&registers[i]) || i == count - 1 ? '\n' : ' ');
    }
}
