/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of one segment: where it hits, and what it refuses to be
 */

#include <string.h>

#include "model/segment.h"
#include "random.h"

#define PAGE UINT64_C(0x1000)
#define GIB (UINT64_C(1) << 30)
#define UNTOUCHED UINT64_C(0xdeadbeefdeadbeef)

typedef unsigned __int128 Wide;

static const unsigned widths[] = { 32, 36, 40, 48, 52 };

/* 16 pages from 1 GiB on, moved up by 2 GiB. */
static const DsegSegment sample = {
    .base = GIB, .limit = GIB + 16 * PAGE, .offset = 2 * GIB,
};

static void assert_hit(const DsegSegment *seg, unsigned phys_bits,
                       uint64_t addr, uint64_t expected)
{
    uint64_t out = UNTOUCHED;

    g_assert_cmpint(dseg_segment_lookup(seg, phys_bits, addr, &out), ==,
                    DSEG_HIT);
    g_assert_cmphex(out, ==, expected);
}

static void assert_no_hit(const DsegSegment *seg, unsigned phys_bits,
                          uint64_t addr, DsegHit expected)
{
    uint64_t out = UNTOUCHED;

    g_assert_cmpint(dseg_segment_lookup(seg, phys_bits, addr, &out), ==,
                    expected);
    g_assert_cmphex(out, ==, UNTOUCHED);
}

static void test_base_is_inclusive(void)
{
    assert_hit(&sample, 40, sample.base, 3 * GIB);
    assert_no_hit(&sample, 40, sample.base - 1, DSEG_MISS);
    assert_no_hit(&sample, 40, sample.base - PAGE, DSEG_MISS);
}

static void test_limit_is_exclusive(void)
{
    assert_hit(&sample, 40, sample.limit - 1, 3 * GIB + 16 * PAGE - 1);
    assert_hit(&sample, 40, sample.limit - PAGE, 3 * GIB + 15 * PAGE);
    assert_no_hit(&sample, 40, sample.limit, DSEG_MISS);
    assert_no_hit(&sample, 40, sample.limit + PAGE, DSEG_MISS);
}

static void test_page_offset_is_kept(void)
{
    assert_hit(&sample, 40, sample.base + 0x5678, 3 * GIB + 0x5678);
}

static void test_all_zeros_is_disabled(void)
{
    const DsegSegment zeros = { 0 };

    g_assert_false(dseg_segment_enabled(&zeros));
    assert_no_hit(&zeros, 52, 0, DSEG_MISS);
    assert_no_hit(&zeros, 52, PAGE, DSEG_MISS);
    assert_no_hit(&zeros, 52, UINT64_MAX, DSEG_MISS);
}

static void test_base_not_below_limit_is_disabled(void)
{
    const DsegSegment equal = { .base = GIB, .limit = GIB };
    const DsegSegment above = { .base = GIB + PAGE, .limit = GIB };

    g_assert_true(dseg_segment_enabled(&sample));
    g_assert_false(dseg_segment_enabled(&equal));
    g_assert_false(dseg_segment_enabled(&above));

    for (uint64_t addr = GIB - PAGE; addr <= GIB + 2 * PAGE; addr += PAGE / 2) {
        assert_no_hit(&equal, 40, addr, DSEG_MISS);
        assert_no_hit(&above, 40, addr, DSEG_MISS);
    }
}

static void assert_same(const DsegSegment *a, const DsegSegment *b,
                        bool expected)
{
    g_assert_cmpint(dseg_segment_same(a, b), ==, expected);
    g_assert_cmpint(dseg_segment_same(b, a), ==, expected);
}

static void test_same_if_equal(void)
{
    const DsegSegment equal = sample;
    DsegSegment other[] = { sample, sample, sample };

    other[0].base += PAGE;
    other[1].limit += PAGE;
    other[2].offset += PAGE;
    assert_same(&sample, &equal, true);
    for (unsigned i = 0; i < G_N_ELEMENTS(other); i++) {
        assert_same(&sample, &other[i], false);
    }
}

