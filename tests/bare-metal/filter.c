/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The escape filter, of FILTER_BITS bits: which registers it has, which bits a
 * page has, what passes, and which escapes are counted as false
 * (docs/spec/registers.rst).
 */
#include "lib/cpu.h"
#include "lib/invariants.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

#ifndef FILTER_BITS
#define FILTER_BITS 256
#endif
#define LEAF 0x44534547
#define KNOWN_PAGES 256             /* that the CPU tells false escapes by */
#define RANDOM_SETS 60

static const struct vm_shape shape = { 4, 1, 4, 1 };

static void enumeration(void)
{
    struct cpuid r = cpuid(LEAF, 0);

    case_begin("CPUID has %u words and 4 hash functions", FILTER_BITS / 64);
    expect("ECX bits 7:0", FILTER_BITS / 64, r.ecx & 0xff);
    expect("ECX bits 15:8", FILTER_HASHES, r.ecx >> 8 & 0xff);
    case_end();
}

/* A word for each 64 bits, which keeps what is written; and no other. */
static void words_that_are_there(void)
{
    uint64_t now;

    case_begin("FILTER0 to FILTER%u are there, and independent",
               FILTER_BITS / 64 - 1);
    dseg_reset();
    for (unsigned i = 0; i < FILTER_BITS / 64; i++) {
        expect("write", 0, try_write_msr(MSR_FILTER(i), ~0ull - i));
    }
    for (unsigned i = 0; i < FILTER_BITS / 64; i++) {
        expect("read", 0, try_read_msr(MSR_FILTER(i), &now));
        expect("value", ~0ull - i, now);
    }
    case_end();
    for (unsigned i = FILTER_BITS / 64; i < MAX_FILTER_WORDS; i++) {
        case_begin("FILTER%u is not there", i);
        expect("read", TRAP(VECTOR_GP, 0), try_read_msr(MSR_FILTER(i), &now));
        expect("write of 0", TRAP(VECTOR_GP, 0),
               try_write_msr(MSR_FILTER(i), 0));
        case_end();
    }
}

static void expect_words(const uint64_t words[MAX_FILTER_WORDS])
{
    for (unsigned i = 0; i < filter_words(); i++) {
        expect("filter word", words[i], read_msr(MSR_FILTER(i)));
    }
}

/* Each address bit by itself, and some pages together. */
static void added_bits(void)
{
    uint64_t together[MAX_FILTER_WORDS] = { 0 };

    for (unsigned bit = 12; bit < 40; bit++) {
        uint64_t words[MAX_FILTER_WORDS] = { 0 };

        case_begin("FILTER_ADD of 2^%u sets the bits of the hash functions",
                   bit);
        dseg_reset();
        filter_add(BIT(bit));
        filter_bits(BIT(bit), words);
        expect_words(words);
        case_end();
    }
    case_begin("FILTER_ADD keeps the bits of the pages before");
    dseg_reset();
    for (uint64_t page = 0; page < 20; page++) {
        uint64_t gpa = page * 0x123457000 % PHYSICAL_END;

        filter_add(gpa);
        filter_bits(gpa, together);
        expect_words(together);
    }
    case_end();
}

/* A page that shares the bit of hash function @i with this one, and no other. */
static uint64_t page_with_bit_of(uint64_t gpa, unsigned i)
{
    unsigned wanted[FILTER_HASHES], bits[FILTER_HASHES];

    filter_hash(gpa, wanted);
    for (uint64_t other = 0;; other += PAGE) {
        unsigned shared = 0;

        filter_hash(other, bits);
        for (unsigned j = 0; j < FILTER_HASHES; j++) {
            shared |= (bits[j] == wanted[j]) << j;
        }
        if (shared == 1u << i) {
            return other;
        }
    }
}

/* Load through the VMM segment and expect that cost. */
static void expect_load(struct vm *vm, unsigned escapes, unsigned false_escapes)
{
    const struct cost cost = {
        escapes ? GUEST_DIRECT : DUAL_DIRECT, 0, escapes ? 4 : 0, 1, 1,
        escapes, false_escapes,
    };
    struct costs before = costs_now(USER, LOAD);
    struct l2_end end = vm_access(vm, LOAD, to_gva(vm->data_hpa));

    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect_cost(&before, &cost);
}

static void make(struct vm *vm)
{
    dseg_reset();
    vm_init(vm, &shape);
    guest_set_cpl(&vm->guest, 3);
    set_guest_segment(&vm->guest, segment(to_gva(INSIDE_START), PART_SIZE,
                                          to_gpa(INSIDE_START)));
    set_vmm_segment(segment(to_gpa(0), MEMORY_END, 0));
}

/*
 * Of each partition in @set just the bit of that page, of the others all but
 * that.
 */
