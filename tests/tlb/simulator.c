/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A CPU's TLB, driven by what the CPU has done. */
#include "simulator.h"

#include <string.h>

#include "walks.h"

#define CR0_PG (1ull << 31)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_PGE (1ull << 7)
#define CR4_PCIDE (1ull << 17)
#define CR3_KEEP (1ull << 63)
#define PAGE 4096ull

#define TLB_CONTROL_ALL 1
#define TLB_CONTROL_ASID 3
#define TLB_CONTROL_NONGLOBAL 7

const char *const cause_names[CAUSES] = {
    "mov-cr3", "invlpg", "invpcid-address", "invpcid-context", "invpcid-all",
    "invpcid-all-nonglobal", "invlpga", "tlb-control", "cr0", "cr4",
    "guest-segment", "vmm-segment", "page-fault",
};

const char *simulator_init(struct simulator *s, uint64_t ram_size)
{
    const char *wrong;

    s->passing.privilege = PRIVILEGE_KERNEL;
    world_init(&s->world, ram_size);
    walk_cache_init(&s->guest_cache);
    walk_cache_init(&s->nested_cache);
    wrong = hierarchy_init(&s->tlb);
    return wrong ? wrong : caches_init(&s->passing.caches);
}

void simulator_free(struct simulator *s)
{
    hierarchy_free(&s->tlb);
    walk_cache_free(&s->guest_cache);
    walk_cache_free(&s->nested_cache);
    caches_free(&s->passing.caches);
    world_free(&s->world);
}

static void clear_counts(struct walk_cache *cache)
{
    cache->lookups = 0;
    memset(cache->hits, 0, sizeof(cache->hits));
}

void simulator_begin(struct simulator *s)
{
    clear_counts(&s->guest_cache);
    clear_counts(&s->nested_cache);
    passing_begin(&s->passing);
    s->counts = (struct counts) { 0 };
    for (unsigned i = 0; i < s->tlb.arrays; i++) {
        s->tlb.array[i].evictions = 0;
    }
}

static void fail(struct simulator *s, const char *error)
{
    if (!s->error) {
        s->error = error;
    }
}

/* -- Lookups -- */

/*
 * The entry that an access hits, or NULL. One that stores may not use is a miss
 * of a store, and is gone.
 */
static struct entry *lookup(struct simulator *s, unsigned level,
                            uint64_t address, enum kind kind)
{
    struct entry *entry = hierarchy_probe(&s->tlb, level, kind, address,
                                          world_asid(&s->world),
                                          world_pcid(&s->world));

    if (!entry) {
        return NULL;
    }
    if (kind == STORE && !entry->store) {
        entry->valid = false;
        s->counts.dirty_misses[level]++;
        return NULL;
    }
    s->counts.hits[level][kind][entry->pages]++;
    hierarchy_touch(&s->tlb, entry);
    return entry;
}

static struct entry entry_of(const struct simulator *s, uint64_t address,
                             const struct translation *t)
{
    return (struct entry) {
        .address = address & -page_bytes(t->pages), .pages = t->pages,
        .mapping = t->mapping,
        .asid = world_asid(&s->world), .pcid = world_pcid(&s->world),
        .global = t->global && !t->by_segments_alone,
        .store = t->store || t->by_segments_alone,
    };
}

/* -- The rest of an access -- */

/* Neither L1 nor a segment beside it has the address. */
static void after_l1_miss(struct simulator *s, uint64_t address, enum kind kind,
                          const struct translation *t)
{
    struct entry *found = lookup(s, 2, address, kind);
    struct entry page = found ? *found : entry_of(s, address, t);

    s->counts.misses[1][kind][page.pages]++;
    if (!found) {
        s->counts.misses[2][kind][page.pages]++;
        if (t->by_segments_alone) {
            s->counts.segment_hits[kind]++;
        } else {
            s->counts.walks[kind]++;
            s->counts.guest_refs += t->result.guest_refs;
            s->counts.nested_refs += t->result.nested_refs;
            world_set_bits(&s->world, t);
            walk_end(s, address, kind, t);
            hierarchy_fill(&s->tlb, 2, kind, address, &page);
        }
    }
    hierarchy_fill(&s->tlb, 1, kind, address, &page);
}

