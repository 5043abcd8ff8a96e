/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the registers: what may be written, what that changes, and when
 * false escapes can be told
 *
 * Expectations are from docs/spec/registers.rst.
 */

#include "model/page-tables.h"
#include "random.h"
#include "model/registers.h"

#define PAGE UINT64_C(0x1000)
#define PHYS UINT64_C(0x10000000000)    /* 2^40: MAXPHYADDR of most cases */
#define LOW48 (UINT64_C(1) << 47)
#define HIGH48 (-LOW48)
#define LOW57 (UINT64_C(1) << 56)
#define HIGH57 (-LOW57)

typedef unsigned __int128 Wide;

enum { BASE, LIMIT, OFFSET, FILTER_ADD, FILTER0, MSRS = FILTER0 + 4 };

static uint32_t msr(unsigned i)
{
    return UINT32_C(0x44534700) + i;
}

/* What 1 to 4 writes must not have left as it was, or must have. */
static const DsegControl some_control = {
    .guest = { .base = PAGE, .limit = 9 * PAGE, .offset = 3 * PAGE },
    .select = 1,
};

static DsegRegisters some_registers(void)
{
    DsegRegisters r = {
        .control = some_control,
        .vmm = { .base = 2 * PAGE, .limit = 8 * PAGE, .offset = 5 * PAGE },
    };

    g_assert_cmpint(dseg_escapes_add(&r.escapes, 4 * PAGE, 40), ==,
                    DSEG_ESCAPE_OK);
    return r;
}

/* The width of addresses. */

static bool model_canonical(uint64_t addr, unsigned virt_bits)
{
    Wide half = (Wide)1 << (virt_bits - 1);

    return addr < half || addr >= ((Wide)1 << 64) - half;
}

static void test_canonical_edges(void)
{
    static const struct { uint64_t addr; bool at_48, at_57; } cases[] = {
        { 0, true, true }, { UINT64_MAX, true, true },
        { LOW48 - 1, true, true }, { LOW48, false, true },
        { HIGH48, true, true }, { HIGH48 - 1, false, true },
        { LOW57 - 1, false, true }, { LOW57, false, false },
        { HIGH57, false, true }, { HIGH57 - 1, false, false },
        { UINT64_C(1) << 63, false, false },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_true(dseg_canonical(cases[i].addr, 48) == cases[i].at_48);
        g_assert_true(dseg_canonical(cases[i].addr, 57) == cases[i].at_57);
    }
}

static void test_canonical_equals_model(void)
{
    g_autoptr(GRand) rand = random_new();
    unsigned seen[2] = { 0 };

    for (uint64_t n = random_rounds(200000); n && !g_test_failed(); n--) {
        unsigned virt_bits = random_bool(rand) ? 48 : 57;
        uint64_t addr = random_edge(rand);
        bool expected = model_canonical(addr, virt_bits);

        g_assert_true(dseg_canonical(addr, virt_bits) == expected);
        seen[expected]++;
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 1000);
}

/* Control registers. */

typedef struct CrCase {
    const char *name;
    bool allowed;
    unsigned cr;
    uint64_t value;
    unsigned virt_bits;
} CrCase;

