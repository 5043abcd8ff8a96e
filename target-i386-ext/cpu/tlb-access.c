/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: accesses to the modelled TLB
 *
 * Called where QEMU's own TLB misses.  Mode inclusive keeps that one a part of the
 * modelled L1, see inclusion.h.  Mode exact has QEMU's TLB forget each data access
 * at once, and sees fetches by fetch.c.
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/cputlb.h"
#include "exec/target_page.h"
#include "dseg.h"
#include "cpu/caches.h"
#include "cpu/inclusion.h"
#include "cpu/state.h"

/* What an entry of the model keeps for us: DsegTlbPage.data. */
enum { DATA_OFFSET, DATA_EPOCH, DATA_TAG };

/* All that get_pg_mode() looks at; these bits are at different places. */
static uint64_t paging_mode(const CPUX86State *env)
{
    return (env->cr[0] & (CR0_PG_MASK | CR0_WP_MASK)) |
           (env->cr[4] & (CR4_PAE_MASK | CR4_PSE_MASK | CR4_SMEP_MASK |
                          CR4_LA57_MASK | CR4_PKE_MASK | CR4_PKS_MASK)) |
           (env->efer & MSR_EFER_NXE) | (env->hflags & HF_LMA_MASK);
}

/* Under which circumstances a translation permits the same. */
static uint64_t tag(const CPUX86State *env, int mmu_idx, int prot)
{
    return paging_mode(env) << 16 | mmu_idx << 8 | prot;
}

static DsegTlbSize size_of(unsigned lg_page_size)
{
    return lg_page_size >= 30 ? DSEG_TLB_1G :
           lg_page_size >= 21 ? DSEG_TLB_2M : DSEG_TLB_4K;
}

static DsegTlbPage page_of(const X86DsegWalk *walk, uint64_t va,
                           MMUAccessType access_type, int mmu_idx,
                           hwaddr paddr, int prot)
{
    CPUX86State *env = walk->env;
    DsegRegime regime = dseg_cost_regime(&walk->cost);

    return (DsegTlbPage) {
        .size = size_of(walk->lg_page_size),
        .global = walk->global && (env->cr[4] & CR4_PGE_MASK),
        .store = walk->store,
        .lg_mapping = walk->lg_mapping,
        .segments_only = regime == DSEG_NATIVE_DIRECT ||
                         regime == DSEG_DUAL_DIRECT,
        .data[DATA_OFFSET] = paddr - va,
        .data[DATA_EPOCH] = x86_dseg_tlb_epoch(env->dseg->tlb),
        .data[DATA_TAG] = tag(env, mmu_idx, prot),
    };
}

static DsegTlbKind kind_of(MMUAccessType access_type)
{
    static const DsegTlbKind kinds[] = {
        [MMU_DATA_LOAD] = DSEG_TLB_LOAD,
        [MMU_DATA_STORE] = DSEG_TLB_STORE,
        [MMU_INST_FETCH] = DSEG_TLB_FETCH,
    };

    return kinds[access_type];
}

/*
 * Whether the next access to the page of @va has to come here, whatever it is: in
 * mode exact, and if caches watch the page.
 */
static bool sees_next(const X86DsegTlb *tlb, uint64_t va,
                      MMUAccessType access_type)
{
    return access_type != MMU_INST_FETCH &&
           (tlb->exact || (tlb->caches &&
                           dseg_sweeps_is_watched(&tlb->caches->sweeps, va)));
}

/* What QEMU's TLB is to be filled with: if so, for one access only. */
static int fill_size(const X86DsegTlb *tlb, uint64_t va,
                     MMUAccessType access_type)
{
    return sees_next(tlb, va, access_type) ? 1 : TARGET_PAGE_SIZE;
}

/* Whether the model sees this fill of QEMU's TLB as an access. */
static bool is_access(const X86DsegTlb *tlb, MMUAccessType access_type)
{
    return !tlb->exact || access_type != MMU_INST_FETCH || tlb->in_fetch;
}

static bool may_refill(CPUX86State *env, MMUAccessType access_type, int idx)
{
    return idx < MMU_PHYS_IDX && !is_mmu_index_32(idx) &&
           !env_archcpu(env)->dseg_verify &&
           is_access(env->dseg->tlb, access_type);
}

