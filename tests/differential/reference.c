/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One translation of an x86 CPU with direct segments, by the book. */
#include "reference.h"

#define BIT(n) (1ull << (n))
#define BITS(high, low) ((BIT(high) - BIT(low)) | BIT(high))

#define CR0_WP BIT(16)
#define CR0_PG BIT(31)
#define CR4_LA57 BIT(12)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE BIT(22)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)

#define ENTRY_P BIT(0)
#define ENTRY_W BIT(1)
#define ENTRY_U BIT(2)
#define ENTRY_A BIT(5)
#define ENTRY_D BIT(6)
#define ENTRY_PS BIT(7)
#define ENTRY_NX BIT(63)
#define ENTRY_ADDRESS BITS(51, 12)
#define ENTRY_KEY(entry) ((entry) >> 59 & 15)

/* Bits of a #PF error code, and of #NPF's EXITINFO1. */
#define ERROR_P BIT(0)
#define ERROR_W BIT(1)
#define ERROR_U BIT(2)
#define ERROR_RSVD BIT(3)
#define ERROR_ID BIT(4)
#define ERROR_PK BIT(5)
#define ERROR_NPF_FINAL BIT(32)
#define ERROR_NPF_TABLE BIT(33)

/* A translation under way. */
struct walk {
    const struct ref_state *state;
    const struct ref_access *access;
    const struct ref_memory *memory;
    struct ref_result *result;
    bool by_guest_segment;
    /* gPAs so far, by what translated them. */
    unsigned by_nested_tables, by_vmm_segment;
};

/* What all entries on the way to a page allow together. */
struct rights {
    bool user, write, no_execute;
    unsigned key;
};

/* -- The filter -- */

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15;
    uint64_t y = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    uint64_t z = (y ^ y >> 27) * 0x94d049bb133111eb;

    return z ^ z >> 31;
}

void ref_hash_init(struct ref_hash *hash)
{
    uint64_t state = 0x64736567;

    for (unsigned n = 0; n < 4 * 40; n++) {
        uint64_t output;

        do {
            output = splitmix64(&state);
        } while (!(output >> 58));
        hash->row[n / 40][n % 40] = output >> 56;
    }
}

void ref_filter_bits(const struct ref_state *state, uint64_t gpa,
                     unsigned bit[4])
{
    unsigned partition = state->filter_bits / 4;
    uint64_t page = gpa >> 12;

    for (unsigned i = 0; i < 4; i++) {
        unsigned hash = 0;

        for (unsigned j = 0; j < 40; j++) {
            if (page >> j & 1) {
                hash ^= state->hash->row[i][j];
            }
        }
        bit[i] = i * partition + hash * partition / 256;
    }
}

bool ref_filter_passes(const struct ref_state *state, uint64_t gpa)
{
    unsigned bit[4];

    ref_filter_bits(state, gpa, bit);
    for (unsigned i = 0; i < 4; i++) {
        if (!(state->filter[bit[i] / 64] >> bit[i] % 64 & 1)) {
            return false;
        }
    }
    return true;
}

static bool is_false_escape(const struct ref_state *state, uint64_t gpa)
{
    if (!state->added_known) {
        return false;
    }
    for (unsigned i = 0; i < state->added_count; i++) {
        if (state->added[i] >> 12 == gpa >> 12) {
            return false;
        }
    }
    return true;
}

/* -- Page-table entries -- */

static bool is_long_mode(const struct ref_paging *paging)
{
    return paging->efer & EFER_LMA;
}

/* Whether error codes say that it was a fetch. */
static bool tells_fetches_apart(const struct ref_paging *paging)
{
    return paging->efer & EFER_NXE || paging->cr4 & CR4_SMEP;
}

static unsigned levels(const struct ref_paging *paging)
{
    return !is_long_mode(paging) ? 3 : paging->cr4 & CR4_LA57 ? 5 : 4;
}

/* The topmost of PAE's three entries: it has no rights, and is never a leaf. */
static bool is_pae_root(const struct ref_paging *paging, unsigned level)
{
    return level == 3 && !is_long_mode(paging);
}

static uint64_t page_size(unsigned level)
{
    return BIT(12 + 9 * (level - 1));
}

/* The root table's address. PAE has it aligned to 32 bytes. */
static uint64_t root(const struct ref_paging *paging)
{
    return is_long_mode(paging) ? paging->cr3 & ENTRY_ADDRESS
                                : paging->cr3 & BITS(31, 5);
}