static const CrCase cr_cases[] = {
    { "cr9-zero", true, 9, 0, 48 },
    { "cr9-page", true, 9, PAGE, 48 },
    { "cr9-one", false, 9, 1, 48 },
    { "cr9-half-a-page", false, 9, PAGE + 0x800, 48 },
    { "cr9-last-byte", false, 9, 2 * PAGE - 1, 48 },
    { "cr9-end-of-lower-half", true, 9, LOW48 - PAGE, 48 },
    { "cr9-past-lower-half", false, 9, LOW48, 48 },
    { "cr9-before-upper-half", false, 9, HIGH48 - PAGE, 48 },
    { "cr9-upper-half", true, 9, HIGH48, 48 },
    { "cr9-last-page", true, 9, -PAGE, 48 },
    { "cr9-57-bits-with-la57", true, 9, LOW48, 57 },
    { "cr9-end-of-lower-half-with-la57", true, 9, LOW57 - PAGE, 57 },
    { "cr9-past-lower-half-with-la57", false, 9, LOW57, 57 },
    { "cr9-before-upper-half-with-la57", false, 9, HIGH57 - PAGE, 57 },
    { "cr9-upper-half-with-la57", true, 9, HIGH57, 57 },
    { "cr10-zero", true, 10, 0, 48 },
    { "cr10-unaligned", false, 10, PAGE + 8, 48 },
    { "cr10-end-of-lower-half", true, 10, LOW48 - PAGE, 48 },
    { "cr10-past-lower-half", false, 10, LOW48, 48 },
    { "cr10-upper-half", true, 10, HIGH48, 48 },
    { "cr10-past-lower-half-with-la57", false, 10, LOW57, 57 },
    { "cr11-zero", true, 11, 0, 48 },
    { "cr11-unaligned", false, 11, PAGE - 1, 48 },
    { "cr11-not-canonical", true, 11, LOW48, 48 },
    { "cr11-top-bit", true, 11, UINT64_C(1) << 63, 48 },
    { "cr11-negative", true, 11, -PAGE, 57 },
    { "cr12-all-walks", true, 12, 0, 48 },
    { "cr12-false-escapes", true, 12, 6, 48 },
    { "cr12-walk-cycles", true, 12, 7, 48 },
    { "cr12-faults", true, 12, 14, 48 },
    { "cr12-data-cycles", true, 12, 15, 48 },
    { "cr12-data-cycles-of-a-regime", false, 12, 0x1f, 48 },
    { "cr12-faults-of-a-regime", false, 12, 0x18, 48 },
    { "cr12-mixed-kernel-fetches", true, 12, 0xe70, 48 },
    { "cr12-no-such-regime", false, 12, 0x80, 48 },
    { "cr12-no-such-privilege", false, 12, 0x300, 48 },
    { "cr12-bit-12", false, 12, 0x1000, 48 },
    { "cr12-bit-63", false, 12, UINT64_C(1) << 63, 48 },
    { "cr13-zero", false, 13, 0, 48 },
    { "cr13-page", false, 13, PAGE, 48 },
    { "cr14-is-none-of-ours", false, 14, 0, 48 },
    { "cr8-is-none-of-ours", false, 8, 0, 48 },
};

static void assert_control(const DsegControl *found, const DsegControl *wanted)
{
    g_assert_cmpmem(found, sizeof(*found), wanted, sizeof(*wanted));
}

/* Puts @value where @cr belongs, without asking any rule. */
static void put_cr(DsegControl *control, unsigned cr, uint64_t value)
{
    uint64_t *const place[] = {
        &control->guest.base, &control->guest.limit, &control->guest.offset,
        &control->select,
    };

    *place[cr - 9] = value;
}

static void test_cr(gconstpointer data)
{
    const CrCase *c = data;
    DsegControl control = some_control, expected = some_control;

    g_assert_true(dseg_cr_write(&control, c->cr, c->value, c->virt_bits) ==
                  c->allowed);
    if (c->allowed) {
        put_cr(&expected, c->cr, c->value);
        g_assert_cmphex(dseg_cr_read(&control, c->cr), ==, c->value);
    }
    assert_control(&control, &expected);
}

static void test_cr_read(void)
{
    g_assert_cmphex(dseg_cr_read(&some_control, 9), ==, PAGE);
    g_assert_cmphex(dseg_cr_read(&some_control, 10), ==, 9 * PAGE);
    g_assert_cmphex(dseg_cr_read(&some_control, 11), ==, 3 * PAGE);
    g_assert_cmphex(dseg_cr_read(&some_control, 12), ==, 1);
}

