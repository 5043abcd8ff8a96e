/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Direct segments, as software sees them. */
#include "dseg.h"

#include "cpu.h"
#include "svm.h"
#include "tap.h"

#define LEAF 0x44534547
#define HASH_INPUTS 40
#define HASH_SEED 0x64736567

const char *const dseg_regime_names[REGIMES] = {
    [ALL_REGIMES] = "all", [NATIVE] = "native",
    [NATIVE_DIRECT] = "native-direct", [BASE] = "base",
    [VMM_DIRECT] = "vmm-direct", [GUEST_DIRECT] = "guest-direct",
    [DUAL_DIRECT] = "dual-direct", [MIXED] = "mixed",
};

const char *const dseg_access_names[FETCH + 1] = {
    [ALL_ACCESSES] = "all", [LOAD] = "load", [STORE] = "store",
    [FETCH] = "fetch",
};

/* LIMIT first and last, so that no other segment is in force in between. */
void set_own_segment(struct segment s)
{
    write_cr10(0);
    write_cr9(s.base);
    write_cr11(s.offset);
    write_cr10(s.limit);
}

void set_guest_segment(struct guest *guest, struct segment s)
{
    guest->vmcb->dseg_cr9 = s.base;
    guest->vmcb->dseg_cr10 = s.limit;
    guest->vmcb->dseg_cr11 = s.offset;
}

void set_vmm_segment(struct segment s)
{
    write_msr(MSR_VMM_LIMIT, 0);
    write_msr(MSR_VMM_BASE, s.base);
    write_msr(MSR_VMM_OFFSET, s.offset);
    write_msr(MSR_VMM_LIMIT, s.limit);
}

unsigned filter_words(void)
{
    return cpuid(LEAF, 0).ecx & 0xff;
}

void filter_clear(void)
{
    for (unsigned i = 0; i < filter_words(); i++) {
        write_msr(MSR_FILTER(i), 0);
    }
}

void filter_add(uint64_t gpa)
{
    write_msr(MSR_FILTER_ADD, gpa);
}

void dseg_reset(void)
{
    set_own_segment(NO_SEGMENT);
    set_vmm_segment(NO_SEGMENT);
    filter_clear();
}

/* The generator that the constants of the hash functions come from. */
static uint64_t splitmix64(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ull;
    uint64_t y = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    uint64_t z = (y ^ (y >> 27)) * 0x94d049bb133111ebull;

    return z ^ (z >> 31);
}

void filter_hash(uint64_t gpa, unsigned bits[FILTER_HASHES])
{
    unsigned partition = filter_words() * 64 / FILTER_HASHES;
    uint64_t state = HASH_SEED;

    for (unsigned i = 0; i < FILTER_HASHES; i++) {
        unsigned hash = 0;

        for (unsigned j = 0; j < HASH_INPUTS; j++) {
            uint64_t output;

            do {
                output = splitmix64(&state);
            } while (!(output >> 58));
            if (gpa >> (12 + j) & 1) {
                hash ^= output >> 56;
            }
        }
        bits[i] = i * partition + hash / (256 / partition);
    }
}

void filter_bits(uint64_t gpa, uint64_t words[MAX_FILTER_WORDS])
{
    unsigned bits[FILTER_HASHES];

    filter_hash(gpa, bits);
    for (unsigned i = 0; i < FILTER_HASHES; i++) {
        words[bits[i] / 64] |= BIT(bits[i] % 64);
    }
}

uint64_t counter(uint64_t selector)
{
    write_cr12(selector);
    return read_cr13();
}

struct costs costs_now(enum privilege privilege, enum access access)
{
    struct costs costs = { .privilege = privilege, .access = access };

    for (unsigned regime = ALL_REGIMES; regime < REGIMES; regime++) {
        for (unsigned count = WALKS; count <= FALSE_ESCAPES; count++) {
            costs.count[regime][count] = counter(
                SELECTOR(count, regime, privilege, access));
        }
    }
    return costs;
}

static void expect_counts(const struct costs *before, const struct costs *after,
                          enum regime regime, const uint64_t *expected)
{
    static const char *const names[] = {
        "walks", "guest refs", "nested refs", "checks", "filter lookups",
        "escapes", "false escapes",
    };

    for (unsigned i = WALKS; i <= FALSE_ESCAPES; i++) {
        expect(names[i], expected[i],
               after->count[regime][i] - before->count[regime][i]);
    }
}

void expect_cost(const struct costs *before, const struct cost *cost)
{
    const uint64_t expected[] = {
        1, cost->guest_refs, cost->nested_refs, cost->checks, cost->lookups,
        cost->escapes, cost->false_escapes,
    };
    struct costs after = costs_now(before->privilege, before->access);
    bool own_walks = before->privilege == KERNEL && cost->regime >= BASE;

    expect_counts(before, &after, cost->regime, expected);
    for (unsigned regime = own_walks ? BASE : NATIVE; regime < REGIMES;
         regime++) {
        if (regime != cost->regime) {
            expect("walks in another regime", before->count[regime][WALKS],
                   after.count[regime][WALKS]);
        }
    }
    if (!own_walks) {
        expect_counts(before, &after, ALL_REGIMES, expected);
    }
}
