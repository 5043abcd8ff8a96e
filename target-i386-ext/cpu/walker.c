/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the hooks of the page walker
 *
 * They decide whether a segment translates, and report each event of the walk
 * to model/cost.h, which knows what it costs.
 */

#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "dseg.h"
#include "cpu/caches.h"
#include "cpu/state.h"

static DsegPagingMode paging_of_pg_mode(int pg_mode)
{
    if (pg_mode & PG_MODE_LMA) {
        return pg_mode & PG_MODE_LA57 ? DSEG_PAGING_LONG5 : DSEG_PAGING_LONG4;
    }
    if (pg_mode & PG_MODE_PAE) {
        return DSEG_PAGING_PAE;
    }
    return pg_mode & PG_MODE_PG ? DSEG_PAGING_LEGACY : DSEG_PAGING_NONE;
}

static bool in_force(const X86DsegScoped *scoped, CPUX86State *env, bool nested)
{
    return dseg_segment_enabled(&scoped->segment) &&
           (scoped->world == X86_DSEG_WORLD_NESTED) == nested &&
           (!nested ||
            x86_dseg_root_matches(&scoped->nested_cr3, env->nested_cr3));
}

/* CR9 to CR11; paging and long mode are looked at in lookup_guest(). */
static const DsegSegment *guest_registers(CPUX86State *env)
{
    const DsegSegment *segment = &env->dseg->registers.control.guest;

    return dseg_segment_enabled(segment) && !(env->hflags & HF_SMM_MASK) ?
           segment : NULL;
}

static const DsegSegment *guest_segment(CPUX86State *env, bool nested)
{
    const X86DsegScoped *scoped = &env->dseg->monitor.guest;

    return in_force(scoped, env, nested) &&
           x86_dseg_root_matches(&scoped->cr3, env->cr[3]) ?
           &scoped->segment : guest_registers(env);
}

/* Finds the VMM segment in force, and its filter.  walk->debug is set. */
static void find_vmm_segment(X86DsegWalk *walk, bool nested)
{
    const X86DsegState *dseg = walk->env->dseg;
    const DsegRegisters *registers = &dseg->registers;

    walk->vmm = NULL;
    if (!nested || (walk->debug && walk->debug->no_vmm_segment)) {
        return;
    }
    if (in_force(&dseg->monitor.vmm, walk->env, true)) {
        walk->vmm = &dseg->monitor.vmm.segment;
        walk->escapes = &dseg->monitor.escapes;
        walk->escapes_unknown = false;
    } else if (dseg_segment_enabled(&registers->vmm)) {
        walk->vmm = &registers->vmm;
        walk->escapes = &registers->escapes;
        walk->escapes_unknown = registers->escapes_unknown;
    }
}

X86DsegWalk *x86_dseg_do_guest_walk(CPUX86State *env, X86DsegDebug *debug)
{
    X86DsegWalk *walk = debug ? &debug->guest_walk : &env->dseg->guest_walk;
    bool nested = env->hflags2 & HF2_NPT_MASK;

    walk->env = env;
    walk->debug = debug;
    walk->nested_mode = paging_of_pg_mode(env->nested_pg_mode);
    walk->guest = guest_segment(env, nested);
    find_vmm_segment(walk, nested);
    if (debug && debug->no_guest_segment) {
        walk->guest = NULL;
    }
    walk->cost.in_nested = nested;
    return walk;
}

X86DsegWalk *x86_dseg_do_nested_walk(CPUX86State *env, X86DsegDebug *debug)
{
    X86DsegWalk *walk = debug ? &debug->nested_walk : &env->dseg->nested_walk;

    walk->env = env;
    walk->debug = debug;
    walk->nested_dimension = true;
    find_vmm_segment(walk, true);
    if (!debug) {
        env->dseg->counters.softmmu_nested_fills++;
    }
    return walk;
}

uint64_t x86_dseg_debug_part(CPUX86State *env, uint64_t addr, uint64_t size)
{
    const DsegSegment *s = env->dseg ?
                           guest_segment(env, env->hflags2 & HF2_NPT_MASK) :
                           NULL;

    while (s && size > TARGET_PAGE_SIZE) {
        uint64_t first = addr & ~(size - 1);
        uint64_t last = first + size - 1;

        if (last < s->base || first >= s->limit ||
            (first >= s->base && last < s->limit)) {
            break;
        }
        size /= 2;
    }
    return size;
}

void x86_dseg_record_nested(CPUX86State *env, DsegRecord *record)
{
    dseg_record_begin(record, DSEG_PAGING_NONE, env->hflags2 & HF2_NPT_MASK ?
                      paging_of_pg_mode(env->nested_pg_mode) :
                      DSEG_PAGING_NONE);
}

/* The modelled caches that @walk passes; NULL if there are none. */
static X86DsegCaches *caches_of(const X86DsegWalk *walk)
{
    const X86DsegTlb *tlb = walk->env->dseg->tlb;

    return walk->debug || !tlb ? NULL : tlb->caches;
}