/* Each order of BASE and LIMIT can be written: it is what disables. */
static void test_base_may_lie_above_limit(void)
{
    DsegControl control = { 0 };

    g_assert_true(dseg_cr_write(&control, 9, 5 * PAGE, 48));
    g_assert_true(dseg_cr_write(&control, 10, 2 * PAGE, 48));
    g_assert_false(dseg_segment_enabled(&control.guest));
    g_assert_true(dseg_control_valid(&control, 48));
}

static bool model_cr_valid(unsigned cr, uint64_t value, unsigned virt_bits)
{
    switch (cr) {
    case 9:
    case 10:
        return value % PAGE == 0 && model_canonical(value, virt_bits);
    case 11:
        return value % PAGE == 0;
    default:
        return value <= 15 || (value & 15) <= 7;
    }
}

/* Mostly page addresses: else hardly any would do. For CR12, 0 to 31. */
static uint64_t random_cr_value(GRand *rand, unsigned cr)
{
    uint64_t value = random_edge(rand);

    if (cr == 12) {
        return random_below(rand, 32);
    }
    return random_below(rand, 8) ? value & -PAGE : value;
}

static void test_cr_writes_equal_model(void)
{
    g_autoptr(GRand) rand = random_new();
    DsegControl control = { 0 }, model = { 0 };
    unsigned seen[2] = { 0 };

    for (uint64_t n = random_rounds(100000); n && !g_test_failed(); n--) {
        unsigned cr = 9 + random_below(rand, 4);
        unsigned virt_bits = random_bool(rand) ? 48 : 57;
        uint64_t value = random_cr_value(rand, cr);
        bool allowed = model_cr_valid(cr, value, virt_bits);

        if (allowed) {
            put_cr(&model, cr, value);
        }
        g_assert_true(dseg_cr_write(&control, cr, value, virt_bits) ==
                      allowed);
        assert_control(&control, &model);
        seen[allowed]++;
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 1000);
}

static void test_control_valid_if_all_can_be_written(void)
{
    g_autoptr(GRand) rand = random_new();
    unsigned seen[2] = { 0 };

    for (uint64_t n = random_rounds(100000); n && !g_test_failed(); n--) {
        unsigned virt_bits = random_bool(rand) ? 48 : 57;
        DsegControl control = some_control;
        bool expected = true;

        for (unsigned cr = 9; cr <= 12; cr++) {
            uint64_t value = random_cr_value(rand, cr);

            if (random_bool(rand)) {
                put_cr(&control, cr, value);
                expected &= model_cr_valid(cr, value, virt_bits);
            }
        }
        g_assert_true(dseg_control_valid(&control, virt_bits) == expected);
        seen[expected]++;
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 1000);
}

/* Model-specific registers. */

typedef struct MsrCase {
    const char *name;
    bool allowed;
    unsigned which;
    uint64_t value;
    unsigned phys_bits;
} MsrCase;

