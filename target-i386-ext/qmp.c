/*
 * Direct segments: what the QMP commands share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/core/cpu.h"
#include "qapi/error.h"
#include "dseg.h"
#include "qmp.h"

GPtrArray *x86_dseg_cpus(bool has_cpu, int64_t index, Error **errp)
{
    g_autoptr(GPtrArray) cpus = g_ptr_array_new();
    CPUState *cs;

    CPU_FOREACH(cs) {
        if (has_cpu && cs->cpu_index != index) {
            continue;
        }
        if (!cpu_env(cs)->dseg) {
            error_setg(errp, "CPU %d has no direct segments: its property "
                       "'dseg' is off (switch it on with -cpu MODEL,dseg=on)",
                       cs->cpu_index);
            return NULL;
        }
        g_ptr_array_add(cpus, cs);
    }
    if (!cpus->len) {
        error_setg(errp, "cpu: there is no CPU %" PRId64, index);
        return NULL;
    }
    return g_steal_pointer(&cpus);
}

void x86_dseg_on_each(GPtrArray *cpus, run_on_cpu_func fn, void *opaque)
{
    for (guint i = 0; i < cpus->len; i++) {
        run_on_cpu(g_ptr_array_index(cpus, i), fn, RUN_ON_CPU_HOST_PTR(opaque));
    }
}

void x86_dseg_on_cpus(bool has_cpu, int64_t index, run_on_cpu_func fn,
                      void *opaque, Error **errp)
{
    g_autoptr(GPtrArray) cpus = x86_dseg_cpus(has_cpu, index, errp);

    if (cpus) {
        x86_dseg_on_each(cpus, fn, opaque);
    }
}
