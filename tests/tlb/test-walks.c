/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The references of walks against docs/spec/caches.rst: in which order they
 * pass, what they count as, and which are spared, worked out by hand.
 *
 * The tables of page 0 have their entries at 1000, 10000, 11000 and 12000.
 */
#include "test-passed.h"

/* -- Walks -- */

static void a_native_walk_goes_from_the_root_to_the_data(void)
{
    start(BIG);
    load(0);
    expect_order(&CACHE(L1D), "1000 10000 11000 12000 200000");
    for (unsigned level = 1; level <= 4; level++) {
        EXPECT(1, GUEST_STEPS(level, IN_MEMORY));
    }
    EXPECT(400, WALK_CYCLES(NATIVE, LOAD));
    EXPECT(100, s.passing.counts.data_cycles);
    /* Its last entry is beside the first page's; so is its frame. */
    store(PAGE);
    for (unsigned level = 1; level <= 4; level++) {
        EXPECT(1, GUEST_STEPS(level, IN_L1));
    }
    EXPECT(4, WALK_CYCLES(NATIVE, STORE));
    EXPECT(101, s.passing.counts.data_cycles);
    EXPECT(1, DATA_AT(LOAD, IN_MEMORY));
    EXPECT(1, DATA_AT(STORE, IN_L1));
    end();
}

static void larger_pages_have_fewer_steps(void)
{
    start(BIG "array l1d pages=2m,1g entries=2 ways=2\n");
    map(4 * MiB, 2, LEAF);
    map(GiB, 3, LEAF);
    load(4 * MiB + 0x20);       /* entry 2 of the table at 11000 */
    load(GiB + 0x300);          /* to 0; entry 1 of the table at 10000 */
    expect_order(&CACHE(L1D), "11010 200020 1000 10000 300");
    EXPECT(0, GUEST_STEPS(1, IN_MEMORY) + GUEST_STEPS(1, IN_L1));
    EXPECT(1, GUEST_STEPS(2, IN_MEMORY));
    EXPECT(1, GUEST_STEPS(3, IN_MEMORY));
    EXPECT(1, GUEST_STEPS(3, IN_L1));
    end();
}

/*
 * The nested entries are at 2000, 13000, and 14000 for the tables or 14008 for
 * the page, which is the same line.
 */
static void nested_entries_come_before_the_one_they_are_for(void)
{
    start(BIG);
    vmrun(1, 0);
    load(0);
    expect_order(&CACHE(L1D),
                 "1000 10000 11000 12000 2000 13000 14000 200000");
    for (unsigned level = 2; level <= 4; level++) {
        EXPECT(1, NESTED_STEPS(4, level, IN_MEMORY));
        for (unsigned for_level = 0; for_level < 4; for_level++) {
            EXPECT(1, NESTED_STEPS(for_level, level, IN_L1));
        }
    }
    EXPECT(7, steps_at(STEPS(NESTED, KERNEL), IN_MEMORY));
    EXPECT(7 * 100 + 12, WALK_CYCLES(BASE, LOAD));
    end();
}

/* Without references for the page, the guest's last entry is the last. */
static void an_entry_comes_after_the_nested_ones_for_it(void)
{
    start(BIG);
    now.vmm_base = DATA;
    now.vmm_limit = DATA + PAGE;
    vmrun(1, 0);
    load(0);
    expect_order(&CACHE(L1D),
                 "1000 10000 11000 2000 13000 14000 12000 200000");
    EXPECT(7 * 100 + 9, WALK_CYCLES(MIXED, LOAD));
    end();
}

/* 3 lines, and 4 that take turns. */
static void each_entry_has_its_nested_ones_anew(void)
{
    start(TLB "caches line=16 memory=100\n"
          "cache l1d size=48 ways=3 latency=1\n");
    vmrun(1, 0);
    load(0);
    EXPECT(19, steps_at(STEPS(NESTED, KERNEL), IN_MEMORY));
    EXPECT(0, steps_at(STEPS(NESTED, KERNEL), IN_L1));
    EXPECT(1900, WALK_CYCLES(BASE, LOAD));
    end();
}

/* The root table is at another gPA than hPA, the page at another hPA. */
static void what_passes_are_hpas(void)
{
    start(BIG);
    map_nested(4 * MiB, 0, 2);          /* by the entry at 14010 */
    vmrun(1, 0);
    map_nested(DATA, DATA + 2 * MiB, 2);
    now.cr3 = 4 * MiB + ROOT;
    operation(OPERATION_MOV_CR3, 0, now.cr3, 0);
    load(0);
    expect_order(&CACHE(L1D),
                 "14010 1000 10000 11000 12000 2000 13000 14000 400000");
    end();
}