static const MsrCase msr_cases[] = {
    { "base-zero", true, BASE, 0, 40 },
    { "base-unaligned", false, BASE, PAGE + 1, 40 },
    { "base-last-page", true, BASE, PHYS - PAGE, 40 },
    { "base-at-maxphyaddr", false, BASE, PHYS, 40 },
    { "base-at-maxphyaddr-of-52", false, BASE, UINT64_C(1) << 52, 52 },
    { "base-all-bits", false, BASE, -PAGE, 52 },
    { "limit-zero", true, LIMIT, 0, 40 },
    { "limit-unaligned", false, LIMIT, PHYS - 1, 40 },
    { "limit-at-maxphyaddr", true, LIMIT, PHYS, 40 },
    { "limit-at-maxphyaddr-of-52", true, LIMIT, UINT64_C(1) << 52, 52 },
    { "limit-past-maxphyaddr", false, LIMIT, PHYS + PAGE, 40 },
    { "limit-all-bits", false, LIMIT, -PAGE, 52 },
    { "offset-zero", true, OFFSET, 0, 40 },
    { "offset-unaligned", false, OFFSET, PAGE / 2, 40 },
    { "offset-largest", true, OFFSET, PHYS - PAGE, 40 },
    { "offset-too-large", false, OFFSET, PHYS, 40 },
    { "offset-minus-a-page", true, OFFSET, -PAGE, 40 },
    { "offset-smallest", true, OFFSET, -PHYS, 40 },
    { "offset-too-small", false, OFFSET, -PHYS - PAGE, 40 },
    { "offset-smallest-number", false, OFFSET, UINT64_C(1) << 63, 52 },
    { "filter-add-zero", true, FILTER_ADD, 0, 40 },
    { "filter-add-last-page", true, FILTER_ADD, PHYS - PAGE, 40 },
    { "filter-add-unaligned", false, FILTER_ADD, 1, 40 },
    { "filter-add-at-maxphyaddr", false, FILTER_ADD, PHYS, 40 },
    { "filter0-one", true, FILTER0, 1, 40 },
    { "filter1-all-bits", true, FILTER0 + 1, UINT64_MAX, 32 },
    { "filter2-zero", true, FILTER0 + 2, 0, 40 },
    { "filter3-top-bit", true, FILTER0 + 3, UINT64_C(1) << 63, 40 },
    { "before-the-first", false, -1, 0, 40 },
    { "after-the-last", false, MSRS, 0, 40 },
};

static void assert_registers(const DsegRegisters *found,
                             const DsegRegisters *wanted)
{
    assert_control(&found->control, &wanted->control);
    g_assert_cmpmem(&found->vmm, sizeof(found->vmm),
                    &wanted->vmm, sizeof(wanted->vmm));
    g_assert_cmpmem(&found->escapes, sizeof(found->escapes),
                    &wanted->escapes, sizeof(wanted->escapes));
    g_assert_true(found->escapes_unknown == wanted->escapes_unknown);
}

static uint64_t read_msr(const DsegRegisters *r, unsigned which)
{
    uint64_t value = 0;

    g_assert_true(dseg_msr_read(r, msr(which), &value));
    return value;
}

static void test_msr(gconstpointer data)
{
    const MsrCase *c = data;
    const DsegRegisters before = some_registers();
    DsegRegisters r = before;

    g_assert_true(dseg_msr_write(&r, msr(c->which), c->value, c->phys_bits) ==
                  c->allowed);
    if (!c->allowed) {
        assert_registers(&r, &before);
        return;
    }
    assert_control(&r.control, &before.control);
    for (unsigned which = 0; which < MSRS; which++) {
        if (which == FILTER_ADD ||
            (c->which == FILTER_ADD && which >= FILTER0)) {
            continue;
        }
        g_assert_cmphex(read_msr(&r, which), ==,
                        which == c->which ? c->value
                                          : read_msr(&before, which));
    }
}

static void test_msr_that_cannot_be_read(void)
{
    static const unsigned which[] = { FILTER_ADD, -1, MSRS };
    const DsegRegisters r = some_registers();

    for (unsigned i = 0; i < G_N_ELEMENTS(which); i++) {
        uint64_t value = 42;

        g_assert_false(dseg_msr_read(&r, msr(which[i]), &value));
        g_assert_cmpuint(value, ==, 42);
    }
}

static void test_reset_values_are_zero(void)
{
    const DsegRegisters r = { 0 };

    for (unsigned cr = 9; cr <= 12; cr++) {
        g_assert_cmphex(dseg_cr_read(&r.control, cr), ==, 0);
    }
    for (unsigned which = 0; which < MSRS; which++) {
        if (which != FILTER_ADD) {
            g_assert_cmphex(read_msr(&r, which), ==, 0);
        }
    }
    g_assert_false(dseg_segment_enabled(&r.control.guest));
    g_assert_false(dseg_segment_enabled(&r.vmm));
    g_assert_true(dseg_control_valid(&r.control, 48));
    g_assert_true(dseg_vmm_valid(&r, 32));
}