/* Whatever their registers hold; but not as one that is enabled. */
static void test_same_if_disabled(void)
{
    const DsegSegment zeros = { 0 };
    const DsegSegment equal = { .base = GIB, .limit = GIB, .offset = PAGE };
    const DsegSegment above = { .base = GIB + PAGE, .limit = GIB };
    const DsegSegment page = {
        .base = GIB, .limit = GIB + PAGE, .offset = PAGE,
    };

    assert_same(&zeros, &zeros, true);
    assert_same(&zeros, &equal, true);
    assert_same(&above, &equal, true);
    assert_same(&zeros, &sample, false);
    assert_same(&equal, &page, false);
}

static void test_target_below_base(void)
{
    const DsegSegment down = {
        .base = 3 * GIB, .limit = 4 * GIB, .offset = -3 * GIB,
    };
    const DsegSegment kernel = {
        .base = UINT64_C(0xffff888000000000),
        .limit = UINT64_C(0xffff888040000000),
        .offset = -UINT64_C(0xffff888000000000) + GIB,
    };

    assert_hit(&down, 32, 3 * GIB, 0);
    assert_hit(&down, 32, 4 * GIB - 1, GIB - 1);
    assert_hit(&kernel, 36, UINT64_C(0xffff888000001234), GIB + 0x1234);
}

static void test_sum_beyond_maxphyaddr(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(widths); i++) {
        uint64_t end = UINT64_C(1) << widths[i];
        const DsegSegment across = {
            .base = GIB, .limit = GIB + 4 * PAGE,
            .offset = end - 2 * PAGE - GIB,
        };

        assert_hit(&across, widths[i], GIB + 2 * PAGE - 1, end - 1);
        assert_no_hit(&across, widths[i], GIB + 2 * PAGE, DSEG_TOO_WIDE);
        assert_no_hit(&across, widths[i], GIB + 4 * PAGE - 1, DSEG_TOO_WIDE);
        assert_no_hit(&across, widths[i], GIB + 4 * PAGE, DSEG_MISS);
    }
}

static void test_negative_sum_is_too_wide(void)
{
    const DsegSegment below_zero = {
        .base = GIB, .limit = GIB + 2 * PAGE, .offset = -GIB - PAGE,
    };

    assert_no_hit(&below_zero, 52, GIB, DSEG_TOO_WIDE);
    assert_hit(&below_zero, 52, GIB + PAGE, 0);
}

typedef struct MakeCase {
    const char *name;
    DsegRule expected;
    DsegLevel level;
    uint64_t base, size, target;
    unsigned phys_bits, virt_bits;
} MakeCase;

#define LOW48 (UINT64_C(1) << 47)
#define HIGH48 (-LOW48)
#define LOW57 (UINT64_C(1) << 56)
#define HIGH57 (-LOW57)