static uint64_t entry_address(uint64_t table, uint64_t address, unsigned level)
{
    return table + 8 * (address >> (12 + 9 * (level - 1)) & 511);
}

static bool is_leaf(const struct ref_paging *paging, uint64_t entry,
                    unsigned level)
{
    return level == 1 ||
           (level <= 3 && entry & ENTRY_PS && !is_pae_root(paging, level));
}

/* The bits that must be 0 in an entry of that level (APM, 5.2 and 5.3). */
static uint64_t reserved(const struct ref_state *state,
                         const struct ref_paging *paging, uint64_t entry,
                         unsigned level)
{
    uint64_t bits = BITS(51, 0) & ~(BIT(state->maxphyaddr) - 1);

    if (is_pae_root(paging, level)) {
        return bits | BITS(63, 52) | BITS(8, 5) | BITS(2, 1);
    }
    if (!is_long_mode(paging)) {
        bits |= BITS(62, 52);
    }
    if (!(paging->efer & EFER_NXE)) {
        bits |= ENTRY_NX;
    }
    if (level >= 4) {
        bits |= BITS(8, 7);
    } else if (level > 1 && is_leaf(paging, entry, level)) {
        bits |= page_size(level) - BIT(13);         /* but for PAT, bit 12 */
    }
    return bits;
}

static uint64_t leaf_address(uint64_t entry, uint64_t address, unsigned level)
{
    uint64_t offset = page_size(level) - 1;

    return (entry & ENTRY_ADDRESS & ~offset) | (address & offset);
}

static void add_rights(struct rights *rights, uint64_t entry)
{
    rights->user = rights->user && entry & ENTRY_U;
    rights->write = rights->write && entry & ENTRY_W;
    rights->no_execute = rights->no_execute || entry & ENTRY_NX;
    rights->key = ENTRY_KEY(entry);     /* the last one is the leaf's */
}

static void add_update(struct ref_result *result, uint64_t hpa, uint64_t bits,
                       bool certain)
{
    result->update[result->updates++] = (struct ref_update) {
        hpa, bits, certain,
    };
}

/* What was noted as uncertain since update number "from" is sure now. */
static void make_certain(struct ref_result *result, unsigned from)
{
    for (unsigned i = from; i < result->updates; i++) {
        result->update[i].certain = true;
    }
}

/* -- The nested dimension -- */

static bool vmm_segment_in_force(const struct ref_state *state)
{
    return state->nested && state->vmm_segment.base < state->vmm_segment.limit;
}

static bool holds(const struct ref_segment *segment, uint64_t address)
{
    return segment->base <= address && address < segment->limit;
}

/* #NPF with these bits of P and RSVD; false, for the caller to return. */
static bool npf(struct walk *walk, uint64_t gpa, bool table, enum ref_kind kind,
                uint64_t error)
{
    struct ref_result *result = walk->result;
    bool tells_fetches = tells_fetches_apart(&walk->state->host);

    result->fault = table ? REF_NPF_TABLE : REF_NPF_FINAL;
    result->address = gpa;
    result->error = error | ERROR_U |
                    (table ? ERROR_NPF_TABLE : ERROR_NPF_FINAL) |
                    (kind == REF_STORE ? ERROR_W : 0) |
                    (kind == REF_FETCH && tells_fetches ? ERROR_ID : 0);
    return false;
}

static bool nested_allows(const struct rights *rights, enum ref_kind kind)
{
    return rights->user && (kind != REF_STORE || rights->write) &&
           (kind != REF_FETCH || !rights->no_execute);
}

static bool nested_walk(struct walk *walk, uint64_t gpa, bool table,
                        enum ref_kind kind, uint64_t *hpa)
{
    const struct ref_paging *host = &walk->state->host;
    struct rights rights = { .user = true, .write = true };
    uint64_t next = root(host);
    unsigned first_update = walk->result->updates;
    unsigned refs = 0;

    for (unsigned level = levels(host); ; level--) {
        uint64_t at = entry_address(next, gpa, level);
        uint64_t entry = walk->memory->read(walk->memory->opaque, at);

        refs++;
        if (!(entry & ENTRY_P)) {
            return npf(walk, gpa, table, kind, 0);
        }
        if (entry & reserved(walk->state, host, entry, level)) {
            add_update(walk->result, at, ENTRY_A, false);
            return npf(walk, gpa, table, kind, ERROR_P | ERROR_RSVD);
        }
        add_rights(&rights, entry);
        if (is_leaf(host, entry, level)) {
            if (!nested_allows(&rights, kind)) {
                add_update(walk->result, at, ENTRY_A, false);
                return npf(walk, gpa, table, kind, ERROR_P);
            }
            add_update(walk->result, at,
                       ENTRY_A | (kind == REF_STORE ? ENTRY_D : 0), true);
            *hpa = leaf_address(entry, gpa, level);
            break;
        }
        add_update(walk->result, at, ENTRY_A, false);
        next = entry & ENTRY_ADDRESS;
    }
    make_certain(walk->result, first_update);
    walk->result->nested_refs += refs;
    walk->by_nested_tables++;
    return true;
}