/* As the table of MSRs has it, in numbers that can't overflow. */
static bool model_msr_valid(unsigned which, uint64_t value, unsigned phys_bits)
{
    Wide end = (Wide)1 << phys_bits;
    __int128 number = (int64_t)value;

    if (which >= FILTER0) {
        return true;
    }
    if (value % PAGE) {
        return false;
    }
    switch (which) {
    case LIMIT:
        return value <= end;
    case OFFSET:
        return number >= -(__int128)end && number <= (__int128)end - 1;
    default:
        return value < end;
    }
}

static unsigned random_phys_bits(GRand *rand)
{
    return 32 + random_below(rand, 21);
}

static void test_vmm_valid_if_all_can_be_written(void)
{
    g_autoptr(GRand) rand = random_new();
    unsigned seen[2] = { 0 };

    for (uint64_t n = random_rounds(100000); n && !g_test_failed(); n--) {
        unsigned phys_bits = random_phys_bits(rand);
        DsegRegisters r = some_registers();
        uint64_t *const place[] = { &r.vmm.base, &r.vmm.limit, &r.vmm.offset };
        bool expected = true;

        for (unsigned i = 0; i < 3; i++) {
            if (random_bool(rand)) {
                *place[i] = random_cr_value(rand, 9);
                expected &= model_msr_valid(BASE + i, *place[i], phys_bits);
            }
        }
        g_assert_true(dseg_vmm_valid(&r, phys_bits) == expected);
        seen[expected]++;
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 1000);
}

/* The escape filter. */

static void write_msr(DsegRegisters *r, unsigned which, uint64_t value)
{
    g_assert_true(dseg_msr_write(r, msr(which), value, 40));
}

static void add_page(DsegRegisters *r, uint64_t page)
{
    write_msr(r, FILTER_ADD, page * PAGE);
}

static void clear_filter(DsegRegisters *r)
{
    for (unsigned i = 0; i < 4; i++) {
        write_msr(r, FILTER0 + i, 0);
    }
}

static void test_filter_add_sets_four_bits(void)
{
    DsegRegisters r = { 0 };
    uint64_t expected[4] = { 0 };
    static const uint64_t pages[] = { 0, 1, 0x12345, 0xfffffff };

    for (unsigned n = 0; n < G_N_ELEMENTS(pages); n++) {
        add_page(&r, pages[n]);
        for (unsigned i = 0; i < 4; i++) {
            expected[i] |= UINT64_C(1) << dseg_filter_hash(&r.escapes.filter, i,
                                                           pages[n]);
            g_assert_cmphex(read_msr(&r, FILTER0 + i), ==, expected[i]);
        }
    }
}

/* The words can be saved and loaded again: the filter is all in them. */
static void test_filter_is_its_words(void)
{
    DsegRegisters r = { 0 }, other = { 0 };

    add_page(&r, 7);
    for (unsigned i = 0; i < 4; i++) {
        write_msr(&other, FILTER0 + i, read_msr(&r, FILTER0 + i));
    }
    g_assert_true(dseg_filter_test(&other.escapes.filter, 7 * PAGE));
    g_assert_false(dseg_filter_test(&other.escapes.filter, 8 * PAGE));
}

static void test_pages_added_are_known(void)
{
    DsegRegisters r = { 0 };

    add_page(&r, 7);
    add_page(&r, 9);
    g_assert_false(r.escapes_unknown);
    g_assert_true(dseg_escapes_contains(&r.escapes, 7 * PAGE));
    g_assert_true(dseg_escapes_contains(&r.escapes, 9 * PAGE));
    g_assert_false(dseg_escapes_contains(&r.escapes, 8 * PAGE));
}

