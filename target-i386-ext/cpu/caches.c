/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the entries of a CPU's walks pass the modelled caches
 *
 * The walker tells of each entry of the guest's tables that it reads.  Of nested
 * ones it reads few, as QEMU has a TLB for nested translations: what such a
 * translation has read is remembered from the time when that TLB was filled, or
 * read again.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "cpu.h"
#include "cpu/caches.h"
#include "cpu/state.h"

X86DsegCaches *x86_dseg_caches_new(const DsegCachesGeometry *geometry,
                                   bool exact)
{
    X86DsegCaches *caches = g_new0(X86DsegCaches, 1);

    caches->model = dseg_caches_new(geometry);
    if (!dseg_caches_help(caches->model)) {
        warn_report_once("no thread for the modelled caches: CPUs wait for "
                         "them");
    }
    caches->watches_lines = exact && geometry->cache[DSEG_CACHE_L1I].size;
    caches->fetched_line = -1;
    return caches;
}

void x86_dseg_caches_free(X86DsegCaches *caches)
{
    if (caches) {
        dseg_caches_free(caches->model);
        g_free(caches);
    }
}

void x86_dseg_caches_empty(X86DsegCaches *caches)
{
    dseg_caches_empty(caches->model);
    dseg_sweeps_end_all(&caches->sweeps);
    caches->fetched_line = -1;
}

static X86DsegKnownGpa *known(X86DsegCaches *caches, uint64_t gpa)
{
    return &caches->known[gpa / DSEG_PAGE_SIZE % X86_DSEG_KNOWN_GPAS];
}

static uint64_t page_of(uint64_t gpa)
{
    return (gpa & DSEG_PAGE_MASK) | 1;
}

void x86_dseg_caches_nested_done(X86DsegCaches *caches, uint64_t gpa)
{
    *known(caches, gpa) = (X86DsegKnownGpa) {
        .page = page_of(gpa),
        .entries = caches->nested,
    };
}

/* What nested page tables are read again with. */
typedef struct Reading {
    CPUX86State *env;
    DsegEntries *entries;
} Reading;

static bool load(void *opaque, uint64_t addr, unsigned size, uint64_t *value)
{
    Reading *reading = opaque;
    CPUState *cs = env_cpu(reading->env);

    *value = size == 8 ? x86_ldq_phys(cs, addr) : x86_ldl_phys(cs, addr);
    reading->entries->hpa[reading->entries->count++] = addr;
    return true;
}

static void read_again(const X86DsegWalk *walk, uint64_t gpa,
                       DsegEntries *entries)
{
    CPUX86State *env = walk->env;
    Reading reading = { env, entries };
    DsegTables tables = {
        .mode = walk->nested_mode,
        .root = env->nested_cr3,
        .large_pages = env->nested_pg_mode & PG_MODE_PSE,
        .no_execute = env->nested_pg_mode & PG_MODE_NXE,
        .phys_bits = x86_dseg_phys_bits(env),
        .load = load,
        .opaque = &reading,
    };
    DsegMapping mapping;

    entries->count = 0;
    dseg_tables_lookup(&tables, gpa, &mapping);
}

void x86_dseg_caches_gpa(X86DsegCaches *caches, const X86DsegWalk *walk,
                         uint64_t gpa, unsigned refs)
{
    DsegEntries *entries = &caches->walk.nested[caches->walk.gpas++];
    X86DsegKnownGpa *before = known(caches, gpa);

    if (!refs) {
        entries->count = 0;
        return;
    }
    if (before->page != page_of(gpa) || before->entries.count != refs) {
        before->page = page_of(gpa);
        read_again(walk, gpa, &before->entries);
        /* Another CPU may have changed the tables since they were used. */
        while (before->entries.count < refs) {
            before->entries.hpa[before->entries.count++] =
                walk->env->nested_cr3 & DSEG_PAGE_MASK;
        }
        before->entries.count = refs;
    }
    *entries = before->entries;
}

static unsigned leaf_level(DsegPagingMode mode, unsigned refs)
{
    return refs ? dseg_paging_levels(mode) - refs + 1 : 0;
}

/* What walk caches and nested TLB have spared of the nested walk for gPA @i. */
static unsigned spared(const X86DsegWalk *walk, unsigned i, unsigned refs)
{
    return i < walk->caches.out_skipped ? refs
                                        : refs - walk->caches.gpas[i].out_refs;
}

void x86_dseg_caches_count_walk(X86DsegCaches *caches, const X86DsegWalk *walk,
                                DsegAccess access, DsegPrivilege privilege)
{
    DsegWalkEntries *entries = &caches->walk;
    bool sparing = walk->env->dseg->tlb->walk_caches;

    entries->guest.leaf = leaf_level(walk->guest_mode, entries->guest.count);
    entries->guest.spared = sparing ? walk->caches.out_skipped : 0;
    for (unsigned i = 0; i < entries->gpas; i++) {
        DsegEntries *nested = &entries->nested[i];

        nested->leaf = leaf_level(walk->nested_mode, nested->count);
        nested->spared = sparing ? spared(walk, i, nested->count) : 0;
    }
    dseg_caches_walk(caches->model, entries, &walk->cost, access, privilege);
}

bool x86_dseg_caches_seen(X86DsegCaches *caches, uint64_t va, uint64_t hpa,
                          DsegAccess access, DsegTlbOutcome outcome)
{
    DsegSweeps *sweeps = &caches->sweeps;
    bool hit_l1 = outcome == DSEG_TLB_HIT_L1;
    bool beside_l1 = outcome == DSEG_TLB_HIT_SEGMENT_L1;
    bool swept;

    if (!hit_l1 && !beside_l1) {
        x86_dseg_caches_access(caches, hpa, access);
    }
    if (access == DSEG_FETCH) {
        return false;
    }
    if (beside_l1) {
        dseg_sweeps_end(sweeps, va);
        return false;
    }
    swept = hit_l1 ? dseg_sweeps_hit(sweeps, va,
                         dseg_caches_geometry(caches->model)->line)
                   : dseg_sweeps_miss(sweeps, va);
    if (swept) {
        dseg_caches_sweep(caches->model, hpa, access);
    }
    return swept;
}
