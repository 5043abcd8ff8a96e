/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments, as software sees them (docs/spec/registers.rst,
 * counters.rst).
 */
#ifndef BARE_METAL_DSEG_H
#define BARE_METAL_DSEG_H

#include <stdint.h>

struct guest;

#define MSR_VMM_BASE 0x44534700
#define MSR_VMM_LIMIT 0x44534701
#define MSR_VMM_OFFSET 0x44534702
#define MSR_FILTER_ADD 0x44534703
#define MSR_FILTER(i) (0x44534704 + (i))
#define MAX_FILTER_WORDS 16
#define FILTER_HASHES 4

/* The highest physical address + 1 of the CPU that the tests run on. */
#define PHYSICAL_END (1ull << 40)

/* Fields of CR12. */
enum count {
    WALKS, GUEST_REFS, NESTED_REFS, CHECKS, LOOKUPS, ESCAPES, FALSE_ESCAPES,
    FAULTS_NOT_PRESENT = 8, FAULTS_PROTECTION, FAULTS_RESERVED, FAULTS_FINAL,
    FAULTS_TABLE, FAULTING_GUEST_REFS, FAULTING_NESTED_REFS,
};
enum regime {
    ALL_REGIMES, NATIVE, NATIVE_DIRECT, BASE, VMM_DIRECT, GUEST_DIRECT,
    DUAL_DIRECT, MIXED, REGIMES,
};
enum privilege { ALL_PRIVILEGES, USER, KERNEL };
enum access { ALL_ACCESSES, LOAD, STORE, FETCH };

extern const char *const dseg_regime_names[REGIMES];
extern const char *const dseg_access_names[FETCH + 1];

#define SELECTOR(count, regime, privilege, access)                      \
    ((uint64_t)(count) | (regime) << 4 | (privilege) << 8 | (access) << 10)

/* The segment of [start, start + size) that translates start to "to". */
struct segment {
    uint64_t base, limit, offset;
};

static inline struct segment segment(uint64_t start, uint64_t size, uint64_t to)
{
    return (struct segment) { start, start + size, to - start };
}

#define NO_SEGMENT ((struct segment) { 0, 0, 0 })

/*
 * This CPU's guest segment, that of a guest (in its VMCB), this CPU's VMM
 * segment.
 */
void set_own_segment(struct segment s);
void set_guest_segment(struct guest *guest, struct segment s);
void set_vmm_segment(struct segment s);

/*
 * The escape filter: how many words it has, by CPUID; empty it; let a page
 * escape; which bits a page has in it, one for each hash function; add these to
 * words of it.
 */
unsigned filter_words(void);
void filter_clear(void);
void filter_add(uint64_t gpa);
void filter_hash(uint64_t gpa, unsigned bits[FILTER_HASHES]);
void filter_bits(uint64_t gpa, uint64_t words[MAX_FILTER_WORDS]);

/* The last MSR that the CPU has of direct segments. */
static inline uint32_t msr_last(void)
{
    return MSR_FILTER(filter_words() - 1);
}

/* No segments, no escapes: what a test begins with. */
void dseg_reset(void);

/* One counter, through CR12 and CR13. */
uint64_t counter(uint64_t selector);

/* The counters of walks of one kind, WALKS to FALSE_ESCAPES, in each regime. */
struct costs {
    enum privilege privilege;
    enum access access;
    uint64_t count[REGIMES][FALSE_ESCAPES + 1];
};

/* What one walk costs. */
struct cost {
    enum regime regime;
    unsigned guest_refs, nested_refs, checks, lookups, escapes, false_escapes;
};

/* Read the counters now; the rest compares with them. */
struct costs costs_now(enum privilege privilege, enum access access);

/*
 * Expect that since then there was one walk of that kind, with that cost. Where
 * the kernel's accesses in a guest are meant, native ones do not matter: L1's
 * own are among them.
 */
void expect_cost(const struct costs *before, const struct cost *cost);

#endif
