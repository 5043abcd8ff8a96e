/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data and fetches against docs/spec/caches.rst: which of them pass, and when,
 * worked out by hand.
 */
#include "test-passed.h"

/* -- Data -- */

static void data_passes_by_its_first_byte(void)
{
    start(BIG);
    simulator_load(&s, 12, 8);
    simulator_load(&s, 16, 8);
    EXPECT(2, DATA_AT(LOAD, IN_MEMORY));
    simulator_store(&s, 15, 4, "abcd");
    EXPECT(1, DATA_AT(STORE, IN_L1));
    end();
}

static void data_on_two_pages_passes_twice(void)
{
    start(BIG);
    map_from(ROOT, PAGE, DATA + PAGE, 1, LEAF);
    simulator_load(&s, PAGE - 4, 8);
    EXPECT(2, DATA_AT(LOAD, IN_MEMORY));
    /* The second walk comes after the first page's data. */
    expect_order(&CACHE(L1D), "200ff0 1000 10000 11000 12000 201000");
    end();
}

static void a_segments_data_passes(const char *geometry)
{
    start(geometry);
    now.cr9 = 64 * MiB;
    now.cr10 = 64 * MiB + PAGE;
    now.cr11 = DATA - 64 * MiB;
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);
    load(64 * MiB + 0x50);
    expect_order(&CACHE(L1D), "200050");
    load(64 * MiB + 0x50);
    EXPECT(1, DATA_AT(LOAD, IN_L1));
    EXPECT(101, s.passing.counts.data_cycles);
    end();
}

static void segments_alone_pass_data(void)
{
    a_segments_data_passes(BIG);
    a_segments_data_passes(BIG "segments l1\n");
}

static void nothing_passes_where_the_tlb_is_not_used(void)
{
    start(BIG "cache l1i size=16 ways=1 latency=1\n");
    now.cr0 = 1;
    operation(OPERATION_MOV_CR0, 0, 0, 0);
    load(0);
    store(PAGE);
    simulator_instruction(&s, 0, 1);
    EXPECT(0, cache_used(&s.passing.caches, &CACHE(L1D)));
    EXPECT(0, cache_used(&s.passing.caches, &CACHE(L1I)));
    EXPECT(0, s.passing.counts.data_cycles);
    end();
}

static void counts_begin_at_0_and_lines_stay(void)
{
    start(BIG);
    load(0);
    EXPECT(4, steps_at(STEPS(NATIVE, KERNEL), IN_MEMORY));
    simulator_begin(&s);
    load(0);
    EXPECT(0, DATA_AT(LOAD, IN_MEMORY));
    EXPECT(1, DATA_AT(LOAD, IN_L1));
    EXPECT(1, s.passing.counts.data_cycles);
    EXPECT(0, steps_at(STEPS(NATIVE, KERNEL), IN_MEMORY));
    EXPECT(5, cache_used(&s.passing.caches, &CACHE(L1D)));
    end();
}

/* -- Fetches -- */

#define WITH_L1I BIG "cache l1i size=1024 ways=64 latency=2\n"

static uint64_t fetches(void)
{
    return DATA_AT(FETCH, IN_L1) + DATA_AT(FETCH, IN_MEMORY);
}

static void an_instruction_passes_unless_it_is_in_the_line_before(void)
{
    start(WITH_L1I);
    simulator_instruction(&s, 0, 4);
    simulator_instruction(&s, 4, 4);
    simulator_instruction(&s, 12, 8);           /* begins in line 0 */
    EXPECT(1, fetches());
    simulator_instruction(&s, 20, 1);
    EXPECT(2, DATA_AT(FETCH, IN_MEMORY));
    load(0);                                    /* is no fetch */
    simulator_instruction(&s, 21, 1);
    EXPECT(2, fetches());
    simulator_instruction(&s, 0, 1);
    EXPECT(1, DATA_AT(FETCH, IN_L1));
    EXPECT(200 + 2 + 100, s.passing.counts.data_cycles);
    expect_order(&CACHE(L1I), "200010 200000");
    end();
}

/* Both pages are in one frame; the second one walks. */
static void a_line_is_one_by_its_hpa(void)
{
    start(WITH_L1I);
    simulator_instruction(&s, 0, 4);
    simulator_instruction(&s, PAGE + 4, 4);
    EXPECT(1, fetches());
    EXPECT(8, s.counts.guest_refs);
    simulator_instruction(&s, PAGE + 16, 4);
    EXPECT(2, fetches());
    end();
}