static void test_word_written_makes_unknown(void)
{
    for (unsigned i = 0; i < 4; i++) {
        DsegRegisters r = { 0 };

        add_page(&r, 7);
        write_msr(&r, FILTER0 + i, 1);
        g_assert_true(r.escapes_unknown);
        add_page(&r, 9);
        g_assert_true(r.escapes_unknown);
    }
}

static void test_word_written_as_it_was_makes_unknown(void)
{
    DsegRegisters r = { 0 };

    add_page(&r, 7);
    write_msr(&r, FILTER0, read_msr(&r, FILTER0));
    g_assert_true(r.escapes_unknown);
}

static void test_word_cleared_stays_known(void)
{
    for (unsigned i = 0; i < 4; i++) {
        DsegRegisters r = { 0 };

        add_page(&r, 7);
        write_msr(&r, FILTER0 + i, 0);
        g_assert_false(r.escapes_unknown);
        g_assert_true(dseg_escapes_contains(&r.escapes, 7 * PAGE));
    }
}

static void test_word_cleared_stays_unknown(void)
{
    DsegRegisters r = { 0 };

    write_msr(&r, FILTER0, 1);
    write_msr(&r, FILTER0 + 1, 1);
    write_msr(&r, FILTER0, 0);
    g_assert_true(r.escapes_unknown);
}

/* In whichever order the words become 0. */
static void test_all_words_cleared_is_known_and_empty(void)
{
    for (unsigned first = 0; first < 4; first++) {
        DsegRegisters r = { 0 };

        add_page(&r, 7);
        write_msr(&r, FILTER0 + first, UINT64_MAX);
        for (unsigned i = 0; i < 4; i++) {
            g_assert_true(r.escapes_unknown);
            write_msr(&r, FILTER0 + (first + i) % 4, 0);
        }
        g_assert_false(r.escapes_unknown);
        g_assert_false(dseg_escapes_contains(&r.escapes, 7 * PAGE));
        g_assert_cmpuint(r.escapes.count, ==, 0);
        add_page(&r, 9);
        g_assert_false(r.escapes_unknown);
        g_assert_true(dseg_escapes_contains(&r.escapes, 9 * PAGE));
    }
}

static void test_257_pages_make_unknown(void)
{
    DsegRegisters r = { 0 };

    for (unsigned page = 0; page < 256; page++) {
        add_page(&r, page);
        add_page(&r, page);     /* the same one does not count twice */
    }
    g_assert_false(r.escapes_unknown);
    add_page(&r, 256);
    g_assert_true(r.escapes_unknown);
    g_assert_true(dseg_filter_test(&r.escapes.filter, 256 * PAGE));
    clear_filter(&r);
    g_assert_false(r.escapes_unknown);
}

static void test_257th_page_sets_its_bits(void)
{
    DsegRegisters r = { 0 };

    for (unsigned page = 0; page < 256; page++) {
        add_page(&r, page);
    }
    write_msr(&r, FILTER0, 0);
    add_page(&r, 256);
    g_assert_cmphex(read_msr(&r, FILTER0), ==,
                    UINT64_C(1) << dseg_filter_hash(&r.escapes.filter, 0, 256));
}

/* Its bits are set again, though it is known already. */
static void test_page_passes_again_after_a_word_was_cleared(void)
{
    DsegRegisters r = { 0 };

    add_page(&r, 7);
    add_page(&r, 9);
    write_msr(&r, FILTER0 + 2, 0);
    g_assert_false(dseg_filter_test(&r.escapes.filter, 7 * PAGE));
    add_page(&r, 7);
    g_assert_true(dseg_filter_test(&r.escapes.filter, 7 * PAGE));
}

/* The rules of the specification once more, with GLib's set of pages. */
typedef struct Model {
    uint64_t value[MSRS];
    bool unknown;
    GHashTable *pages;
} Model;

static bool model_filter_empty(const Model *m)
{
    return !m->value[FILTER0] && !m->value[FILTER0 + 1] &&
           !m->value[FILTER0 + 2] && !m->value[FILTER0 + 3];
}