/* gPA to hPA, by the VMM segment or the nested tables; false if it faults. */
static bool nested(struct walk *walk, uint64_t gpa, bool table,
                   enum ref_kind kind, uint64_t *hpa)
{
    const struct ref_state *state = walk->state;

    if (!state->nested) {
        *hpa = gpa;
        return true;
    }
    if (vmm_segment_in_force(state)) {
        walk->result->checks += !walk->by_guest_segment;
        walk->result->filter_lookups++;
        if (holds(&state->vmm_segment, gpa)) {
            if (!ref_filter_passes(state, gpa)) {
                *hpa = gpa + state->vmm_segment.offset;
                if (*hpa >> state->maxphyaddr) {
                    return npf(walk, gpa, table, kind, ERROR_P | ERROR_RSVD);
                }
                walk->by_vmm_segment++;
                return true;
            }
            walk->result->escapes++;
            walk->result->false_escapes += is_false_escape(state, gpa);
        }
    }
    return nested_walk(walk, gpa, table, kind, hpa);
}

/* -- The guest dimension -- */

static bool guest_segment_in_force(const struct ref_state *state)
{
    return state->guest_segment.base < state->guest_segment.limit &&
           state->guest.cr0 & CR0_PG && is_long_mode(&state->guest);
}

/* #PF with these bits of P, RSVD and PK; false, for the caller to return. */
static bool pf(struct walk *walk, enum ref_fault fault, uint64_t error)
{
    const struct ref_paging *guest = &walk->state->guest;
    const struct ref_access *access = walk->access;
    bool tells_fetches = tells_fetches_apart(guest);

    walk->result->fault = fault;
    walk->result->address = access->gva;
    walk->result->error = error | (access->user ? ERROR_U : 0) |
        (access->kind == REF_STORE ? ERROR_W : 0) |
        (access->kind == REF_FETCH && tells_fetches ? ERROR_ID : 0);
    return false;
}

/* Whether U, W, NX of the entries, CR0.WP, SMEP and SMAP allow the access. */
static bool paging_allows(const struct ref_paging *guest,
                          const struct ref_access *access,
                          const struct rights *rights)
{
    if (access->kind == REF_FETCH) {
        return !rights->no_execute &&
               (access->user ? rights->user
                             : !(rights->user && guest->cr4 & CR4_SMEP));
    }
    if (access->user) {
        return rights->user && (access->kind == REF_LOAD || rights->write);
    }
    if (rights->user && guest->cr4 & CR4_SMAP &&
        (access->implicit || !access->ac)) {
        return false;
    }
    return access->kind == REF_LOAD || rights->write || !(guest->cr0 & CR0_WP);
}

/* Whether a user page's key forbids an access to data (APM, 5.6). */
static bool key_forbids(const struct ref_state *state,
                        const struct ref_access *access,
                        const struct rights *rights)
{
    const struct ref_paging *guest = &state->guest;
    bool no_access = state->pkru >> (2 * rights->key) & 1;
    bool no_write = state->pkru >> (2 * rights->key + 1) & 1;

    if (!(guest->cr4 & CR4_PKE) || !is_long_mode(guest) || !rights->user ||
        access->kind == REF_FETCH) {
        return false;
    }
    return no_access || (no_write && access->kind == REF_STORE &&
                         (access->user || guest->cr0 & CR0_WP));
}

static bool check_permissions(struct walk *walk, const struct rights *rights)
{
    bool forbidden = key_forbids(walk->state, walk->access, rights);

    if (forbidden ||
        !paging_allows(&walk->state->guest, walk->access, rights)) {
        return pf(walk, REF_PF_PROTECTION,
                  ERROR_P | (forbidden ? ERROR_PK : 0));
    }
    return true;
}

