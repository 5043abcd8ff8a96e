/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the escape filter's MSRs where it has another size than the
 * default, or any: which there are, and what they hold
 */

#include "model/registers.h"
#include "random.h"

#define PAGE UINT64_C(4096)

enum { FILTER_ADD = 0x44534703, FILTER0 };

/* What the tests are given: registers of a filter of so many bits. */
static DsegRegisters registers_of(gconstpointer bits)
{
    DsegRegisters r = { 0 };

    g_assert_true(dseg_filter_init(&r.escapes.filter, GPOINTER_TO_UINT(bits)));
    return r;
}

static unsigned words_of(gconstpointer bits)
{
    return GPOINTER_TO_UINT(bits) / 64;
}

static uint64_t read_msr(const DsegRegisters *r, uint32_t msr)
{
    uint64_t value = 0;

    g_assert_true(dseg_msr_read(r, msr, &value));
    return value;
}

static void write_msr(DsegRegisters *r, uint32_t msr, uint64_t value)
{
    g_assert_true(dseg_msr_write(r, msr, value, 40));
}

/* A word for each 64 bits, which keeps what is written; and no other. */
static void test_words_that_are_there(gconstpointer bits)
{
    DsegRegisters r = registers_of(bits);

    for (unsigned i = 0; i < words_of(bits); i++) {
        g_assert_cmphex(read_msr(&r, FILTER0 + i), ==, 0);
        write_msr(&r, FILTER0 + i, UINT64_MAX - i);
    }
    for (unsigned i = 0; i < words_of(bits); i++) {
        g_assert_cmphex(read_msr(&r, FILTER0 + i), ==, UINT64_MAX - i);
    }
    for (unsigned i = words_of(bits); i < 64; i++) {
        const DsegRegisters before = r;
        uint64_t value = 42;

        g_assert_false(dseg_msr_read(&r, FILTER0 + i, &value));
        g_assert_cmphex(value, ==, 42);
        g_assert_false(dseg_msr_write(&r, FILTER0 + i, 0, 40));
        g_assert_false(dseg_msr_write(&r, FILTER0 + i, 1, 40));
        g_assert_cmpmem(&r, sizeof(r), &before, sizeof(before));
    }
}

/* The words can be saved and loaded again: the filter is all in them. */
static void test_filter_is_its_words(gconstpointer bits)
{
    DsegRegisters r = registers_of(bits), other = registers_of(bits);

    for (uint64_t page = 1; page <= 5; page++) {
        write_msr(&r, FILTER_ADD, page * 0x1234 * PAGE);
    }
    for (unsigned i = 0; i < words_of(bits); i++) {
        write_msr(&other, FILTER0 + i, read_msr(&r, FILTER0 + i));
    }
    g_assert_true(dseg_filter_same(&r.escapes.filter, &other.escapes.filter));
    g_assert_true(dseg_filter_test(&other.escapes.filter, 5 * 0x1234 * PAGE));
}

/* The pages are known again once all words are 0, in whichever order. */
static void test_known_once_all_words_are_clear(gconstpointer bits)
{
    unsigned words = words_of(bits);

    for (unsigned first = 0; first < words; first++) {
        DsegRegisters r = registers_of(bits);

        for (unsigned i = 0; i < words; i++) {
            write_msr(&r, FILTER0 + i, 1);
        }
        for (unsigned i = 0; i < words; i++) {
            g_assert_true(r.escapes_unknown);
            write_msr(&r, FILTER0 + (first + i) % words, 0);
        }
        g_assert_false(r.escapes_unknown);
        write_msr(&r, FILTER_ADD, 7 * PAGE);
        g_assert_true(dseg_escapes_contains(&r.escapes, 7 * PAGE));
        g_assert_false(r.escapes_unknown);
    }
}

static void test_reset_keeps_the_size(gconstpointer bits)
{
    const DsegRegisters fresh = registers_of(bits);
    DsegRegisters r = fresh;

    for (unsigned i = 0; i < words_of(bits); i++) {
        write_msr(&r, FILTER0 + i, UINT64_MAX);
    }
    write_msr(&r, FILTER_ADD, PAGE);
    write_msr(&r, DSEG_MSR_BASE, PAGE);
    write_msr(&r, DSEG_MSR_LIMIT, 2 * PAGE);
    write_msr(&r, DSEG_MSR_OFFSET, PAGE);
    for (unsigned cr = DSEG_CR_BASE; cr < DSEG_CR_SELECT; cr++) {
        g_assert_true(dseg_cr_write(&r.control, cr, PAGE, 48));
    }
    g_assert_true(dseg_cr_write(&r.control, DSEG_CR_SELECT, 1, 48));

    dseg_registers_reset(&r);
    g_assert_cmpmem(&r, sizeof(r), &fresh, sizeof(fresh));
}

/* Random writes, against bits that are kept one by one. */
static void test_random_writes_equal_the_model(gconstpointer bits)
{
    unsigned words = words_of(bits), partition = GPOINTER_TO_UINT(bits) / 4;
    DsegRegisters r = registers_of(bits);
    g_autoptr(GRand) rand = random_new();
    bool bit[1024] = { false };
    unsigned seen[2] = { 0 };

    for (uint64_t n = random_rounds(5000); n && !g_test_failed(); n--) {
        uint64_t page = random_bits(rand, 28);

        if (random_below(rand, 4)) {
            for (unsigned i = 0; i < 4; i++) {
                unsigned hash = dseg_filter_hash(&r.escapes.filter, i, page);

                bit[i * partition + hash] = true;
            }
            write_msr(&r, FILTER_ADD, page * PAGE);
        } else {
            unsigned word = random_below(rand, words);
            uint64_t value = random_bool(rand) ? 0 : random_u64(rand);

            for (unsigned i = 0; i < 64; i++) {
                bit[word * 64 + i] = value >> i & 1;
            }
            write_msr(&r, FILTER0 + word, value);
        }
        for (unsigned i = 0; i < GPOINTER_TO_UINT(bits); i++) {
            g_assert_true((read_msr(&r, FILTER0 + i / 64) >> i % 64 & 1) ==
                          bit[i]);
        }
        for (unsigned probes = 0; probes < 20; probes++) {
            bool passes = true;

            page = random_bits(rand, 28);
            for (unsigned i = 0; i < 4; i++) {
                passes &= bit[i * partition +
                              dseg_filter_hash(&r.escapes.filter, i, page)];
            }
            g_assert_true(dseg_filter_test(&r.escapes.filter, page * PAGE) ==
                          passes);
            seen[passes]++;
        }
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 1000);
}

static const struct {
    const char *name;
    GTestDataFunc function;
} tests[] = {
    { "there-is-a-word-for-each-64-bits", test_words_that_are_there },
    { "filter-is-all-in-its-words", test_filter_is_its_words },
    { "known-once-all-words-are-clear", test_known_once_all_words_are_clear },
    { "reset-keeps-the-size", test_reset_keeps_the_size },
    { "random-writes-equal-the-model", test_random_writes_equal_the_model },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    for (unsigned bits = 64; bits <= 1024; bits *= 2) {
        for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
            g_autofree char *path = g_strdup_printf("/filter-registers/%u/%s",
                                                    bits, tests[i].name);

            g_test_add_data_func(path, GUINT_TO_POINTER(bits),
                                 tests[i].function);
        }
    }
    return g_test_run();
}
