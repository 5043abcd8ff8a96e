/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The escape filter: which bits a page has, what passes, and which escapes are
 * counted as false (docs/spec/registers.rst).
 */
#include "lib/cpu.h"
#include "lib/invariants.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define KNOWN_PAGES 256             /* that the CPU tells false escapes by */

static const struct vm_shape shape = { 4, 1, 4, 1 };

static void expect_words(const uint64_t words[FILTER_WORDS])
{
    for (unsigned i = 0; i < FILTER_WORDS; i++) {
        expect("filter word", words[i], read_msr(MSR_FILTER(i)));
    }
}

/* Each address bit by itself, and some pages together. */
static void added_bits(void)
{
    uint64_t together[FILTER_WORDS] = { 0 };

    for (unsigned bit = 12; bit < 40; bit++) {
        uint64_t words[FILTER_WORDS] = { 0 };

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

/* A page that is not this one and has its bit in that word. */
static uint64_t page_with_bit_of(uint64_t gpa, unsigned word)
{
    uint64_t wanted[FILTER_WORDS] = { 0 };

    filter_bits(gpa, wanted);
    for (uint64_t other = 0;; other += PAGE) {
        uint64_t bits[FILTER_WORDS] = { 0 };

        filter_bits(other, bits);
        if (other != gpa && bits[word] == wanted[word]) {
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

static void all_four_bits(void)
{
    uint64_t words[FILTER_WORDS] = { 0 };
    struct vm vm;

    for (unsigned set = 0; set < 16; set++) {
        case_begin("a page with the bits in words 0x%x of its four %s", set,
                   set == 15 ? "escapes" : "does not escape");
        make(&vm);
        __builtin_memset(words, 0, sizeof(words));
        filter_bits(to_gpa(vm.data_hpa), words);
        for (unsigned i = 0; i < FILTER_WORDS; i++) {
            write_msr(MSR_FILTER(i), set >> i & 1 ? words[i] : ~words[i]);
        }
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
    for (unsigned i = 0; i < FILTER_WORDS; i++) {
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
    for (unsigned i = 0; i < FILTER_WORDS; i++) {
        filter_add(page_with_bit_of(gpa, i));
    }
    expect_load(&vm, 1, 1);
    case_end();

    case_begin("after a write of a word no escape is counted as false");
    write_msr(MSR_FILTER(0), read_msr(MSR_FILTER(0)));
    expect_load(&vm, 1, 0);
    filter_clear();
    for (unsigned i = 0; i < FILTER_WORDS; i++) {
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
    for (unsigned i = 0; i < FILTER_WORDS; i++) {
        filter_add(page_with_bit_of(gpa, i));
    }
    /* The others' own bits do not matter. No page is this one. */
    for (unsigned i = FILTER_WORDS; i < KNOWN_PAGES; i++) {
        filter_add(PHYSICAL_END / 2 + i * PAGE);
    }
    expect_load(&vm, 1, 1);
    filter_add(PHYSICAL_END / 2);
    expect_load(&vm, 1, 0);
    case_end();
}

void tests(void)
{
    added_bits();
    all_four_bits();
    false_escapes();
    too_many();
    check_invariants();
}