/* Whether what an entry keeps is good for this access. */
static bool is_good(X86DsegTlb *tlb, const uint64_t *data,
                    MMUAccessType access_type, int idx)
{
    int prot = data[DATA_TAG] & 0xff;

    return data[DATA_EPOCH] == x86_dseg_tlb_epoch(tlb) &&
           data[DATA_TAG] == tag(tlb->env, idx, prot) &&
           (prot & (1 << access_type));
}

/* Where QEMU's TLB has @va, if it has. */
static uintptr_t place_of(CPUState *cs, uint64_t va, int mmu_idx)
{
    return va >> TARGET_PAGE_BITS &
           cs->neg.tlb.f[mmu_idx].mask >> CPU_TLB_ENTRY_BITS;
}

/*
 * Mode exact: QEMU's TLB has the page, as it has been filled with what the model
 * has, and only marked as to be asked for again.
 */
static bool is_filled(CPUX86State *env, uint64_t va, MMUAccessType access_type,
                      int mmu_idx)
{
    CPUState *cs = env_cpu(env);
    const CPUTLBEntry *entry =
        &cs->neg.tlb.f[mmu_idx].table[place_of(cs, va, mmu_idx)];
    uint64_t addr = entry->addr_idx[access_type];

    return addr != -1 && !((addr ^ va) & TARGET_PAGE_MASK);
}

/* Soon QEMU's TLB will be asked what it knows of @va. */
static void prefetch_full(CPUState *cs, uint64_t va, int mmu_idx)
{
    uintptr_t place = place_of(cs, va, mmu_idx);

    __builtin_prefetch(&cs->neg.tlb.d[mmu_idx].fulltlb[place]);
}

/* Whether QEMU's TLB has that translation, hidden, and shows it again. */
static bool show(CPUX86State *env, uint64_t va, hwaddr paddr, int prot,
                 int mmu_idx)
{
    return tlb_show_page(env_cpu(env), va & TARGET_PAGE_MASK,
                         paddr & TARGET_PAGE_MASK, cpu_get_mem_attrs(env),
                         prot, mmu_idx);
}

/* An access to @va, translated to @paddr, passes the caches, if there are any. */
static void pass(X86DsegTlb *tlb, MMUAccessType access_type, uint64_t va,
                 hwaddr paddr, DsegTlbOutcome outcome)
{
    DsegAccess access = x86_dseg_access_of(access_type);

    if (!tlb->caches) {
        return;
    }
    if (!tlb->exact) {
        if (x86_dseg_caches_seen(tlb->caches, va, paddr, access, outcome)) {
            x86_dseg_tlb_hide_data(tlb, va + TARGET_PAGE_SIZE);
        }
    } else if (access_type == MMU_INST_FETCH) {
        tlb->caches->fetched_hpa = paddr; /* passes in fetch.c */
    } else {
        x86_dseg_caches_access(tlb->caches, paddr, access);
    }
}

bool x86_dseg_do_access(CPUX86State *env, vaddr va, MMUAccessType access_type,
                        int mmu_idx)
{
    int idx = x86_dseg_plain_idx(mmu_idx);
    X86DsegTlb *tlb = env->dseg->tlb;
    DsegTlbSpace space;
    DsegTlbFound found;
    DsegTlbSpot spot;
    hwaddr paddr;
    int prot;

    if (!tlb || !may_refill(env, access_type, idx)) {
        return false;
    }
    prefetch_full(env_cpu(env), va, mmu_idx);
    space = x86_dseg_tlb_space(env);
    if (!dseg_tlb_find(tlb->model, space, va, kind_of(access_type), &found) ||
        !is_good(tlb, found.data, access_type, idx)) {
        return false;
    }
    paddr = va + found.data[DATA_OFFSET];
    prot = found.data[DATA_TAG] & 0xff;
    spot = dseg_tlb_hit(tlb->model, space, va, kind_of(access_type), &found);
    pass(tlb, access_type, va, paddr,
         found.level == DSEG_TLB_L1 ? DSEG_TLB_HIT_L1 : DSEG_TLB_HIT_L2);
    if (unlikely(tlb->exact)) {
        if (is_filled(env, va, access_type, mmu_idx)) {
            return true;
        }
    } else {
        x86_dseg_tlb_back(tlb, spot, va, mmu_idx);
        if (!sees_next(tlb, va, access_type) &&
            show(env, va, paddr, prot, mmu_idx)) {
            return true;
        }
    }
    tlb_set_page_with_attrs(env_cpu(env), va & TARGET_PAGE_MASK,
                            paddr & TARGET_PAGE_MASK, cpu_get_mem_attrs(env),
                            prot, mmu_idx, fill_size(tlb, va, access_type));
    return true;
}

