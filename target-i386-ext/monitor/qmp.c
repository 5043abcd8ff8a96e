/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what the QMP commands share
 */

#include "qemu/osdep.h"
#include "hw/core/cpu.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "system/replay.h"
#include "dseg.h"
#include "monitor/qmp.h"

GArray *x86_dseg_cpus(bool has_cpu, int64_t index, Error **errp)
{
    g_autoptr(GArray) cpus = g_array_new(false, false, sizeof(int));
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
        g_array_append_val(cpus, cs->cpu_index);
    }
    if (!cpus->len) {
        error_setg(errp, "cpu: there is no CPU %" PRId64, index);
        return NULL;
    }
    return g_steal_pointer(&cpus);
}

bool x86_dseg_on_cpu(int index, run_on_cpu_func fn, void *opaque)
{
    CPUState *cs = qemu_get_cpu(index);

    /* The thread of a CPU that is just being unplugged runs nothing any more. */
    if (!cs || cs->unplug || !cpu_env(cs)->dseg) {
        return false;
    }
    /*
     * If a run is recorded or replayed, the main loop has this mutex, and the CPU's
     * thread can't go on without it, to where it would do this.
     */
    replay_mutex_unlock();
    run_on_cpu(cs, fn, RUN_ON_CPU_HOST_PTR(opaque));
    bql_unlock();
    replay_mutex_lock();
    bql_lock();
    return true;
}

bool x86_dseg_on_this_cpu(int index, run_on_cpu_func fn, void *opaque,
                          Error **errp)
{
    if (!x86_dseg_on_cpu(index, fn, opaque)) {
        error_setg(errp, "cpu: CPU %d has been unplugged", index);
        return false;
    }
    return true;
}

void x86_dseg_on_each(GArray *cpus, run_on_cpu_func fn, void *opaque)
{
    for (guint i = 0; i < cpus->len; i++) {
        x86_dseg_on_cpu(g_array_index(cpus, int, i), fn, opaque);
    }
}

void x86_dseg_on_cpus(bool has_cpu, int64_t index, run_on_cpu_func fn,
                      void *opaque, Error **errp)
{
    g_autoptr(GArray) cpus = x86_dseg_cpus(has_cpu, index, errp);

    if (cpus) {
        x86_dseg_on_each(cpus, fn, opaque);
    }
}