static void after_operations_an_instruction_passes_in_any_case(void)
{
    start(WITH_L1I);
    simulator_instruction(&s, 0, 4);
    operation(OPERATION_INVLPG, 5 * PAGE, 0, 0);
    simulator_instruction(&s, 4, 4);
    EXPECT(1, DATA_AT(FETCH, IN_L1));
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);  /* which changes nothing */
    simulator_instruction(&s, 8, 4);
    EXPECT(1, DATA_AT(FETCH, IN_L1));
    end();
}

/* l1d has one line, so what walks read is in l2 in the order of the reads. */
static void an_instruction_passes_after_its_fetches(void)
{
    start(TLB "caches line=16 memory=100\n"
          "cache l1d size=16 ways=1 latency=1\n"
          "cache l1i size=16 ways=1 latency=1\n"
          "cache l2 size=1024 ways=64 latency=3\n");
    map_from(ROOT, PAGE, DATA + PAGE, 1, LEAF);
    simulator_instruction(&s, PAGE - 4, 8);
    expect_order(&CACHE(L2), "1000 10000 11000 12000 200ff0");
    EXPECT(1, fetches());
    EXPECT(4 * 100 + 4 * 3, WALK_CYCLES(NATIVE, FETCH));
    end();
}

static void without_l1i_fetches_do_not_pass(void)
{
    start(BIG);
    simulator_instruction(&s, 0, 4);
    simulator_instruction(&s, 64, 4);
    EXPECT(0, fetches());
    expect_order(&CACHE(L1D), "1000 10000 11000 12000");
    end();
}

/* -- Mode inclusive -- */

static void in_mode_inclusive_only_misses_of_l1_pass(void)
{
    start(WITH_L1I "mode inclusive\n");
    load(0x40);
    load(0x80);
    EXPECT(1, DATA_AT(LOAD, IN_MEMORY));
    expect_order(&CACHE(L1D), "1000 10000 11000 12000 200040");
    simulator_instruction(&s, 0x100, 4);
    simulator_instruction(&s, 0x200, 4);
    expect_order(&CACHE(L1I), "200100");
    /* A fetch has the address of its access: of the page's first byte. */
    map_from(ROOT, PAGE, DATA + PAGE, 1, LEAF);
    simulator_instruction(&s, PAGE - 4, 8);
    expect_order(&CACHE(L1I), "200100 201000");
    end();
}

static void in_mode_inclusive_segment_hits_beside_l1_do_not_pass(void)
{
    start(BIG "segments l1\nmode inclusive\n");
    now.cr9 = 64 * MiB;
    now.cr10 = 64 * MiB + PAGE;
    now.cr11 = DATA - 64 * MiB;
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);
    load(64 * MiB);
    EXPECT(0, cache_used(&s.passing.caches, &CACHE(L1D)));
    end();
}

/* Accesses of eight bytes from a page's first one on, so many. */
static void ascend(uint64_t page, unsigned accesses)
{
    for (unsigned i = 0; i < accesses; i++) {
        simulator_load(&s, page + 8 * i, 8);
    }
}

/* Lines have 16 bytes: the third access is to the second one. */
static void a_sweep_passes_all_lines_of_a_page(void)
{
    start(BIG "mode inclusive\n");
    ascend(0, 2);
    EXPECT(1, DATA_AT(LOAD, IN_MEMORY));
    ascend(16, 1);
    EXPECT(256, DATA_AT(LOAD, IN_MEMORY));
    EXPECT(1, DATA_AT(LOAD, IN_L1));            /* the first line, again */
    EXPECT(256, s.passing.counts.swept[LOAD]);
    ascend(24, 60);
    EXPECT(256, DATA_AT(LOAD, IN_MEMORY));
    EXPECT(0, s.passing.counts.swept[STORE]);
    end();
}

static void a_sweep_is_of_the_kind_that_reaches_the_second_line(void)
{
    start(BIG "mode inclusive\n");
    load(0);
    store(16);
    EXPECT(256, s.passing.counts.swept[STORE]);
    EXPECT(255, DATA_AT(STORE, IN_MEMORY));
    end();
}