/*
 * Whether stores may use the entry that the model has after this access: if not, the
 * next store has to come here, whatever the tables permit.
 * @found: the one that it has before, or NULL
 */
static bool stores_may_use(const DsegTlbFound *found, MMUAccessType access_type,
                           const DsegTlbPage *walked)
{
    if (access_type == MMU_DATA_STORE) {
        return true;
    }
    return found ? dseg_tlb_found_store(found)
                 : walked->store || walked->segments_only;
}

void x86_dseg_do_fill(CPUX86State *env, vaddr va, MMUAccessType access_type,
                      int mmu_idx, hwaddr paddr, int *prot, int *page_size)
{
    X86DsegTlb *tlb = env->dseg->tlb;
    X86DsegWalk *walk = &env->dseg->guest_walk;
    DsegTlbKind kind = kind_of(access_type);
    int idx = x86_dseg_plain_idx(mmu_idx);
    DsegTlbOutcome outcome;
    DsegTlbSpace space;
    DsegTlbFound found;
    DsegTlbPage page;
    DsegTlbSpot spot;
    bool hit;

    if (!tlb || idx >= MMU_PHYS_IDX || !tlb->pending) {
        return; /* no translation of a virtual address */
    }
    tlb->pending = false;
    if (!is_access(tlb, access_type)) {
        *page_size = fill_size(tlb, va, access_type);
        return;
    }
    space = x86_dseg_tlb_space(env);
    page = page_of(walk, walk->addr, access_type, idx, paddr, *prot);
    hit = dseg_tlb_find(tlb->model, space, walk->addr, kind, &found);
    if (!stores_may_use(hit ? &found : NULL, access_type, &page)) {
        *prot &= ~PAGE_WRITE;
        page.data[DATA_TAG] = tag(env, idx, *prot);
    }
    outcome = hit || found.in_the_way
              ? dseg_tlb_access(tlb->model, space, walk->addr, kind, &page,
                                &spot)
              : dseg_tlb_miss(tlb->model, space, walk->addr, kind, &page,
                              &spot);
    if (spot.slot != DSEG_TLB_NO_SLOT && !tlb->exact) {
        x86_dseg_tlb_back(tlb, spot, walk->addr, mmu_idx);
        /* LRU has to know which of the others are used from now on. */
        dseg_tlb_hide_candidates(tlb->model, spot, outcome);
    }
    if (outcome >= DSEG_TLB_HIT_SEGMENT) {
        x86_dseg_count_walk(walk, access_type, idx);
    }
    pass(tlb, access_type, va, paddr, outcome);
    *page_size = fill_size(tlb, va, access_type); /* it may be watched now */
}

bool x86_dseg_do_show(CPUX86State *env, vaddr va, hwaddr paddr, int prot,
                      int mmu_idx)
{
    X86DsegTlb *tlb = env->dseg->tlb;

    return tlb && !tlb->exact && x86_dseg_plain_idx(mmu_idx) < MMU_PHYS_IDX &&
           !sees_next(tlb, va, mmu_idx < X86_DSEG_FETCH_IDX ? MMU_DATA_LOAD
                                                            : MMU_INST_FETCH) &&
           show(env, va, paddr, prot, mmu_idx);
}

int x86_dseg_do_mmu_idx(CPUX86State *env, int mmu_idx)
{
    return env->dseg->tlb ? mmu_idx + X86_DSEG_FETCH_IDX : mmu_idx;
}