static void model_write(Model *m, unsigned which, uint64_t value)
{
    static const DsegFilter filter = { 0 };

    if (which == FILTER_ADD) {
        for (unsigned i = 0; i < 4; i++) {
            m->value[FILTER0 + i] |=
                UINT64_C(1) << dseg_filter_hash(&filter, i, value / PAGE);
        }
        g_hash_table_add(m->pages, g_memdup2(&value, sizeof(value)));
        m->unknown |= g_hash_table_size(m->pages) > 256;
        return;
    }
    m->value[which] = value;
    if (which >= FILTER0) {
        m->unknown |= value != 0;
        if (model_filter_empty(m)) {
            g_hash_table_remove_all(m->pages);
            m->unknown = false;
        }
    }
}

static uint64_t random_msr_value(GRand *rand, unsigned which)
{
    if (which >= FILTER0) {
        return random_below(rand, 8) ? 0 : random_u64(rand);
    }
    if (which == FILTER_ADD && random_below(rand, 8)) {
        return random_below(rand, 600) * PAGE;
    }
    return random_cr_value(rand, 9);
}

static void assert_equals_model(const DsegRegisters *r, const Model *m)
{
    for (unsigned which = 0; which < MSRS; which++) {
        if (which != FILTER_ADD) {
            g_assert_cmphex(read_msr(r, which), ==, m->value[which]);
        }
    }
    g_assert_true(r->escapes_unknown == m->unknown);
}

/* Whether the page of @gpa is known to have been added. */
static void assert_page_equals_model(const DsegRegisters *r, const Model *m,
                                     uint64_t gpa)
{
    if (!m->unknown) {
        g_assert_true(dseg_escapes_contains(&r->escapes, gpa) ==
                      !!g_hash_table_contains(m->pages, &gpa));
    }
}

static void test_msr_writes_equal_model(void)
{
    g_autoptr(GRand) rand = random_new();
    unsigned allowed_seen[2] = { 0 }, unknown_seen[2] = { 0 };
    Model m = {
        .pages = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                       NULL),
    };
    DsegRegisters r = { .control = some_control };

    for (uint64_t n = random_rounds(200000); n && !g_test_failed(); n--) {
        unsigned phys_bits = random_phys_bits(rand);
        /* Words seldom, so that there is time for 257 pages. */
        unsigned which = random_below(rand, 128) ? random_below(rand, FILTER0)
                       : FILTER0 + random_below(rand, 4);
        uint64_t value = random_msr_value(rand, which);
        bool allowed = model_msr_valid(which, value, phys_bits);

        if (allowed) {
            model_write(&m, which, value);
        }
        g_assert_true(dseg_msr_write(&r, msr(which), value, phys_bits) ==
                      allowed);
        assert_equals_model(&r, &m);
        assert_page_equals_model(&r, &m, random_below(rand, 600) * PAGE);
        if (!random_below(rand, 2000)) {
            for (unsigned i = 0; i < 4; i++) {
                model_write(&m, FILTER0 + i, 0);
            }
            clear_filter(&r);
        }
        allowed_seen[allowed]++;
        unknown_seen[m.unknown]++;
    }
    assert_control(&r.control, &some_control);
    random_assert_seen(allowed_seen, 2, 1000);
    random_assert_seen(unknown_seen, 2, 1000);
    g_hash_table_unref(m.pages);
}