static DsegRecord *record_of(const X86DsegWalk *walk)
{
    return walk->debug ? walk->debug->record : NULL;
}

/* How the VMM's side translates @gpa. */
static DsegNestedHow nested_how(X86DsegWalk *walk, hwaddr gpa)
{
    const DsegEscapes *escapes = walk->escapes;

    if (!walk->vmm || !dseg_segment_contains(walk->vmm, gpa)) {
        return DSEG_NESTED_WALKED;
    }
    if (dseg_filter_none_passes(&escapes->filter) ||
        !dseg_filter_test(&escapes->filter, gpa)) {
        return DSEG_NESTED_SEGMENT;
    }
    return walk->escapes_unknown || dseg_escapes_contains(escapes, gpa) ?
           DSEG_NESTED_ESCAPED : DSEG_NESTED_FALSE_ESCAPE;
}

static DsegHit lookup_vmm(X86DsegWalk *walk, hwaddr gpa, uint64_t *hpa)
{
    DsegNestedHow how = nested_how(walk, gpa);
    DsegRecord *record = record_of(walk);
    DsegHit hit = DSEG_MISS;

    if (record) {
        dseg_record_gpa(record, gpa);
    }
    if (walk->vmm) {
        hit = dseg_segment_lookup(walk->vmm, x86_dseg_phys_bits(walk->env), gpa,
                                  hpa);
    }
    if (record && walk->vmm) {
        dseg_record_vmm_check(record, walk->vmm, hit, *hpa);
        dseg_record_filter(record, &walk->escapes->filter, how);
    }
    return how == DSEG_NESTED_SEGMENT ? hit : DSEG_MISS;
}

static DsegHit lookup_guest(X86DsegWalk *walk, hwaddr gva, int pg_mode,
                            uint64_t *gpa)
{
    const DsegSegment *segment = pg_mode & PG_MODE_LMA ? walk->guest : NULL;
    DsegRecord *record = record_of(walk);
    DsegHit hit = DSEG_MISS;

    walk->guest_mode = paging_of_pg_mode(pg_mode);
    dseg_cost_begin(&walk->cost, walk->cost.in_nested, segment, walk->vmm);
    if (record) {
        dseg_record_begin(record, walk->guest_mode,
                          walk->cost.in_nested ? walk->nested_mode
                                               : DSEG_PAGING_NONE);
    }
    if (segment) {
        hit = dseg_segment_lookup(segment, x86_dseg_phys_bits(walk->env),
                                  gva, gpa);
        dseg_cost_check_guest(&walk->cost, hit != DSEG_MISS);
    }
    if (record && segment) {
        dseg_record_guest_check(record, segment, hit, *gpa);
    }
    return hit;
}

bool x86_dseg_do_leaf(X86DsegWalk *walk, hwaddr addr, int pg_mode,
                      uint64_t *rsvd_mask, uint64_t *pte)
{
    X86DsegCaches *caches = caches_of(walk);
    uint64_t to = 0;
    DsegHit hit = walk->nested_dimension ?
                  lookup_vmm(walk, addr, &to) :
                  lookup_guest(walk, addr, pg_mode, &to);

    walk->addr = addr;
    walk->to = to;
    walk->hit = hit == DSEG_HIT;
    walk->global = false;
    walk->store = true;
    walk->lg_mapping = 0;
    walk->caches.gpa_count = 0;
    if (caches) {
        x86_dseg_caches_begin(caches, walk->nested_dimension);
    }
    if (hit == DSEG_MISS) {
        return false;
    }
    *pte = (to & PG_ADDRESS_MASK) | PG_PRESENT_MASK | PG_RW_MASK |
           PG_USER_MASK | PG_ACCESSED_MASK | PG_DIRTY_MASK;
    if (!walk->nested_dimension && (pg_mode & PG_MODE_NXE)) {
        *pte |= PG_NX_MASK;
    }
    if (hit == DSEG_TOO_WIDE) {
        /*
         * With MAXPHYADDR 52 there is no reserved bit; the one that every leaf
         * has, P, does as well.
         */
        *rsvd_mask |= PG_PRESENT_MASK;
    }
    return true;
}

static bool has_walk_caches(const X86DsegWalk *walk)
{
    return walk->env->dseg->tlb && walk->env->dseg->tlb->walk_caches;
}

static void count_gpa(X86DsegWalk *walk, hwaddr gpa, unsigned lg_page_size)
{
    DsegNestedHow how = nested_how(walk, gpa);
    X86DsegCaches *caches = caches_of(walk);

    dseg_cost_gpa(&walk->cost, how, walk->nested_mode, lg_page_size);
    if (caches) {
        x86_dseg_caches_gpa(caches, walk, gpa,
                            how == DSEG_NESTED_SEGMENT ? 0 :
                            dseg_paging_refs(walk->nested_mode, lg_page_size));
    }
    if (has_walk_caches(walk)) {
        DsegTlbWalk *looked_up = &walk->caches;

        walk->how[looked_up->gpa_count] = how;
        looked_up->gpas[looked_up->gpa_count++] = (DsegTlbGpa) {
            .gpa = gpa,
            .by_segment = how == DSEG_NESTED_SEGMENT,
            .levels = dseg_paging_refs(walk->nested_mode, 12),
            .lg_size = lg_page_size,
        };
    }
}

