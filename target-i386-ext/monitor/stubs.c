/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the QMP commands where there are none
 *
 * Linked into QEMU for other targets, and for x86 without TCG.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"

static void no_dseg(Error **errp)
{
    error_setg(errp, "direct segments need x86 CPUs and the TCG accelerator");
}

X86DsegCheckList *qmp_x86_dseg_set(X86DsegLevel level, uint64_t base,
                                   uint64_t size, uint64_t target,
                                   bool has_cpu, int64_t cpu,
                                   bool has_cr3, uint64_t cr3,
                                   bool has_world, X86DsegWorld world,
                                   bool has_nested_cr3, uint64_t nested_cr3,
                                   bool has_force, bool force, Error **errp)
{
    no_dseg(errp);
    return NULL;
}

void qmp_x86_dseg_clear(bool has_level, X86DsegLevel level, bool has_cpu,
                        int64_t cpu, Error **errp)
{
    no_dseg(errp);
}

void qmp_x86_dseg_escape_add(uint64_t page, bool has_cpu, int64_t cpu,
                             Error **errp)
{
    no_dseg(errp);
}

void qmp_x86_dseg_escape_remove(uint64_t page, bool has_cpu, int64_t cpu,
                                Error **errp)
{
    no_dseg(errp);
}

void qmp_x86_dseg_escape_clear(bool has_cpu, int64_t cpu, Error **errp)
{
    no_dseg(errp);
}

X86DsegCpuList *qmp_query_x86_dseg(bool has_cpu, int64_t cpu, Error **errp)
{
    no_dseg(errp);
    return NULL;
}

X86DsegWalksList *qmp_query_x86_dseg_walks(bool has_cpu, int64_t cpu,
                                           Error **errp)
{
    no_dseg(errp);
    return NULL;
}

void qmp_x86_dseg_walks_reset(bool has_cpu, int64_t cpu, Error **errp)
{
    no_dseg(errp);
}

void qmp_x86_dseg_stop_at(uint32List *labels, bool has_cpu, int64_t cpu,
                          Error **errp)
{
    no_dseg(errp);
}

X86DsegMarkerList *qmp_query_x86_dseg_markers(bool has_cpu, int64_t cpu,
                                              Error **errp)
{
    no_dseg(errp);
    return NULL;
}

X86DsegScan *qmp_x86_dseg_scan(X86DsegLevel level, bool has_base,
                               uint64_t base, bool has_size, uint64_t size,
                               bool has_min_size, uint64_t min_size,
                               bool has_runs, int64_t runs,
                               bool has_cpu, int64_t cpu,
                               bool has_cr3, uint64_t cr3,
                               bool has_world, X86DsegWorld world,
                               bool has_nested_cr3, uint64_t nested_cr3,
                               Error **errp)
{
    no_dseg(errp);
    return NULL;
}

X86DsegTranslation *qmp_x86_dseg_translate(uint64_t address, bool has_cpu,
                                           int64_t cpu, bool has_access,
                                           X86DsegAccess access,
                                           bool has_privilege,
                                           X86DsegPrivilege privilege,
                                           bool has_level, X86DsegLevel level,
                                           Error **errp)
{
    no_dseg(errp);
    return NULL;
}

X86DsegTlbInfoList *qmp_query_x86_dseg_tlb(bool has_cpu, int64_t cpu,
                                           Error **errp)
{
    no_dseg(errp);
    return NULL;
}

X86DsegTlbPresetList *qmp_query_x86_dseg_tlb_presets(Error **errp)
{
    no_dseg(errp);
    return NULL;
}