static void write_partitions(uint64_t gpa, unsigned set)
{
    uint64_t words[MAX_FILTER_WORDS] = { 0 };
    unsigned hash[FILTER_HASHES];

    filter_hash(gpa, hash);
    for (unsigned bit = 0; bit < FILTER_BITS; bit++) {
        unsigned i = bit / (FILTER_BITS / FILTER_HASHES);
        uint64_t on = (bit == hash[i]) == (set >> i & 1);

        words[bit / 64] |= on << bit % 64;
    }
    for (unsigned i = 0; i < filter_words(); i++) {
        write_msr(MSR_FILTER(i), words[i]);
    }
}

static void all_four_bits(void)
{
    struct vm vm;

    for (unsigned set = 0; set < 16; set++) {
        case_begin("a page with the bits in partitions 0x%x of its four %s",
                   set, set == 15 ? "escapes" : "does not escape");
        make(&vm);
        write_partitions(to_gpa(vm.data_hpa), set);
        expect_load(&vm, set == 15, 0);
        case_end();
    }
}

static void false_escapes(void)
{
    uint64_t gpa;
    struct vm vm;

    make(&vm);
    gpa = to_gpa(vm.data_hpa);
    case_begin("a page that others let pass is a false escape");
    for (unsigned i = 0; i < FILTER_HASHES; i++) {
        expect_load(&vm, 0, 0);
        filter_add(page_with_bit_of(gpa, i));
    }
    expect_load(&vm, 1, 1);
    case_end();

    case_begin("a page that is added after it has passed is no false escape");
    filter_add(gpa);
    expect_load(&vm, 1, 0);
    case_end();

    case_begin("a page that was added before the filter was emptied is a false "
               "escape");
    filter_clear();
    expect_load(&vm, 0, 0);
    for (unsigned i = 0; i < FILTER_HASHES; i++) {
        filter_add(page_with_bit_of(gpa, i));
    }
    expect_load(&vm, 1, 1);
    case_end();

    case_begin("after a write of a word no escape is counted as false");
    write_msr(MSR_FILTER(0), read_msr(MSR_FILTER(0)));
    expect_load(&vm, 1, 0);
    filter_clear();
    for (unsigned i = 0; i < FILTER_HASHES; i++) {
        filter_add(page_with_bit_of(gpa, i));
    }
    expect_load(&vm, 1, 1);
    case_end();
}

static void too_many(void)
{
    uint64_t gpa;
    struct vm vm;

    make(&vm);
    gpa = to_gpa(vm.data_hpa);
    case_begin("after %u pages escapes are counted as false, after one more "
               "not", KNOWN_PAGES);
    for (unsigned i = 0; i < FILTER_HASHES; i++) {
        filter_add(page_with_bit_of(gpa, i));
    }
    /* The others' own bits do not matter. No page is this one. */
    for (unsigned i = FILTER_HASHES; i < KNOWN_PAGES; i++) {
        filter_add(PHYSICAL_END / 2 + i * PAGE);
    }
    expect_load(&vm, 1, 1);
    filter_add(PHYSICAL_END / 2);
    expect_load(&vm, 1, 0);
    case_end();
}

/* Whether a page has its four bits in words. */
static bool passes(const uint64_t words[MAX_FILTER_WORDS], uint64_t gpa)
{
    unsigned bits[FILTER_HASHES], set = 0;

    filter_hash(gpa, bits);
    for (unsigned i = 0; i < FILTER_HASHES; i++) {
        set += words[bits[i] / 64] >> bits[i] % 64 & 1;
    }
    return set == FILTER_HASHES;
}

/* As many pages at random as a partition has bits: then one in six passes. */
static void random_sets(void)
{
    const unsigned pages = FILTER_BITS < 1024 ? FILTER_BITS / FILTER_HASHES
                                              : KNOWN_PAGES;
    uint64_t random = 1, gpa;
    unsigned found = 0;
    struct vm vm;

    make(&vm);
    gpa = to_gpa(vm.data_hpa);
    for (unsigned n = 0; n < RANDOM_SETS; n++) {
        uint64_t words[MAX_FILTER_WORDS] = { 0 };
        bool expected;

        filter_clear();
        for (unsigned i = 0; i < pages; i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            /* In the upper half, where this page is not. */
            filter_add(PHYSICAL_END / 2 | (random >> 25 & -PAGE));
            filter_bits(PHYSICAL_END / 2 | (random >> 25 & -PAGE), words);
        }
        expected = passes(words, gpa);
        found += expected;
        case_begin("random set %u of %u pages: the page %s", n, pages,
                   expected ? "is a false escape" : "does not escape");
        expect_words(words);
        expect_load(&vm, expected, expected);
        case_end();
    }
    case_begin("of %u random sets some are enough, and some are not",
               RANDOM_SETS);
    expect("of each three at least", true,
           found >= 3 && found <= RANDOM_SETS - 3);
    case_end();
}

void tests(void)
{
    enumeration();
    words_that_are_there();
    added_bits();
    all_four_bits();
    false_escapes();
    too_many();
    random_sets();
    check_invariants();
}