static const MakeCase make_cases[] = {
    { "one-page", DSEG_RULE_OK, DSEG_GUEST, PAGE, PAGE, PAGE, 40, 48 },
    { "address-zero", DSEG_RULE_OK, DSEG_VMM, 0, PAGE, 0, 40, 48 },

    { "base-unaligned", DSEG_RULE_BASE_ALIGNED,
      DSEG_GUEST, PAGE + 1, PAGE, PAGE, 40, 48 },
    { "base-unaligned-by-half-a-page", DSEG_RULE_BASE_ALIGNED,
      DSEG_VMM, PAGE + 0x800, PAGE, PAGE, 40, 48 },
    { "size-unaligned", DSEG_RULE_SIZE_ALIGNED,
      DSEG_GUEST, PAGE, PAGE + 1, PAGE, 40, 48 },
    { "size-of-one-byte", DSEG_RULE_SIZE_ALIGNED,
      DSEG_GUEST, PAGE, 1, PAGE, 40, 48 },
    { "target-unaligned", DSEG_RULE_TARGET_ALIGNED,
      DSEG_GUEST, PAGE, PAGE, PAGE - 1, 40, 48 },
    { "size-zero", DSEG_RULE_SIZE_NOT_ZERO,
      DSEG_GUEST, PAGE, 0, PAGE, 40, 48 },

    { "base-wraps", DSEG_RULE_BASE_WRAPS,
      DSEG_GUEST, -PAGE, 2 * PAGE, PAGE, 40, 48 },
    { "base-ends-at-2^64", DSEG_RULE_BASE_WRAPS,
      DSEG_GUEST, -PAGE, PAGE, PAGE, 40, 48 },
    { "base-ends-before-2^64", DSEG_RULE_OK,
      DSEG_GUEST, -2 * PAGE, PAGE, PAGE, 40, 48 },
    { "target-wraps", DSEG_RULE_TARGET_WRAPS,
      DSEG_GUEST, PAGE, 2 * PAGE, -PAGE, 40, 48 },
    { "target-ends-at-2^64", DSEG_RULE_TARGET_WRAPS,
      DSEG_GUEST, PAGE, PAGE, -PAGE, 40, 48 },
    { "target-ends-before-2^64", DSEG_RULE_TARGET_PHYS_BITS,
      DSEG_GUEST, PAGE, PAGE, -2 * PAGE, 52, 48 },

    { "48-lower-half-whole", DSEG_RULE_OK,
      DSEG_GUEST, 0, LOW48, 0, 48, 48 },
    { "48-lower-half-last-page", DSEG_RULE_OK,
      DSEG_GUEST, LOW48 - PAGE, PAGE, 0, 40, 48 },
    { "48-past-lower-half", DSEG_RULE_BASE_CANONICAL,
      DSEG_GUEST, LOW48 - PAGE, 2 * PAGE, 0, 40, 48 },
    { "48-starts-in-the-hole", DSEG_RULE_BASE_CANONICAL,
      DSEG_GUEST, LOW48, PAGE, 0, 40, 48 },
    { "48-before-upper-half", DSEG_RULE_BASE_CANONICAL,
      DSEG_GUEST, HIGH48 - PAGE, 2 * PAGE, 0, 40, 48 },
    { "48-ends-in-the-hole", DSEG_RULE_BASE_CANONICAL,
      DSEG_GUEST, HIGH48 - PAGE, PAGE, 0, 40, 48 },
    { "48-upper-half-first-page", DSEG_RULE_OK,
      DSEG_GUEST, HIGH48, PAGE, 0, 40, 48 },
    { "48-kernel-direct-map", DSEG_RULE_OK,
      DSEG_GUEST, UINT64_C(0xffff888000000000), GIB, GIB, 40, 48 },
    { "48-across-both-halves", DSEG_RULE_BASE_CANONICAL,
      DSEG_GUEST, LOW48 - PAGE, HIGH48 - LOW48 + 2 * PAGE, 0, 52, 48 },
    { "48-refuses-a-57-bit-address", DSEG_RULE_BASE_CANONICAL,
      DSEG_GUEST, UINT64_C(1) << 50, PAGE, 0, 40, 48 },
    { "57-takes-a-57-bit-address", DSEG_RULE_OK,
      DSEG_GUEST, UINT64_C(1) << 50, PAGE, 0, 40, 57 },
    { "57-lower-half-last-page", DSEG_RULE_OK,
      DSEG_GUEST, LOW57 - PAGE, PAGE, 0, 40, 57 },
    { "57-past-lower-half", DSEG_RULE_BASE_CANONICAL,
      DSEG_GUEST, LOW57 - PAGE, 2 * PAGE, 0, 40, 57 },
    { "57-before-upper-half", DSEG_RULE_BASE_CANONICAL,
      DSEG_GUEST, HIGH57 - PAGE, 2 * PAGE, 0, 40, 57 },
    { "57-upper-half-first-page", DSEG_RULE_OK,
      DSEG_GUEST, HIGH57, PAGE, 0, 40, 57 },
    { "57-across-both-halves", DSEG_RULE_BASE_CANONICAL,
      DSEG_GUEST, LOW57 - PAGE, HIGH57 - LOW57 + 2 * PAGE, 0, 52, 57 },

    { "vmm-base-need-not-be-canonical", DSEG_RULE_OK,
      DSEG_VMM, LOW48, PAGE, 0, 52, 48 },
    { "vmm-base-up-to-maxphyaddr", DSEG_RULE_OK,
      DSEG_VMM, (UINT64_C(1) << 40) - PAGE, PAGE, 0, 40, 48 },
    { "vmm-base-past-maxphyaddr", DSEG_RULE_BASE_PHYS_BITS,
      DSEG_VMM, (UINT64_C(1) << 40) - PAGE, 2 * PAGE, 0, 40, 48 },
    { "vmm-base-beyond-maxphyaddr", DSEG_RULE_BASE_PHYS_BITS,
      DSEG_VMM, UINT64_C(1) << 40, PAGE, 0, 40, 48 },
    { "guest-base-knows-no-maxphyaddr", DSEG_RULE_OK,
      DSEG_GUEST, UINT64_C(1) << 46, PAGE, 0, 40, 48 },

    { "target-up-to-maxphyaddr", DSEG_RULE_OK,
      DSEG_GUEST, 0, PAGE, (UINT64_C(1) << 36) - PAGE, 36, 48 },
    { "target-past-maxphyaddr", DSEG_RULE_TARGET_PHYS_BITS,
      DSEG_GUEST, 0, 2 * PAGE, (UINT64_C(1) << 36) - PAGE, 36, 48 },
    { "target-beyond-maxphyaddr", DSEG_RULE_TARGET_PHYS_BITS,
      DSEG_VMM, 0, PAGE, UINT64_C(1) << 36, 36, 48 },

    /* Each of these breaks a rule and the next one that can be broken too. */
    { "order-base-before-size", DSEG_RULE_BASE_ALIGNED,
      DSEG_GUEST, 1, 1, PAGE, 40, 48 },
    { "order-size-before-target", DSEG_RULE_SIZE_ALIGNED,
      DSEG_GUEST, 0, 1, 1, 40, 48 },
    { "order-target-before-zero", DSEG_RULE_TARGET_ALIGNED,
      DSEG_GUEST, 0, 0, 1, 40, 48 },
    { "order-zero-before-canonical", DSEG_RULE_SIZE_NOT_ZERO,
      DSEG_GUEST, LOW48, 0, 0, 40, 48 },
    { "order-base-wraps-before-target-wraps", DSEG_RULE_BASE_WRAPS,
      DSEG_GUEST, -PAGE, PAGE, -PAGE, 40, 48 },
    { "order-target-wraps-before-canonical", DSEG_RULE_TARGET_WRAPS,
      DSEG_GUEST, LOW48, PAGE, -PAGE, 40, 48 },
    { "order-canonical-before-target-width", DSEG_RULE_BASE_CANONICAL,
      DSEG_GUEST, LOW48, PAGE, UINT64_C(1) << 40, 40, 48 },
    { "order-base-width-before-target-width", DSEG_RULE_BASE_PHYS_BITS,
      DSEG_VMM, UINT64_C(1) << 40, PAGE, UINT64_C(1) << 40, 40, 48 },
};