static void what_is_no_sweep(void)
{
    start(BIG "mode inclusive\n");
    load(1);                                    /* not from the first byte */
    load(16);
    load(PAGE);
    load(PAGE + 17);                            /* not its first byte */
    load(PAGE + 16);
    load(2 * PAGE);
    for (unsigned i = 0; i < 16; i++) {         /* as often as it has bytes */
        load(2 * PAGE + 15);
    }
    load(2 * PAGE + 16);
    load(3 * PAGE);
    operation(OPERATION_MOV_CR3, 0, ROOT, 0);
    load(3 * PAGE + 16);                        /* which misses, too */
    EXPECT(0, s.passing.counts.swept[LOAD]);
    EXPECT(5, DATA_AT(LOAD, IN_L1) + DATA_AT(LOAD, IN_MEMORY));
    end();
}

static void eight_pages_are_watched(void)
{
    start(BIG "mode inclusive\n");
    for (unsigned page = 0; page < 9; page++) {
        load(page * PAGE);
    }
    load(16);                                   /* eight have begun since */
    EXPECT(0, s.passing.counts.swept[LOAD]);
    load(PAGE + 16);
    EXPECT(256, s.passing.counts.swept[LOAD]);
    end();
}

/* Page 0 is swept, by its second line, so page 1 is watched; its n is 1. */
static void start_with_a_sweep(const char *geometry)
{
    start(geometry);
    load(0);
    load(16);
    EXPECT(256, s.passing.counts.swept[LOAD]);
}

static void expect_swept(unsigned pages)
{
    EXPECT(256 * pages, s.passing.counts.swept[LOAD]);
}

static void seven_pages_after_a_swept_one_are_swept_by_their_first_byte(void)
{
    start_with_a_sweep(BIG "mode inclusive\n");
    for (unsigned page = 1; page < 8; page++) {
        load(page * PAGE);
        expect_swept(page + 1);
    }
    EXPECT(8 + 8 * 256, DATA_AT(LOAD, IN_L1) + DATA_AT(LOAD, IN_MEMORY));
    end();
}

static void of_each_eighth_page_the_second_line_has_to_be_reached(void)
{
    start_with_a_sweep(BIG "mode inclusive\n");
    load_pages(1, 8);
    expect_swept(8);                            /* of page 8 n is 8 */
    load(8 * PAGE);
    expect_swept(8);
    load(8 * PAGE + 16);
    expect_swept(9);
    load_pages(9, 15);
    expect_swept(16);
    map(16 * PAGE, 1, LEAF);
    load(16 * PAGE);                            /* n is 16 */
    expect_swept(16);
    load(16 * PAGE + 16);
    expect_swept(17);
    end();
}

static void each_eighth_page_is_given_up_after_hits_of_its_first_line(void)
{
    start_with_a_sweep(BIG "mode inclusive\n");
    load_pages(1, 8);
    for (unsigned i = 0; i < 16; i++) {         /* as often as it has bytes */
        load(8 * PAGE);
    }
    load(8 * PAGE + 16);
    load(9 * PAGE);
    expect_swept(8);
    end();
}

static void what_hits_l1_is_taken_on_trust_too(void)
{
    start(BIG "mode inclusive\n");
    load(PAGE + 100);
    load(2 * PAGE + 100);
    load(0);
    load(16);
    EXPECT(3 + 256, DATA_AT(LOAD, IN_L1) + DATA_AT(LOAD, IN_MEMORY));
    load(PAGE);
    expect_swept(2);
    load(2 * PAGE);
    expect_swept(3);
    load(2 * PAGE);                             /* which is not watched now */
    expect_swept(3);
    /* The hits themselves do not pass. */
    EXPECT(3 + 3 * 256, DATA_AT(LOAD, IN_L1) + DATA_AT(LOAD, IN_MEMORY));
    end();
}

static void a_page_is_taken_on_trust_once(void)
{
    start_with_a_sweep(BIG "mode inclusive\n");
    load(PAGE);
    load(PAGE);
    load(PAGE + 16);
    expect_swept(2);
    operation(OPERATION_INVLPG, PAGE, 0, 0);
    load(PAGE);                                 /* misses; n is 0 */
    expect_swept(2);
    load(PAGE + 16);
    expect_swept(3);
    end();
}

static void a_miss_of_another_byte_ends_trust(void)
{
    start_with_a_sweep(BIG "mode inclusive\n");
    load(PAGE + 1);
    load(PAGE);
    load(PAGE + 16);
    expect_swept(1);
    end();
}