void x86_dseg_do_ref(X86DsegWalk *walk, hwaddr addr,
                     const CPUTLBEntryFull *full)
{
    hwaddr hpa = full->phys_addr | (addr & ~TARGET_PAGE_MASK);
    DsegRecord *record = record_of(walk);
    X86DsegCaches *caches = caches_of(walk);

    if (record) {
        dseg_record_ref(record, walk->nested_dimension, addr, hpa);
    }
    if (caches) {
        x86_dseg_caches_entry(caches, walk->nested_dimension, hpa);
    }
    if (walk->nested_dimension) {
        /* Counted by the walk that needs it: see count_gpa(). */
        return;
    }
    dseg_cost_guest_ref(&walk->cost);
    if (walk->cost.in_nested) {
        count_gpa(walk, addr, full->lg_page_size);
    }
}

uint64_t x86_dseg_do_entry(X86DsegWalk *walk, uint64_t entry)
{
    DsegRecord *record = record_of(walk);

    if (record) {
        dseg_record_entry(record, entry);
    }
    return entry;
}

static void count_guest_page(X86DsegWalk *walk, uint64_t page_size)
{
    if (walk->cost.out_guest_refs) {
        dseg_cost_guest_page(&walk->cost, ctz64(page_size));
        walk->lg_mapping = ctz64(page_size);
    }
}

void x86_dseg_do_final(X86DsegWalk *walk, hwaddr gpa, uint64_t page_size,
                       const CPUTLBEntryFull *full)
{
    count_guest_page(walk, page_size);
    count_gpa(walk, gpa, full->lg_page_size);
    walk->lg_page_size = MIN(ctz64(page_size), full->lg_page_size);
    walk->store &= !!(full->prot & PAGE_WRITE);
}

void x86_dseg_do_leaf_entry(X86DsegWalk *walk, uint64_t pte, uint64_t ptep)
{
    walk->global = pte & PG_GLOBAL_MASK;
    walk->store = (pte & PG_DIRTY_MASK) && (ptep & PG_RW_MASK);
}

/* What the walk costs with the walk caches: its events once more, but for some. */
static void use_walk_caches(X86DsegWalk *walk)
{
    DsegTlbWalk *caches = &walk->caches;
    DsegCost all = walk->cost;

    caches->space = x86_dseg_tlb_space(walk->env);
    caches->va = walk->addr;
    caches->guest_segment = all.out_guest_hit;
    caches->levels = dseg_paging_refs(walk->guest_mode, 12);
    caches->refs = all.out_guest_refs;
    dseg_tlb_walk(walk->env->dseg->tlb->model, caches);

    dseg_cost_begin(&walk->cost, all.in_nested, all.in_guest_segment,
                    all.in_vmm_segment);
    dseg_cost_check_guest(&walk->cost, all.out_guest_hit);
    walk->cost.out_guest_refs = all.out_guest_refs - caches->out_skipped;
    walk->cost.out_guest_page = all.out_guest_page;
    for (unsigned i = caches->out_skipped; i < caches->gpa_count; i++) {
        dseg_cost_gpa_refs(&walk->cost, walk->how[i], caches->gpas[i].out_refs,
                           caches->gpas[i].lg_size);
    }
}

void x86_dseg_count_walk(X86DsegWalk *walk, MMUAccessType access_type,
                         int mmu_idx)
{
    DsegAccess access = x86_dseg_access_of(access_type);

    DsegPrivilege privilege = is_mmu_index_user(mmu_idx) ? DSEG_USER
                                                         : DSEG_KERNEL;
    X86DsegCaches *caches = caches_of(walk);

    if (has_walk_caches(walk)) {
        use_walk_caches(walk);
    }
    dseg_counters_walk(&walk->env->dseg->counters, &walk->cost,
                       access, privilege);
    if (caches) {
        x86_dseg_caches_count_walk(caches, walk, access, privilege);
    }
}

void x86_dseg_do_done(X86DsegWalk *walk, MMUAccessType access_type,
                      int mmu_idx, uint64_t page_size)
{
    if (walk->hit && !walk->debug && env_archcpu(walk->env)->dseg_verify) {
        x86_dseg_verify(walk, access_type, mmu_idx);
    }
    if (walk->nested_dimension) {
        if (caches_of(walk)) {
            x86_dseg_caches_nested_done(caches_of(walk), walk->addr);
        }
        return; /* counted by the walk that needs it */
    }
    if (!walk->cost.in_nested) {
        count_guest_page(walk, page_size);
        walk->lg_page_size = ctz64(page_size);
    }
    if (walk->debug) {
        return;
    }
    if (walk->env->dseg->tlb) {
        walk->env->dseg->tlb->pending = true; /* see x86_dseg_do_fill() */
    } else {
        x86_dseg_count_walk(walk, access_type, mmu_idx);
    }
}