/* gVA to gPA by the guest segment, which is as a leaf with U, W and NX. */
static bool by_segment(struct walk *walk, uint64_t *gpa)
{
    const struct ref_state *state = walk->state;
    struct rights rights = {
        .user = true, .write = true,
        .no_execute = state->guest.efer & EFER_NXE,
    };

    *gpa = walk->access->gva + state->guest_segment.offset;
    if (*gpa >> state->maxphyaddr) {
        return pf(walk, REF_PF_RESERVED, ERROR_P | ERROR_RSVD);
    }
    return check_permissions(walk, &rights);
}

/* gVA to gPA by the page tables at CR3. */
static bool guest_walk(struct walk *walk, uint64_t *gpa)
{
    const struct ref_paging *guest = &walk->state->guest;
    struct ref_result *result = walk->result;
    struct rights rights = { .user = true, .write = true };
    uint64_t gva = walk->access->gva, next = root(guest);
    unsigned entries[5], n = 0;             /* numbers of their updates */

    for (unsigned level = levels(guest); ; level--) {
        uint64_t at, entry;

        if (!nested(walk, entry_address(next, gva, level), true, REF_STORE,
                    &at)) {
            return false;
        }
        entry = walk->memory->read(walk->memory->opaque, at);
        result->guest_refs++;
        if (!(entry & ENTRY_P)) {
            return pf(walk, REF_PF_NOT_PRESENT, 0);
        }
        if (entry & reserved(walk->state, guest, entry, level)) {
            add_update(result, at, ENTRY_A, false);
            return pf(walk, REF_PF_RESERVED, ERROR_P | ERROR_RSVD);
        }
        if (!is_pae_root(guest, level)) {
            add_rights(&rights, entry);
        }
        if (is_leaf(guest, entry, level)) {
            if (!check_permissions(walk, &rights)) {
                add_update(result, at, ENTRY_A, false);
                return false;
            }
            *gpa = leaf_address(entry, gva, level);
            add_update(result, at, ENTRY_A |
                       (walk->access->kind == REF_STORE ? ENTRY_D : 0), true);
            break;
        }
        if (!is_pae_root(guest, level)) {
            entries[n++] = result->updates;
            add_update(result, at, ENTRY_A, false);
        }
        next = entry & ENTRY_ADDRESS;
    }
    while (n) {
        result->update[entries[--n]].certain = true;
    }
    return true;
}

static bool to_gpa(struct walk *walk, uint64_t *gpa)
{
    const struct ref_state *state = walk->state;

    if (guest_segment_in_force(state)) {
        walk->result->checks++;
        if (holds(&state->guest_segment, walk->access->gva)) {
            walk->by_guest_segment = true;
            return by_segment(walk, gpa);
        }
    }
    if (state->guest.cr0 & CR0_PG) {
        return guest_walk(walk, gpa);
    }
    *gpa = walk->access->gva;
    return true;
}

/* -- The whole -- */

static bool is_canonical(const struct ref_paging *guest, uint64_t gva)
{
    uint64_t high = BITS(63, guest->cr4 & CR4_LA57 ? 56 : 47);

    return !is_long_mode(guest) || (gva & high) == 0 || (gva & high) == high;
}

/* What translated it (docs/spec/counters.rst, "What one walk costs"). */
static enum ref_regime regime(const struct walk *walk)
{
    if (!walk->state->nested) {
        return walk->by_guest_segment ? REF_NATIVE_DIRECT : REF_NATIVE;
    }
    if (walk->by_guest_segment) {
        return walk->by_vmm_segment ? REF_DUAL_DIRECT : REF_GUEST_DIRECT;
    }
    if (!walk->by_vmm_segment) {
        return REF_BASE;
    }
    return walk->by_nested_tables ? REF_MIXED : REF_VMM_DIRECT;
}

void ref_translate(const struct ref_state *state,
                   const struct ref_access *access,
                   const struct ref_memory *memory, struct ref_result *result)
{
    struct walk walk = {
        .state = state, .access = access, .memory = memory, .result = result,
    };
    uint64_t gpa = 0;

    /* All but the many updates: their number says which are there. */
    result->fault = REF_NO_FAULT;
    result->hpa = result->error = result->address = 0;
    result->regime = 0;
    result->checks = result->filter_lookups = 0;
    result->escapes = result->false_escapes = 0;
    result->guest_refs = result->nested_refs = 0;
    result->updates = 0;
    if (state->guest.cr0 & CR0_PG &&
        !is_canonical(&state->guest, access->gva)) {
        result->fault = REF_NON_CANONICAL;
        return;
    }
    if (to_gpa(&walk, &gpa) &&
        nested(&walk, gpa, false, access->kind, &result->hpa)) {
        result->regime = regime(&walk);
    }
}