static void a_guest_without_paging_has_nested_steps_alone(void)
{
    start(BIG);
    now.cr0 = 1;
    vmrun(1, 0);
    load(DATA + 0x40);
    expect_order(&CACHE(L1D), "2000 13000 14000 200040");
    EXPECT(3, steps_at(STEPS(NESTED, KERNEL), IN_MEMORY));
    EXPECT(1, NESTED_STEPS(0, 4, IN_MEMORY));
    end();
}

static void a_walk_is_of_its_privilege(void)
{
    start(BIG);
    simulator_privilege(&s, 3);
    load(0);
    simulator_privilege(&s, 0);
    load(PAGE);
    EXPECT(4, steps_at(STEPS(NATIVE, USER), IN_MEMORY));
    EXPECT(4, steps_at(STEPS(NATIVE, KERNEL), IN_L1));
    EXPECT(400, s.passing.counts.walk_cycles[REF_NATIVE][LOAD]
                                            [PRIVILEGE_USER]);
    EXPECT(4, WALK_CYCLES(NATIVE, LOAD));
    end();
}

/* -- What is spared -- */

static void a_walk_cache_spares_the_upper_entries(void)
{
    start(BIG "walk-cache guest pde=2\n");
    load(0);
    EXPECT(0, steps_at(STEPS(NATIVE, KERNEL), SPARED));
    load(PAGE);
    for (unsigned level = 2; level <= 4; level++) {
        EXPECT(1, GUEST_STEPS(level, SPARED));
    }
    EXPECT(1, GUEST_STEPS(1, IN_L1));
    EXPECT(401, WALK_CYCLES(NATIVE, LOAD));
    expect_order(&CACHE(L1D), "1000 10000 11000 12000 200000");
    end();
}

static void and_the_nested_ones_for_them(void)
{
    start(BIG "walk-cache guest pde=2\n");
    vmrun(1, 0);
    load(0);
    load(PAGE);
    for (unsigned level = 2; level <= 4; level++) {
        for (unsigned for_level = 2; for_level <= 4; for_level++) {
            EXPECT(1, NESTED_STEPS(for_level, level, SPARED));
        }
    }
    EXPECT(9 + 3, steps_at(STEPS(NESTED, KERNEL), SPARED));
    EXPECT(12 + 7, steps_at(STEPS(NESTED, KERNEL), IN_L1));
    end();
}

/* What one gPA has filled spares the next ones: 0 is in the tables' page. */
static void a_nested_tlb_spares_all_of_a_gpa(void)
{
    start(BIG "array nested pages=2m entries=4 ways=4\n");
    vmrun(1, 0);
    load(0);
    for (unsigned level = 2; level <= 4; level++) {
        EXPECT(1, NESTED_STEPS(4, level, IN_MEMORY));
        for (unsigned for_level = 1; for_level < 4; for_level++) {
            EXPECT(1, NESTED_STEPS(for_level, level, SPARED));
        }
        EXPECT(1, NESTED_STEPS(0, level, IN_L1));
    }
    EXPECT(9, steps_at(STEPS(NESTED, KERNEL), SPARED));
    end();
}

static void a_nested_walk_cache_spares_upper_entries(void)
{
    start(BIG "walk-cache nested pdpte=1\n");
    vmrun(1, 0);
    load(0);
    for (unsigned for_level = 0; for_level < 4; for_level++) {
        EXPECT(1, NESTED_STEPS(for_level, 4, SPARED));
        EXPECT(1, NESTED_STEPS(for_level, 3, SPARED));
        EXPECT(1, NESTED_STEPS(for_level, 2, IN_L1));
    }
    EXPECT(8, steps_at(STEPS(NESTED, KERNEL), SPARED));
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define CASE(path, function) g_test_add_func("/tlb-walks/" path, function)
    CASE("walk/native", a_native_walk_goes_from_the_root_to_the_data);
    CASE("walk/large-pages", larger_pages_have_fewer_steps);
    CASE("walk/nested", nested_entries_come_before_the_one_they_are_for);
    CASE("walk/nested-then-the-entry",
         an_entry_comes_after_the_nested_ones_for_it);
    CASE("walk/nested-anew-for-each-entry",
         each_entry_has_its_nested_ones_anew);
    CASE("walk/hpas", what_passes_are_hpas);
    CASE("walk/guest-without-paging",
         a_guest_without_paging_has_nested_steps_alone);
    CASE("walk/privilege", a_walk_is_of_its_privilege);
    CASE("spared/by-a-walk-cache", a_walk_cache_spares_the_upper_entries);
    CASE("spared/nested-ones-for-spared-entries", and_the_nested_ones_for_them);
    CASE("spared/by-a-nested-tlb", a_nested_tlb_spares_all_of_a_gpa);
    CASE("spared/by-a-nested-walk-cache",
         a_nested_walk_cache_spares_upper_entries);
    return g_test_run();
}
