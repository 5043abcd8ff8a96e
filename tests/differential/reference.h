/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One translation of an x86 CPU with direct segments, by the book: docs/spec
 * and AMD's Architecture Programmer's Manual (APM), volume 2, chapters 5 and
 * 15.25. It was written from these alone, so that it shares no mistakes with
 * what it is compared with.
 *
 * It knows 64-bit entries: long mode with 4 or 5 levels, PAE, and no paging;
 * the host is always in long mode. There are 1 GiB pages. System-management
 * mode is not known.
 */
#ifndef DIFFERENTIAL_REFERENCE_H
#define DIFFERENTIAL_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

/* The numbers are those of CR12 (docs/spec/counters.rst). */
enum ref_kind { REF_LOAD = 1, REF_STORE, REF_FETCH };

enum ref_regime {
    REF_NATIVE = 1, REF_NATIVE_DIRECT, REF_BASE, REF_VMM_DIRECT,
    REF_GUEST_DIRECT, REF_DUAL_DIRECT, REF_MIXED,
};

enum ref_fault {
    REF_NO_FAULT,
    REF_NON_CANONICAL,              /* #GP(0) or #SS(0) */
    REF_PF_NOT_PRESENT = 8, REF_PF_PROTECTION, REF_PF_RESERVED,
    REF_NPF_FINAL, REF_NPF_TABLE,
};

struct ref_segment {
    uint64_t base, limit, offset;
};

/* What governs one dimension. cr0 and cr3 of the host: cr0 is ignored, nCR3. */
struct ref_paging {
    uint64_t cr0, cr3, cr4, efer;
};

/* Of the largest filter. */
#define REF_FILTER_WORDS 16

/* The constants of the filter's hash functions, which ref_hash_init() makes. */
struct ref_hash {
    uint8_t row[4][40];
};

struct ref_state {
    struct ref_paging guest;        /* of the CPU, in guest mode the guest's */
    struct ref_paging host;
    bool nested;                    /* guest mode with nested paging */
    unsigned maxphyaddr;            /* bits */
    uint32_t pkru;
    struct ref_segment guest_segment, vmm_segment;
    unsigned filter_bits;           /* its size */
    uint64_t filter[REF_FILTER_WORDS];
    const struct ref_hash *hash;
    /*
     * gPAs written to FILTER_ADD since the filter was empty, if they are known.
     */
    const uint64_t *added;
    unsigned added_count;
    bool added_known;
};

struct ref_access {
    uint64_t gva;
    enum ref_kind kind;
    bool user;                      /* CPL 3, and not an implicit access */
    bool implicit;                  /* by the CPU itself: of a descriptor */
    bool ac;                        /* EFLAGS.AC */
};

/* Reads the 8 bytes at an hPA. */
struct ref_memory {
    uint64_t (*read)(void *opaque, uint64_t hpa);
    void *opaque;
};

/*
 * Accessed and dirty bits of a page-table entry that the access sets. Where
 * "certain" is false, the access faults there or later on: the manual leaves
 * open whether A is set then.
 */
struct ref_update {
    uint64_t hpa, bits;
    bool certain;
};

/* Each of up to 5 guest entries and 6 gPAs, with up to 5 nested entries. */
#define REF_MAX_UPDATES (5 + 6 * 5)

struct ref_result {
    enum ref_fault fault;
    uint64_t hpa;                   /* where it arrives, if there is no fault */
    uint64_t error;                 /* of #PF: error code; of #NPF: EXITINFO1 */
    uint64_t address;               /* of #PF: CR2; of #NPF: EXITINFO2 */
    enum ref_regime regime;         /* if there is no fault, as the next line */
    unsigned checks, filter_lookups, escapes, false_escapes;
    unsigned guest_refs, nested_refs;
    unsigned updates;
    struct ref_update update[REF_MAX_UPDATES];
};

/* Make the constants of the hash functions (docs/spec/registers.rst). */
void ref_hash_init(struct ref_hash *hash);

/* Whether the page of a gPA passes the filter. */
bool ref_filter_passes(const struct ref_state *state, uint64_t gpa);

/*
 * The four bits that FILTER_ADD sets for a gPA, from the first of FILTER0 on;
 * hash and filter_bits of the state are all that matters.
 */
void ref_filter_bits(const struct ref_state *state, uint64_t gpa,
                     unsigned bit[4]);

/* Translate the first byte of an access. Changes nothing but *result. */
void ref_translate(const struct ref_state *state,
                   const struct ref_access *access,
                   const struct ref_memory *memory, struct ref_result *result);

#endif