/* The hPA of the address. */
static uint64_t access(struct simulator *s, uint64_t address, enum kind kind)
{
    bool inclusive = s->passing.only_l1_misses;
    bool passes = !inclusive && kind != FETCH;
    enum answer answer = L1_HIT;
    struct translation t;

    world_translate(&s->world, address, kind, &t);
    if (t.faults) {
        fail(s, "an access faults here that did not fault there");
        return t.hpa;
    }
    if (!world_uses_tlb(&s->world)) {
        return t.hpa;           /* the address is physical */
    }
    if (s->segments_beside_l1 && t.by_segments_alone) {
        s->counts.segment_hits_l1[kind]++;
        answer = BESIDE_L1;
    } else if (!lookup(s, 1, address, kind)) {
        after_l1_miss(s, address, kind, &t);
        answer = L1_MISS;
    }
    if (passes || (answer == L1_MISS && inclusive)) {
        pass_access(&s->passing, kind, t.hpa);
    }
    if (inclusive && kind != FETCH) {
        pass_watched(&s->passing, kind, answer, address, t.hpa);
    }
    return t.hpa;
}

/* -- What an instruction does -- */

void simulator_privilege(struct simulator *s, unsigned cpl)
{
    s->passing.privilege = cpl == 3 ? PRIVILEGE_USER : PRIVILEGE_KERNEL;
}

void simulator_instruction(struct simulator *s, uint64_t pc, unsigned size)
{
    bool in_any_case = !s->fetched;
    uint64_t first = 0;

    for (uint64_t byte = pc; byte != pc + size; byte++) {
        if (!s->fetched || s->fetched_page != byte / PAGE) {
            s->fetched_frame = access(s, byte, FETCH) / PAGE;
            s->fetched = true;
            s->fetched_page = byte / PAGE;
        }
        if (byte == pc) {
            first = s->fetched_frame * PAGE + byte % PAGE;
        }
    }
    if (!s->passing.only_l1_misses && world_uses_tlb(&s->world)) {
        pass_instruction(&s->passing, first, in_any_case);
    }
}

/* The bytes of an access in its first page. */
static unsigned in_first_page(uint64_t address, unsigned size)
{
    uint64_t left = PAGE - address % PAGE;

    return size < left ? size : left;
}

void simulator_load(struct simulator *s, uint64_t address, unsigned size)
{
    unsigned first = in_first_page(address, size);

    access(s, address, LOAD);
    if (first < size) {
        access(s, address + first, LOAD);
    }
}

void simulator_store(struct simulator *s, uint64_t address, unsigned size,
                     const void *value)
{
    unsigned first = in_first_page(address, size);
    uint64_t hpa = access(s, address, STORE);
    uint64_t second = first < size ? access(s, address + first, STORE) : 0;

    /* A store to what is not RAM, such as a device, changes no page table. */
    world_write(&s->world, hpa, value, first);
    if (first < size) {
        world_write(&s->world, second, (const char *)value + first,
                    size - first);
    }
}

/* -- Invalidations -- */

/* Which entries an operation removes; all conditions have to hold. */
struct which {
    bool any_asid, guests_only;
    unsigned asid;
    bool any_pcid, pcid_or_global;
    unsigned pcid;
    bool keep_global;
    bool any_address;
    uint64_t address;
};

static bool is_meant_asid(unsigned asid, const struct which *which)
{
    return which->guests_only ? asid != 0
                              : which->any_asid || asid == which->asid;
}

/* Whether the page that the entry is a piece of contains the address. */
static bool is_of(const struct entry *entry, uint64_t address)
{
    uint64_t bytes = page_bytes(entry->mapping);

    return entry->address / bytes == address / bytes;
}

static bool is_meant(const struct entry *entry, const struct which *which)
{
    bool pcid = which->any_pcid || entry->pcid == which->pcid ||
                (which->pcid_or_global && entry->global);
    bool address = which->any_address || is_of(entry, which->address);

    return entry->valid && is_meant_asid(entry->asid, which) && pcid &&
           address &&
           !(which->keep_global && entry->global);
}