/* The table of names that CPUID, gdb and software share. */
static void test_numbers(void)
{
    g_assert_cmphex(DSEG_CPUID_LEAF, ==, 0x44534547);
    g_assert_cmphex(DSEG_CPUID_SIGNATURE, ==, 0x47455344);
    g_assert_cmphex(DSEG_MSR_BASE, ==, 0x44534700);
    g_assert_cmphex(DSEG_MSR_LIMIT, ==, 0x44534701);
    g_assert_cmphex(DSEG_MSR_OFFSET, ==, 0x44534702);
    g_assert_cmphex(DSEG_MSR_FILTER_ADD, ==, 0x44534703);
    g_assert_cmphex(DSEG_MSR_FILTER0, ==, 0x44534704);
    g_assert_cmphex(DSEG_MSR_LAST, ==, 0x44534713);
    g_assert_cmpuint(DSEG_CR_BASE, ==, 9);
    g_assert_cmpuint(DSEG_CR_LIMIT, ==, 10);
    g_assert_cmpuint(DSEG_CR_OFFSET, ==, 11);
    g_assert_cmpuint(DSEG_CR_SELECT, ==, 12);
    g_assert_cmpuint(DSEG_CR_COUNT, ==, 13);
    g_assert_cmpuint(DSEG_REVISION, ==, 1);
}

static void add_case(const char *kind, const char *name, gconstpointer data,
                     GTestDataFunc test)
{
    g_autofree char *path = g_strdup_printf("/registers/%s/%s", kind, name);

    g_test_add_data_func(path, data, test);
}

static void add_escape_tests(void)
{
    g_test_add_func("/registers/filter/add-sets-four-bits",
                    test_filter_add_sets_four_bits);
    g_test_add_func("/registers/filter/is-all-in-its-words",
                    test_filter_is_its_words);
    g_test_add_func("/registers/escapes/added-pages-are-known",
                    test_pages_added_are_known);
    g_test_add_func("/registers/escapes/unknown-after-a-word-was-written",
                    test_word_written_makes_unknown);
    g_test_add_func("/registers/escapes/unknown-though-the-word-was-the-same",
                    test_word_written_as_it_was_makes_unknown);
    g_test_add_func("/registers/escapes/known-after-a-word-was-cleared",
                    test_word_cleared_stays_known);
    g_test_add_func("/registers/escapes/unknown-until-all-words-are-clear",
                    test_word_cleared_stays_unknown);
    g_test_add_func("/registers/escapes/known-once-all-words-are-clear",
                    test_all_words_cleared_is_known_and_empty);
    g_test_add_func("/registers/escapes/unknown-after-257-pages",
                    test_257_pages_make_unknown);
    g_test_add_func("/registers/escapes/page-257-sets-its-bits",
                    test_257th_page_sets_its_bits);
    g_test_add_func("/registers/escapes/known-page-added-again-passes-again",
                    test_page_passes_again_after_a_word_was_cleared);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/registers/canonical/edges", test_canonical_edges);
    g_test_add_func("/registers/canonical/random-equals-the-model",
                    test_canonical_equals_model);
    for (unsigned i = 0; i < G_N_ELEMENTS(cr_cases); i++) {
        add_case("cr", cr_cases[i].name, &cr_cases[i], test_cr);
    }
    g_test_add_func("/registers/cr/each-reads-its-own", test_cr_read);
    g_test_add_func("/registers/cr/base-may-lie-above-limit",
                    test_base_may_lie_above_limit);
    g_test_add_func("/registers/cr/random-writes-equal-the-model",
                    test_cr_writes_equal_model);
    g_test_add_func("/registers/cr/valid-if-all-can-be-written",
                    test_control_valid_if_all_can_be_written);
    for (unsigned i = 0; i < G_N_ELEMENTS(msr_cases); i++) {
        add_case("msr", msr_cases[i].name, &msr_cases[i], test_msr);
    }
    g_test_add_func("/registers/msr/some-cannot-be-read",
                    test_msr_that_cannot_be_read);
    g_test_add_func("/registers/reset-values-are-zero",
                    test_reset_values_are_zero);
    g_test_add_func("/registers/msr/valid-if-all-can-be-written",
                    test_vmm_valid_if_all_can_be_written);
    add_escape_tests();
    g_test_add_func("/registers/msr/random-writes-equal-the-model",
                    test_msr_writes_equal_model);
    g_test_add_func("/registers/numbers", test_numbers);
    return g_test_run();
}