static void a_hit_behind_the_second_lines_first_byte_ends_trust(void)
{
    start(BIG "mode inclusive\n");
    load(PAGE + 100);
    load(0);
    load(16);
    load(PAGE + 17);
    load(PAGE);
    load(PAGE + 16);
    expect_swept(1);
    end();
}

/* Hits of page 1's first line, so many, come before that of its first byte. */
static void load_first_line_before_first_byte(unsigned hits)
{
    start(BIG "mode inclusive\n");
    load(PAGE + 100);
    load(0);
    load(16);
    for (unsigned i = 0; i < hits; i++) {
        load(PAGE + 15);
    }
    load(PAGE);
}

static void as_many_hits_as_a_line_has_bytes_end_trust(void)
{
    load_first_line_before_first_byte(15);
    expect_swept(2);
    end();
    load_first_line_before_first_byte(16);
    expect_swept(1);
    end();
}

static void the_second_line_suffices_where_there_is_trust(void)
{
    start(BIG "mode inclusive\n");
    load(PAGE + 100);
    load(0);
    load(16);
    load(PAGE + 16);                            /* n is 1 */
    expect_swept(2);
    load_pages(2, 7);
    expect_swept(8);
    load(8 * PAGE);                             /* n is 8 */
    expect_swept(8);
    end();
}

static void the_upper_page_of_an_access_is_taken_on_trust(void)
{
    start_with_a_sweep(BIG "mode inclusive\n");
    simulator_load(&s, PAGE - 4, 8);
    expect_swept(2);
    end();
}

static void a_page_on_trust_is_swept_as_the_kind_that_reaches_it(void)
{
    start_with_a_sweep(BIG "mode inclusive\n");
    store(PAGE);
    expect_swept(1);
    EXPECT(256, s.passing.counts.swept[STORE]);
    EXPECT(1, DATA_AT(STORE, IN_L1));           /* the store's own line */
    EXPECT(256, DATA_AT(STORE, IN_MEMORY));
    end();
}

/* Lines have 1024 bytes, so a page has four; all are there in the end. */
static void an_access_passes_before_the_sweep_of_its_page(void)
{
    start(TLB "caches line=1024 memory=100\n"
          "cache l1d size=65536 ways=64 latency=1\n"
          "mode inclusive\n");
    map_from(ROOT, PAGE, DATA + PAGE, 1, LEAF);
    load(0);
    load(1024);
    load(PAGE);
    EXPECT(8, s.passing.counts.swept[LOAD]);
    EXPECT(2, DATA_AT(LOAD, IN_L1));
    EXPECT(8, DATA_AT(LOAD, IN_MEMORY));
    expect_order(&CACHE(L1D), "200000 200400 200800 200c00 "
                 "1000 10000 11000 12000 201000 201400 201800 201c00");
    end();
}

static void a_sweep_watches_a_watched_page_with_its_own_number(void)
{
    start(BIG "mode inclusive\n");
    load(PAGE);                                 /* n is 0 */
    load(0);
    load(16);
    load(PAGE);                                 /* n is 1 */
    expect_swept(2);
    load_pages(2, 5);
    load(7 * PAGE);
    load(7 * PAGE + 16);                        /* of page 8 n is 1 */
    expect_swept(7);
    load_pages(6, 7);                           /* of page 8 n is 8 */
    expect_swept(9);
    load(8 * PAGE);
    expect_swept(9);
    end();
}

static void eight_later_watches_end_trust(void)
{
    start_with_a_sweep(BIG "mode inclusive\n");
    load_pages(2, 8);                           /* seven */
    load(PAGE);
    expect_swept(2);
    end();
    start_with_a_sweep(BIG "mode inclusive\n");
    load_pages(2, 9);                           /* eight */
    load(PAGE);
    expect_swept(1);
    end();
}

static void segments_beside_l1_end_trust(void)
{
    start(BIG "segments l1\nmode inclusive\n");
    now.cr9 = PAGE;
    now.cr10 = 2 * PAGE;
    now.cr11 = DATA - PAGE;
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);
    load(0);
    load(16);
    load(PAGE);
    expect_swept(1);
    now.cr9 = now.cr10 = now.cr11 = 0;
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);
    load(PAGE);                                 /* misses; n is 0 */
    expect_swept(1);
    load(PAGE + 16);
    expect_swept(2);
    end();
}