static void test_make(gconstpointer data)
{
    const MakeCase *c = data;
    const DsegSegment before = { UNTOUCHED, UNTOUCHED, UNTOUCHED };
    DsegSegment seg = before;

    g_assert_cmpint(dseg_segment_make(&seg, c->level, c->base, c->size,
                                      c->target, c->phys_bits, c->virt_bits),
                    ==, c->expected);
    if (c->expected != DSEG_RULE_OK) {
        g_assert_cmpmem(&seg, sizeof(seg), &before, sizeof(before));
        return;
    }
    g_assert_true(dseg_segment_enabled(&seg));
    g_assert_cmphex(seg.base, ==, c->base);
    g_assert_cmphex(seg.limit, ==, c->base + c->size);
    assert_hit(&seg, c->phys_bits, c->base, c->target);
    assert_hit(&seg, c->phys_bits, c->base + c->size - 1,
               c->target + c->size - 1);
}

static void test_rule_names_its_argument(void)
{
    static const char *const argument[DSEG_RULE__MAX] = {
        [DSEG_RULE_BASE_ALIGNED] = "base",
        [DSEG_RULE_SIZE_ALIGNED] = "size",
        [DSEG_RULE_TARGET_ALIGNED] = "target",
        [DSEG_RULE_SIZE_NOT_ZERO] = "size",
        [DSEG_RULE_BASE_WRAPS] = "base",
        [DSEG_RULE_TARGET_WRAPS] = "target",
        [DSEG_RULE_BASE_CANONICAL] = "base",
        [DSEG_RULE_BASE_PHYS_BITS] = "base",
        [DSEG_RULE_TARGET_PHYS_BITS] = "target",
    };

    for (DsegRule r = DSEG_RULE_OK + 1; r < DSEG_RULE__MAX; r++) {
        g_assert_cmpstr(dseg_rule_argument(r), ==, argument[r]);
    }
}