static void invalidate_walks(struct walk_cache *cache,
                             const struct which *which, bool any_pcid)
{
    for (unsigned level = LOWEST_LEVEL; level <= TOP_LEVEL; level++) {
        for (unsigned i = 0; i < cache->entries[level]; i++) {
            struct walk_entry *entry = &cache->entry[level][i];

            if (is_meant_asid(entry->asid, which) &&
                (any_pcid || entry->pcid == which->pcid)) {
                entry->valid = false;
            }
        }
    }
}

static void invalidate_nested(struct simulator *s, const struct which *which)
{
    invalidate_walks(&s->nested_cache, which, true);
    for (unsigned i = 0; i < s->tlb.arrays; i++) {
        struct array *array = &s->tlb.array[i];

        for (unsigned j = 0; array->place == NESTED && j < array->entries;
             j++) {
            if (is_meant_asid(array->entry[j].asid, which)) {
                array->entry[j].valid = false;
            }
        }
    }
}

/* Whether what was cached of the nested dimension goes too. */
static bool concerns_nested(enum cause cause)
{
    return cause == CAUSE_TLB_CONTROL || cause == CAUSE_VMM_SEGMENT ||
           cause == CAUSE_INVLPGA;
}

static void invalidate(struct simulator *s, enum cause cause,
                       const struct which *which)
{
    s->counts.operations[cause]++;
    invalidate_walks(&s->guest_cache, which, which->any_pcid);
    if (concerns_nested(cause)) {
        invalidate_nested(s, which);
    }
    for (unsigned i = 0; i < s->tlb.arrays; i++) {
        struct array *array = &s->tlb.array[i];
        unsigned level = array->place == L1D || array->place == L1I ? 1 : 2;

        for (unsigned j = 0; array->place != NESTED && j < array->entries;
             j++) {
            if (is_meant(&array->entry[j], which)) {
                array->entry[j].valid = false;
                s->counts.removed[level][cause]++;
            }
        }
    }
    s->fetched = false;
}

static void all_of_asid(struct simulator *s, enum cause cause, unsigned asid,
                        bool keep_global)
{
    const struct which which = {
        .asid = asid, .any_pcid = true, .any_address = true,
        .keep_global = keep_global,
    };

    invalidate(s, cause, &which);
}

static void mov_cr3(struct simulator *s, uint64_t operand)
{
    bool pcide = s->world.state.cr4 & CR4_PCIDE;
    const struct which which = {
        .asid = world_asid(&s->world), .pcid = pcide ? operand & 0xfff : 0,
        .keep_global = true, .any_address = true,
    };

    passing_end_watches(&s->passing);
    /* With that bit it is no operation; a fetch follows all the same. */
    if (!pcide || !(operand & CR3_KEEP)) {
        invalidate(s, CAUSE_MOV_CR3, &which);
    }
    s->fetched = false;
}

/* What matches the address now. */
static void matching(struct simulator *s, enum cause cause, uint64_t address)
{
    const struct which which = {
        .asid = world_asid(&s->world), .pcid = world_pcid(&s->world),
        .pcid_or_global = true, .address = address,
    };

    invalidate(s, cause, &which);
}

static void invpcid(struct simulator *s, uint64_t type, uint64_t pcid,
                    uint64_t address)
{
    unsigned asid = world_asid(&s->world);
    struct which which = {
        .asid = asid, .pcid = pcid & 0xfff, .keep_global = true,
        .address = address,
    };

    switch (type) {
    case 0:
        invalidate(s, CAUSE_INVPCID_ADDRESS, &which);
        break;
    case 1:
        which.any_address = true;
        invalidate(s, CAUSE_INVPCID_CONTEXT, &which);
        break;
    case 2:
        all_of_asid(s, CAUSE_INVPCID_ALL, asid, false);
        break;
    case 3:
        all_of_asid(s, CAUSE_INVPCID_ALL_NONGLOBAL, asid, true);
        break;
    default:
        fail(s, "INVPCID has no such type");
    }
}

static void invlpga(struct simulator *s, uint64_t address, unsigned asid)
{
    const struct which which = {
        .asid = asid, .any_pcid = true, .address = address,
    };

    invalidate(s, CAUSE_INVLPGA, &which);
}