static void only_what_ends_watches_ends_trust(void)
{
    start_with_a_sweep(BIG "mode inclusive\n");
    operation(OPERATION_INVLPG, PAGE, 0, 0);
    load(PAGE);
    expect_swept(2);
    operation(OPERATION_MOV_CR3, 0, ROOT, 0);
    load(2 * PAGE);
    expect_swept(2);
    load(2 * PAGE + 16);
    expect_swept(3);
    end();
}

static void behind_the_last_page_the_first_one_is_taken_on_trust(void)
{
    start(BIG "mode inclusive\n");
    map(-PAGE, 1, LEAF);
    load(-PAGE);
    load(-PAGE + 16);
    expect_swept(1);
    load(0);
    expect_swept(2);
    end();
}

static void in_mode_exact_there_are_no_sweeps(void)
{
    start(BIG);
    ascend(0, 3);
    EXPECT(0, s.passing.counts.swept[LOAD]);
    EXPECT(3, DATA_AT(LOAD, IN_L1) + DATA_AT(LOAD, IN_MEMORY));
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define CASE(path, function) g_test_add_func("/tlb-passing/" path, function)
    CASE("data/first-byte", data_passes_by_its_first_byte);
    CASE("data/two-pages", data_on_two_pages_passes_twice);
    CASE("data/segments-alone", segments_alone_pass_data);
    CASE("data/not-without-the-tlb", nothing_passes_where_the_tlb_is_not_used);
    CASE("data/begin", counts_begin_at_0_and_lines_stay);
    CASE("fetch/once-a-line",
         an_instruction_passes_unless_it_is_in_the_line_before);
    CASE("fetch/lines-by-hpa", a_line_is_one_by_its_hpa);
    CASE("fetch/after-operations",
         after_operations_an_instruction_passes_in_any_case);
    CASE("fetch/after-those-of-the-tlb",
         an_instruction_passes_after_its_fetches);
    CASE("fetch/not-without-l1i", without_l1i_fetches_do_not_pass);
    CASE("inclusive-mode/misses-of-l1",
         in_mode_inclusive_only_misses_of_l1_pass);
    CASE("inclusive-mode/segments-beside-l1",
         in_mode_inclusive_segment_hits_beside_l1_do_not_pass);
    CASE("sweeps/all-lines-of-a-page", a_sweep_passes_all_lines_of_a_page);
    CASE("sweeps/kind", a_sweep_is_of_the_kind_that_reaches_the_second_line);
    CASE("sweeps/others", what_is_no_sweep);
    CASE("sweeps/eight-at-most", eight_pages_are_watched);
    CASE("sweeps/not-in-mode-exact", in_mode_exact_there_are_no_sweeps);
    CASE("trust/seven-pages",
         seven_pages_after_a_swept_one_are_swept_by_their_first_byte);
    CASE("trust/not-the-eighth",
         of_each_eighth_page_the_second_line_has_to_be_reached);
    CASE("trust/eighth-given-up",
         each_eighth_page_is_given_up_after_hits_of_its_first_line);
    CASE("trust/hits", what_hits_l1_is_taken_on_trust_too);
    CASE("trust/once", a_page_is_taken_on_trust_once);
    CASE("trust/miss-of-another-byte", a_miss_of_another_byte_ends_trust);
    CASE("trust/hit-too-far",
         a_hit_behind_the_second_lines_first_byte_ends_trust);
    CASE("trust/hits-of-the-first-line",
         as_many_hits_as_a_line_has_bytes_end_trust);
    CASE("trust/second-line", the_second_line_suffices_where_there_is_trust);
    CASE("trust/two-pages", the_upper_page_of_an_access_is_taken_on_trust);
    CASE("trust/kind", a_page_on_trust_is_swept_as_the_kind_that_reaches_it);
    CASE("trust/order", an_access_passes_before_the_sweep_of_its_page);
    CASE("trust/watched-before",
         a_sweep_watches_a_watched_page_with_its_own_number);
    CASE("trust/eight-at-most", eight_later_watches_end_trust);
    CASE("trust/segments-beside-l1", segments_beside_l1_end_trust);
    CASE("trust/operations", only_what_ends_watches_ends_trust);
    CASE("trust/last-page", behind_the_last_page_the_first_one_is_taken_on_trust);
    return g_test_run();
}