/* A text of its own for every rule and argument, fit for a one-line message. */
static void test_rule_text_says_which(void)
{
    for (DsegRule r = DSEG_RULE_OK + 1; r < DSEG_RULE__MAX; r++) {
        g_assert_nonnull(dseg_rule_text(r));
        g_assert_cmpuint(strlen(dseg_rule_text(r)), >, 5);
        g_assert_null(strchr(dseg_rule_text(r), '\n'));

        for (DsegRule s = DSEG_RULE_OK + 1; s < r; s++) {
            if (!strcmp(dseg_rule_argument(r), dseg_rule_argument(s))) {
                g_assert_cmpstr(dseg_rule_text(r), !=, dseg_rule_text(s));
            }
        }
    }
}

/* The lookup as the design says it, in numbers that can't overflow. */
static DsegHit model_lookup(const DsegSegment *seg, unsigned phys_bits,
                            uint64_t addr, uint64_t *out)
{
    Wide sum = ((Wide)addr + seg->offset) % ((Wide)1 << 64);

    if (!((Wide)seg->base <= addr && (Wide)addr < seg->limit)) {
        return DSEG_MISS;
    }
    if (sum >= (Wide)1 << phys_bits) {
        return DSEG_TOO_WIDE;
    }
    *out = sum;
    return DSEG_HIT;
}

static bool model_canonical(Wide first, Wide last, unsigned virt_bits)
{
    Wide half = (Wide)1 << (virt_bits - 1);

    return last < half || first >= ((Wide)1 << 64) - half;
}

static DsegRule model_make(DsegLevel level, Wide base, Wide size, Wide target,
                           unsigned phys_bits, unsigned virt_bits)
{
    const Wide all = (Wide)1 << 64;
    const Wide phys = (Wide)1 << phys_bits;
    const bool guest = level == DSEG_GUEST;

    return base % PAGE ? DSEG_RULE_BASE_ALIGNED
         : size % PAGE ? DSEG_RULE_SIZE_ALIGNED
         : target % PAGE ? DSEG_RULE_TARGET_ALIGNED
         : size == 0 ? DSEG_RULE_SIZE_NOT_ZERO
         : base + size >= all ? DSEG_RULE_BASE_WRAPS
         : target + size >= all ? DSEG_RULE_TARGET_WRAPS
         : guest && !model_canonical(base, base + size - 1, virt_bits)
            ? DSEG_RULE_BASE_CANONICAL
         : !guest && base + size > phys ? DSEG_RULE_BASE_PHYS_BITS
         : target + size > phys ? DSEG_RULE_TARGET_PHYS_BITS
         : DSEG_RULE_OK;
}

static unsigned random_width(GRand *rand)
{
    return widths[random_below(rand, G_N_ELEMENTS(widths))];
}

