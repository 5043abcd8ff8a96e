/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of CR12 and CR13: which selectors there are, and what each reads
 *
 * Expectations are from the table in docs/spec/counters.rst.
 */

#include "random.h"
#include "model/counter-select.h"

/* The fields of CR12, by their values in the table. */
enum { COUNTS = 16, REGIMES = 16, PRIVILEGES = 4, ACCESSES = 4 };
enum { WALK_CYCLES = 7, FIRST_FAULT = 8, FAULT_GUEST_REFS = 13,
       FAULT_NESTED_REFS = 14, DATA_CYCLES = 15 };

/* All that can be read. */
typedef struct All {
    DsegCounters counters;
    DsegCycles cycles;
} All;

static const DsegRegime regime_of[] = {
    [1] = DSEG_NATIVE, [2] = DSEG_NATIVE_DIRECT, [3] = DSEG_BASE,
    [4] = DSEG_VMM_DIRECT, [5] = DSEG_GUEST_DIRECT, [6] = DSEG_DUAL_DIRECT,
    [7] = DSEG_MIXED,
};

static const DsegPrivilege privilege_of[] = {
    [1] = DSEG_USER, [2] = DSEG_KERNEL,
};

static const DsegAccess access_of[] = {
    [1] = DSEG_LOAD, [2] = DSEG_STORE, [3] = DSEG_FETCH,
};

static const DsegFault fault_of[] = {
    [8] = DSEG_FAULT_NOT_PRESENT, [9] = DSEG_FAULT_PROTECTION,
    [10] = DSEG_FAULT_RESERVED, [11] = DSEG_FAULT_NESTED_FINAL,
    [12] = DSEG_FAULT_NESTED_TABLE,
};

typedef struct Fields {
    unsigned count, regime, privilege, access;
} Fields;

static uint64_t selector(Fields f)
{
    return f.count | f.regime << 4 | f.privilege << 8 | f.access << 10;
}

/* Every value of bits 11:0. */
static void for_each(void (*visit)(Fields fields, gpointer data), gpointer data)
{
    for (unsigned c = 0; c < COUNTS; c++) {
        for (unsigned r = 0; r < REGIMES; r++) {
            for (unsigned p = 0; p < PRIVILEGES; p++) {
                for (unsigned a = 0; a < ACCESSES; a++) {
                    visit((Fields) { c, r, p, a }, data);
                }
            }
        }
    }
}

static bool is_valid(Fields f)
{
    if (f.count >= FIRST_FAULT) {
        return !f.regime && !f.privilege && !f.access;
    }
    return f.regime <= 7 && f.privilege <= 2;
}

static void check_valid(Fields f, gpointer data)
{
    unsigned *valid = data;

    g_assert_true(dseg_counter_select_valid(selector(f)) == is_valid(f));
    *valid += is_valid(f);
}

static void test_valid(void)
{
    unsigned valid = 0;

    for_each(check_valid, &valid);
    /* So that the loop itself is right: the product of the table's lines. */
    g_assert_cmpuint(valid, ==, 8 * 8 * 3 * 4 + 8);
}

static void test_high_bits_are_invalid(void)
{
    for (uint64_t select = 0; select <= 0xfff; select++) {
        for (unsigned bit = 12; bit < 64; bit++) {
            g_assert_false(dseg_counter_select_valid(select | UINT64_C(1) << bit));
        }
    }
}

static void test_random_wide_values_are_invalid(void)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(100000); n && !g_test_failed(); n--) {
        uint64_t select = random_edge(rand);

        if (select > 0xfff) {
            g_assert_false(dseg_counter_select_valid(select));
        }
    }
}

static uint64_t field(const DsegTally *tally, unsigned count)
{
    const uint64_t value[] = {
        tally->walks, tally->guest_refs, tally->nested_refs, tally->checks,
        tally->filter_lookups, tally->escapes, tally->false_escapes,
    };

    return value[count];
}

static uint64_t cell(const All *all, unsigned r, unsigned p, unsigned a,
                     unsigned count)
{
    return count == WALK_CYCLES ?
           all->cycles.walks[regime_of[r]][access_of[a]][privilege_of[p]] :
           field(&all->counters.tally[regime_of[r]][access_of[a]]
                                     [privilege_of[p]], count);
}

static uint64_t expected_sum(const All *all, Fields f)
{
    uint64_t sum = 0;

    for (unsigned r = 1; r < G_N_ELEMENTS(regime_of); r++) {
        for (unsigned p = 1; p < G_N_ELEMENTS(privilege_of); p++) {
            for (unsigned a = 1; a < G_N_ELEMENTS(access_of); a++) {
                if ((!f.regime || f.regime == r) &&
                    (!f.privilege || f.privilege == p) &&
                    (!f.access || f.access == a)) {
                    sum += cell(all, r, p, a, f.count);
                }
            }
        }
    }
    return sum;
}

static uint64_t expected_read(const All *all, Fields f)
{
    const DsegCounters *c = &all->counters;

    switch (f.count) {
    case FAULT_GUEST_REFS:
        return c->fault_guest_refs;
    case FAULT_NESTED_REFS:
        return c->fault_nested_refs;
    case FIRST_FAULT ... FAULT_GUEST_REFS - 1:
        return c->faults[fault_of[f.count]];
    case DATA_CYCLES:
        return all->cycles.data;
    default:
        return expected_sum(all, f);
    }
}

static void check_read(Fields f, gpointer data)
{
    const All *all = data;

    if (is_valid(f)) {
        g_assert_cmphex(dseg_counter_select_read(&all->counters, &all->cycles,
                                                 selector(f)), ==,
                        expected_read(all, f));
    }
}

/*
 * With random numbers of 57 bits in all counters, no two sums of different ones
 * are the same, and none of all 42 of a kind overflows.
 */
static void test_read(void)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(20); n && !g_test_failed(); n--) {
        union {
            All all;
            uint64_t word[sizeof(All) / sizeof(uint64_t)];
        } all;

        for (unsigned i = 0; i < G_N_ELEMENTS(all.word); i++) {
            all.word[i] = random_bits(rand, 57);
        }
        for_each(check_read, &all.all);
    }
}

/* On the heap, where the sanitizer sees a read beside the counters. */
static void test_read_of_nothing_is_zero(void)
{
    g_autofree DsegCounters *zeros = g_new0(DsegCounters, 1);

    for (unsigned select = 0; select <= 0xfff; select++) {
        if (dseg_counter_select_valid(select)) {
            g_assert_cmpuint(dseg_counter_select_read(zeros, NULL, select), ==,
                             0);
        }
    }
}

static void test_cycles_are_zero_without_caches(void)
{
    g_autofree DsegCounters *counters = g_malloc(sizeof(*counters));

    memset(counters, 0x5a, sizeof(*counters));
    g_assert_cmpuint(dseg_counter_select_read(counters, NULL, WALK_CYCLES), ==,
                     0);
    g_assert_cmpuint(dseg_counter_select_read(counters, NULL, DATA_CYCLES), ==,
                     0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/select/all-4096-values-are-valid-as-specified",
                    test_valid);
    g_test_add_func("/select/bits-63-to-12-are-invalid",
                    test_high_bits_are_invalid);
    g_test_add_func("/select/random-wide-values-are-invalid",
                    test_random_wide_values_are_invalid);
    g_test_add_func("/select/each-reads-the-sum-it-names", test_read);
    g_test_add_func("/select/fresh-counters-read-zero",
                    test_read_of_nothing_is_zero);
    g_test_add_func("/select/cycles-are-zero-without-caches",
                    test_cycles_are_zero_without_caches);
    return g_test_run();
}