static void tlb_control(struct simulator *s, uint64_t control, unsigned asid)
{
    const struct which all = {
        .any_asid = true, .any_pcid = true, .any_address = true,
    };

    switch (control) {
    case 0:
        break;
    case TLB_CONTROL_ALL:
        invalidate(s, CAUSE_TLB_CONTROL, &all);
        break;
    case TLB_CONTROL_ASID:
        all_of_asid(s, CAUSE_TLB_CONTROL, asid, false);
        break;
    case TLB_CONTROL_NONGLOBAL:
        all_of_asid(s, CAUSE_TLB_CONTROL, asid, true);
        break;
    default:
        fail(s, "VMRUN has no such TLB_CONTROL");
    }
}

/* -- Changes of registers -- */

static void mov_cr0(struct simulator *s, const struct trace_state *after)
{
    if ((s->world.state.cr0 ^ after->cr0) & CR0_PG) {
        all_of_asid(s, CAUSE_CR0, world_asid(&s->world), false);
    }
}

static void mov_cr4(struct simulator *s, const struct trace_state *after)
{
    uint64_t before = s->world.state.cr4, changed = before ^ after->cr4;

    if (changed & (CR4_PAE | CR4_PSE | CR4_PGE) ||
        changed & before & CR4_PCIDE) {
        all_of_asid(s, CAUSE_CR4, world_asid(&s->world), false);
    }
}

static bool has_guest_segment(const struct trace_state *state)
{
    return state->cr9 < state->cr10;
}

static void mov_segment(struct simulator *s, const struct trace_state *after)
{
    const struct trace_state *before = &s->world.state;
    bool changed = before->cr9 != after->cr9 || before->cr10 != after->cr10 ||
                   before->cr11 != after->cr11;

    if (changed && (has_guest_segment(before) || has_guest_segment(after))) {
        all_of_asid(s, CAUSE_GUEST_SEGMENT, world_asid(&s->world), false);
    }
}

static bool has_vmm_segment(const struct trace_state *state)
{
    return state->vmm_base < state->vmm_limit;
}

static void wrmsr(struct simulator *s, const struct trace_state *after)
{
    const struct trace_state *before = &s->world.state;
    const struct which guests = {
        .guests_only = true, .any_pcid = true, .any_address = true,
    };
    bool changed = before->vmm_base != after->vmm_base ||
                   before->vmm_limit != after->vmm_limit ||
                   before->vmm_offset != after->vmm_offset ||
                   memcmp(before->filter, after->filter,
                          sizeof(before->filter));

    if (changed && (has_vmm_segment(before) || has_vmm_segment(after))) {
        invalidate(s, CAUSE_VMM_SEGMENT, &guests);
    }
}

void simulator_operation(struct simulator *s,
                         const struct trace_record *record,
                         const struct trace_state *after)
{
    const uint64_t *value = record->value;

    switch (record->operation) {
    case OPERATION_MOV_CR0:
        mov_cr0(s, after);
        break;
    case OPERATION_MOV_CR3:
        mov_cr3(s, value[0]);
        break;
    case OPERATION_MOV_CR4:
        mov_cr4(s, after);
        break;
    case OPERATION_MOV_SEGMENT:
        mov_segment(s, after);
        break;
    case OPERATION_WRMSR:
        wrmsr(s, after);
        break;
    case OPERATION_INVLPG:
        matching(s, CAUSE_INVLPG, record->address);
        break;
    case OPERATION_INVPCID:
        invpcid(s, value[0], value[1], record->address);
        break;
    case OPERATION_INVLPGA:
        invlpga(s, record->address, value[0]);
        break;
    case OPERATION_VMRUN:
        tlb_control(s, value[0], after->asid);
        passing_end_watches(&s->passing);
        s->fetched = false;
        break;
    case OPERATION_VMEXIT:
        passing_end_watches(&s->passing);
        s->fetched = false;
        break;
    case OPERATION_PAGE_FAULT:
        matching(s, CAUSE_PAGE_FAULT, record->address);
        break;
    default:
        fail(s, "an operation that nobody knows");
    }
    s->world.state = *after;
    if (!after->asid) {
        s->world.host = *after;
    }
}