/* Any three registers at all, also ones that no rule would let through. */
static void test_lookup_equals_model(void)
{
    g_autoptr(GRand) rand = random_new();
    unsigned seen[DSEG_TOO_WIDE + 1] = { 0 };

    for (uint64_t n = random_rounds(500000); n && !g_test_failed(); n--) {
        const DsegSegment seg = {
            .base = random_edge(rand), .limit = random_edge(rand),
            .offset = random_edge(rand),
        };
        const uint64_t near[] = {
            seg.base, seg.limit, -seg.offset, random_edge(rand),
        };
        unsigned phys_bits = random_width(rand);
        uint64_t addr = near[random_below(rand, 4)]
                        + random_below(rand, 3) - 1;
        uint64_t expected_out = UNTOUCHED, out = UNTOUCHED;
        DsegHit expected = model_lookup(&seg, phys_bits, addr, &expected_out);

        g_assert_cmpint(dseg_segment_lookup(&seg, phys_bits, addr, &out), ==,
                        expected);
        g_assert_cmphex(out, ==, expected_out);
        seen[expected]++;
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 1000);
}

static uint64_t random_argument(GRand *rand)
{
    uint64_t value = random_edge(rand);

    return random_below(rand, 8) ? value & -PAGE : value;
}

static void test_make_equals_model(void)
{
    g_autoptr(GRand) rand = random_new();
    unsigned seen[DSEG_RULE__MAX] = { 0 };

    for (uint64_t n = random_rounds(500000); n && !g_test_failed(); n--) {
        const DsegSegment before = { UNTOUCHED, UNTOUCHED, UNTOUCHED };
        DsegSegment seg = before;
        DsegLevel level = random_bool(rand) ? DSEG_GUEST : DSEG_VMM;
        uint64_t base = random_argument(rand);
        uint64_t size = random_argument(rand);
        uint64_t target = random_argument(rand);
        unsigned phys_bits = random_width(rand);
        unsigned virt_bits = random_bool(rand) ? 48 : 57;
        DsegRule expected = model_make(level, base, size, target,
                                       phys_bits, virt_bits);

        g_assert_cmpint(dseg_segment_make(&seg, level, base, size, target,
                                          phys_bits, virt_bits),
                        ==, expected);
        if (expected == DSEG_RULE_OK) {
            g_assert_cmphex(seg.base, ==, base);
            g_assert_cmphex(seg.limit, ==, base + size);
            g_assert_cmphex(seg.offset, ==, target - base);
        } else {
            g_assert_cmpmem(&seg, sizeof(seg), &before, sizeof(before));
        }
        seen[expected]++;
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 100);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/segment/base-is-inclusive", test_base_is_inclusive);
    g_test_add_func("/segment/limit-is-exclusive", test_limit_is_exclusive);
    g_test_add_func("/segment/page-offset-is-kept", test_page_offset_is_kept);
    g_test_add_func("/segment/all-zeros-is-disabled",
                    test_all_zeros_is_disabled);
    g_test_add_func("/segment/base-not-below-limit-is-disabled",
                    test_base_not_below_limit_is_disabled);
    g_test_add_func("/segment/same-if-equal", test_same_if_equal);
    g_test_add_func("/segment/same-if-both-are-disabled",
                    test_same_if_disabled);
    g_test_add_func("/segment/target-below-base", test_target_below_base);
    g_test_add_func("/segment/sum-beyond-maxphyaddr-is-too-wide",
                    test_sum_beyond_maxphyaddr);
    g_test_add_func("/segment/sum-below-zero-is-too-wide",
                    test_negative_sum_is_too_wide);
    for (unsigned i = 0; i < G_N_ELEMENTS(make_cases); i++) {
        g_autofree char *path = g_strconcat("/segment/make/",
                                            make_cases[i].name, NULL);
        g_test_add_data_func(path, &make_cases[i], test_make);
    }
    g_test_add_func("/segment/rule-names-its-argument",
                    test_rule_names_its_argument);
    g_test_add_func("/segment/rule-text-says-which",
                    test_rule_text_says_which);
    g_test_add_func("/segment/random-lookups-equal-the-model",
                    test_lookup_equals_model);
    g_test_add_func("/segment/random-makes-equal-the-model",
                    test_make_equals_model);
    return g_test_run();
}
