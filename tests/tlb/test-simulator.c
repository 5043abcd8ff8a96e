/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reference simulator against docs/spec/tlb.rst, rule by rule, with counts
 * worked out by hand: short programs of a few accesses.
 */
#include "test-cpu.h"

/* L1D 4 sets of 2, L1I one of 2, L2 one of 8: what most tests have. */
#define SMALL "array l1d pages=4k entries=8 ways=2 policy=lru\n" \
              "array l1i pages=4k entries=2 ways=2 policy=lru\n" \
              "array l2 pages=4k entries=8 ways=8 policy=lru\n"

static uint64_t sum(uint64_t table[KINDS][PAGE_SIZES])
{
    uint64_t all = 0;

    for (unsigned i = 0; i < KINDS * PAGE_SIZES; i++) {
        all += table[i / PAGE_SIZES][i % PAGE_SIZES];
    }
    return all;
}

static uint64_t of_kinds(const uint64_t counts[KINDS])
{
    return counts[LOAD] + counts[STORE] + counts[FETCH];
}

#define HITS(level) sum(s.counts.hits[level])
#define MISSES(level) sum(s.counts.misses[level])
#define WALKS of_kinds(s.counts.walks)
#define OPERATIONS(cause) s.counts.operations[CAUSE_##cause]

static void end(void)
{
    EXPECT(MISSES(2) - of_kinds(s.counts.segment_hits), WALKS);
    EXPECT(MISSES(1), HITS(2) + MISSES(2));
    g_assert_null(s.error);
    simulator_free(&s);
}

/* -- What it has counted -- */

/* L1 and L2 entries removed, since the last time. */
static void expect_removed(enum cause cause, uint64_t l1, uint64_t l2)
{
    EXPECT(l1, s.counts.removed[1][cause]);
    EXPECT(l2, s.counts.removed[2][cause]);
    s.counts.removed[1][cause] = s.counts.removed[2][cause] = 0;
}

/* Whether an access would walk, which it then has done. */
static bool walks(uint64_t address)
{
    uint64_t before = WALKS;

    load(address);
    return WALKS > before;
}

/* -- Accesses -- */

static void miss_then_hits(void)
{
    start(SMALL);
    load(0);
    load(PAGE - 1);
    store(8);
    EXPECT(1, MISSES(1));
    EXPECT(1, MISSES(2));
    EXPECT(1, WALKS);
    EXPECT(4, s.counts.guest_refs);
    EXPECT(1, s.counts.hits[1][LOAD][PAGES_4K]);
    EXPECT(1, s.counts.hits[1][STORE][PAGES_4K]);
    end();
}

static void l2_hit_fills_l1(void)
{
    start(SMALL);
    load_pages(0, 0);
    load(4 * PAGE);         /* the same set of L1D, 2 ways */
    load(8 * PAGE);
    EXPECT(1, s.tlb.array[0].evictions);
    load(0);
    EXPECT(1, HITS(2));
    EXPECT(3, WALKS);
    load(0);
    EXPECT(1, HITS(1));
    end();
}

static void straddling_is_two_accesses(void)
{
    start(SMALL);
    simulator_load(&s, PAGE - 4, 8);
    EXPECT(2, WALKS);
    simulator_load(&s, PAGE - 8, 8);
    EXPECT(1, HITS(1));
    simulator_store(&s, PAGE - 1, 2, "ab");
    EXPECT(2, s.counts.hits[1][STORE][PAGES_4K]);
    /* Both pages are at DATA. */
    EXPECT('a', s.world.ram[DATA + PAGE - 1]);
    EXPECT('b', s.world.ram[DATA]);
    end();
}

static void without_paging_no_tlb(void)
{
    start(SMALL);
    now.cr0 = 1;
    operation(OPERATION_MOV_CR0, 0, 0, 0);
    load(0);
    store(0x5000);
    simulator_instruction(&s, 0, 1);
    EXPECT(0, MISSES(1));
    EXPECT(1, OPERATIONS(CR0));
    end();
}

static void no_l2(void)
{
    start("array l1d pages=4k entries=2 ways=2 policy=lru\n"
          "array l1i pages=4k entries=2 ways=2 policy=lru\n");
    load_pages(0, 2);
    EXPECT(3, MISSES(1));
    EXPECT(3, MISSES(2));
    EXPECT(3, WALKS);
    end();
}

static void faults_are_an_error(void)
{
    start(SMALL);
    load(64 * MiB);
    g_assert_nonnull(s.error);
    s.error = NULL;
    end();
}

/* -- Fetches -- */

static void one_fetch_a_page(void)
{
    start(SMALL);
    simulator_instruction(&s, 0, 4);
    simulator_instruction(&s, 4, 4);
    EXPECT(1, MISSES(1));
    EXPECT(0, HITS(1));
    simulator_instruction(&s, PAGE - 1, 3);     /* fetches the second only */
    EXPECT(2, MISSES(1));
    simulator_instruction(&s, PAGE - 1, 3);     /* both again */
    EXPECT(2, s.counts.hits[1][FETCH][PAGES_4K]);
    simulator_instruction(&s, PAGE + 2, 1);
    EXPECT(2, HITS(1));
    EXPECT(2, s.counts.misses[2][FETCH][PAGES_4K]);
    end();
}

static void fetches_and_loads_have_their_own_l1(void)
{
    start(SMALL);
    load(0);
    simulator_instruction(&s, 0, 1);
    EXPECT(1, s.counts.misses[1][FETCH][PAGES_4K]);
    EXPECT(1, s.counts.hits[2][FETCH][PAGES_4K]);
    end();
}

/* Whether the operation is followed by a fetch of the same page. */
static bool refetches(uint8_t which, uint64_t value0)
{
    uint64_t before;

    simulator_instruction(&s, 0, 1);
    before = HITS(1) + MISSES(1);
    operation(which, 5 * PAGE, value0, 0);
    simulator_instruction(&s, 1, 1);
    return HITS(1) + MISSES(1) > before;
}

static void operations_are_followed_by_a_fetch(void)
{
    start(SMALL);
    g_assert_true(refetches(OPERATION_INVLPG, 0));
    g_assert_true(refetches(OPERATION_INVLPGA, 7));
    g_assert_true(refetches(OPERATION_INVPCID, 0));
    g_assert_true(refetches(OPERATION_MOV_CR3, ROOT));
    /* Nothing of the table changes. */
    g_assert_false(refetches(OPERATION_MOV_CR0, 0));
    g_assert_false(refetches(OPERATION_MOV_CR4, 0));
    g_assert_false(refetches(OPERATION_MOV_SEGMENT, 0));
    now.filter[0] = 1;
    g_assert_false(refetches(OPERATION_WRMSR, 0));
    now.cr11 = PAGE;
    g_assert_false(refetches(OPERATION_MOV_SEGMENT, 0));
    now.cr4 ^= CR4_PGE;
    g_assert_true(refetches(OPERATION_MOV_CR4, 0));
    now.cr4 |= CR4_PCIDE;
    g_assert_false(refetches(OPERATION_MOV_CR4, 0));
    g_assert_true(refetches(OPERATION_MOV_CR3, 1ull << 63 | ROOT));
    now.vmm_limit = PAGE;
    g_assert_true(refetches(OPERATION_WRMSR, 0));
    map_nested(0, 0, 2);
    map_nested(DATA, DATA, 2);
    now.asid = now.nested = 1;
    now.ncr3 = NESTED_ROOT;
    now.vmm_limit = 0;
    g_assert_true(refetches(OPERATION_VMRUN, 0));
    now.asid = now.nested = 0;
    g_assert_true(refetches(OPERATION_VMEXIT, 0));
    end();
}

/* -- Dirty pages -- */

static void first_store_walks(void)
{
    uint64_t *leaf;

    start(SMALL);
    leaf = map(0, 1, LEAF & ~D);
    load(0);
    EXPECT(0, *leaf & D);
    store(0);
    EXPECT(1, s.counts.dirty_misses[1]);
    EXPECT(1, s.counts.dirty_misses[2]);
    EXPECT(2, WALKS);
    EXPECT(D, *leaf & D);
    store(0);
    load(0);
    EXPECT(2, WALKS);
    EXPECT(2, HITS(1));
    end();
}

static void store_first_walks_once(void)
{
    start(SMALL);
    map(0, 1, LEAF & ~D);
    store(0);
    store(0);
    EXPECT(1, WALKS);
    EXPECT(0, s.counts.dirty_misses[1]);
    end();
}

/* L1 has the page without store, L2 with it: one walk less. */
static void l2_may_know_better(void)
{
    start(SMALL);
    map(0, 1, LEAF & ~D);
    simulator_instruction(&s, 0, 1);    /* L1I and L2, without store */
    store(0);                           /* L2 again, with store */
    EXPECT(0, s.counts.dirty_misses[1]);
    EXPECT(1, s.counts.dirty_misses[2]);
    EXPECT(2, WALKS);
    end();
}

static void read_only_page_is_not_for_stores(void)
{
    start(SMALL);
    map(0, 1, LEAF & ~W);
    now.cr0 &= ~0x10000ull;             /* CR0.WP = 0: stores are allowed */
    operation(OPERATION_MOV_CR0, 0, 0, 0);
    load(0);
    store(0);
    EXPECT(1, s.counts.dirty_misses[1]);
    EXPECT(2, WALKS);
    end();
}

/* -- Page sizes -- */

static void sizes_have_their_arrays(void)
{
    start(SMALL "array l1d pages=2m entries=2 ways=2 policy=lru\n"
          "array l1d pages=1g entries=1 ways=1 policy=lru\n");
    map(2 * MiB, 2, LEAF);
    map(GiB, 3, LEAF);
    load(2 * MiB);
    load(3 * MiB);
    load(GiB);
    load(2 * GiB - 1);
    EXPECT(1, s.counts.misses[1][LOAD][PAGES_2M]);
    EXPECT(1, s.counts.hits[1][LOAD][PAGES_2M]);
    EXPECT(1, s.counts.misses[2][LOAD][PAGES_1G]);
    EXPECT(1, s.counts.hits[1][LOAD][PAGES_1G]);
    EXPECT(3 + 2, s.counts.guest_refs);
    end();
}

static void l1_takes_pieces_l2_nothing(void)
{
    start(SMALL "array l1d pages=2m entries=2 ways=2 policy=lru\n");
    map(GiB, 3, LEAF);
    load(GiB);
    load(GiB + 2 * MiB - 1);
    load(GiB + 2 * MiB);
    EXPECT(1, s.counts.hits[1][LOAD][PAGES_2M]);
    EXPECT(2, s.counts.misses[1][LOAD][PAGES_1G]);
    EXPECT(2, s.counts.misses[2][LOAD][PAGES_1G]);
    simulator_instruction(&s, GiB, 1);          /* L1I has 4 KiB only */
    simulator_instruction(&s, GiB + PAGE, 1);
    EXPECT(2, s.counts.misses[2][FETCH][PAGES_1G]);
    EXPECT(4, WALKS);
    end();
}

static void l2_of_two_sizes(void)
{
    start("array l1d pages=4k,2m entries=1 ways=1 policy=lru\n"
          "array l1i pages=4k entries=1 ways=1 policy=lru\n"
          "array l2 pages=4k,2m entries=4 ways=2 policy=lru\n");
    map(2 * MiB, 2, LEAF);      /* number 1: set 1 */
    load(2 * MiB);
    load(PAGE);                 /* number 1 too */
    load(3 * PAGE);             /* and the third in 2 ways */
    EXPECT(1, s.tlb.array[2].evictions);
    g_assert_true(walks(2 * MiB));
    end();
}

/* -- Tags -- */

static void pcids_and_global_pages(void)
{
    start(SMALL);
    now.cr4 |= CR4_PCIDE;
    operation(OPERATION_MOV_CR4, 0, 0, 0);
    map(PAGE, 1, LEAF | G);
    load(0);
    load(PAGE);
    now.cr3 = ROOT | 5;
    operation(OPERATION_MOV_CR3, 0, ROOT | 5, 0);
    EXPECT(1, OPERATIONS(MOV_CR3));
    expect_removed(CAUSE_MOV_CR3, 0, 0);
    g_assert_false(walks(PAGE));
    g_assert_true(walks(0));
    now.cr3 = ROOT;
    operation(OPERATION_MOV_CR3, 0, ROOT | 1ull << 63, 0);
    g_assert_false(walks(0));
    operation(OPERATION_MOV_CR3, 0, ROOT, 0);
    expect_removed(CAUSE_MOV_CR3, 1, 1);
    g_assert_true(walks(0));
    g_assert_false(walks(PAGE));
    EXPECT(2, OPERATIONS(MOV_CR3));     /* not the one with bit 63 */
    end();
}

static void global_needs_pge(void)
{
    start(SMALL);
    now.cr4 &= ~CR4_PGE;
    operation(OPERATION_MOV_CR4, 0, 0, 0);
    map(0, 1, LEAF | G);
    load(0);
    operation(OPERATION_MOV_CR3, 0, ROOT, 0);
    expect_removed(CAUSE_MOV_CR3, 1, 1);
    end();
}

static void asids(void)
{
    start(SMALL);
    load(0);
    vmrun(1, 0);
    g_assert_true(walks(0));
    vmexit();
    vmrun(2, 0);
    g_assert_true(walks(0));
    vmexit();
    vmrun(1, 0);
    g_assert_false(walks(0));
    vmexit();
    g_assert_false(walks(0));
    EXPECT(0, OPERATIONS(TLB_CONTROL));
    end();
}

/* -- Policies -- */

#define ONE_SET(policy) "array l1d pages=4k entries=4 ways=4 policy=" policy \
    "\narray l1i pages=4k entries=1 ways=1 policy=lru\n"

/* Pages 0 to 3, then 0 again, then 4: is that page still there? */
static bool survives(const char *geometry, unsigned page)
{
    bool walked;

    start(geometry);
    load_pages(0, 3);
    load_pages(0, 0);
    load_pages(4, 4);
    walked = walks(page * PAGE);
    end();
    return !walked;
}

static void lru(void)
{
    g_assert_true(survives(ONE_SET("lru"), 0));
    g_assert_false(survives(ONE_SET("lru"), 1));
    g_assert_true(survives(ONE_SET("lru"), 2));
}

static void fifo(void)
{
    g_assert_false(survives(ONE_SET("fifo"), 0));
    g_assert_true(survives(ONE_SET("fifo"), 1));
}

/*
 * Touches of ways 0, 1, 2, 3, 0 leave: root 1 (above), node 2: 1 (way 1),
 * node 3: 0 (way 2). So the victim is way 2.
 */
static void plru(void)
{
    g_assert_true(survives(ONE_SET("plru"), 0));
    g_assert_true(survives(ONE_SET("plru"), 1));
    g_assert_false(survives(ONE_SET("plru"), 2));
    g_assert_true(survives(ONE_SET("plru"), 3));
}

/*
 * splitmix64 from 0 begins with 0xe220a8397b1dcdaf, from 1 with
 * 0x910a2dec89025cc1 (as is published with the generator): ways 3 and 1.
 */
static void random_victims(void)
{
    g_assert_false(survives(ONE_SET("random"), 3));
    g_assert_true(survives(ONE_SET("random"), 1));
    g_assert_false(survives(ONE_SET("random") "seed 1\n", 1));
    g_assert_true(survives(ONE_SET("random") "seed 1\n", 3));
}

static void array_number_adds_to_the_seed(void)
{
    const char *second = "array l1i pages=4k entries=1 ways=1 policy=lru\n"
                         "array l1d pages=4k entries=4 ways=4 policy=random\n";

    g_assert_false(survives(second, 1));
    g_assert_true(survives(second, 3));
}

static void lowest_invalid_way_first(void)
{
    start(ONE_SET("fifo"));
    load_pages(0, 3);
    operation(OPERATION_INVLPG, 2 * PAGE, 0, 0);
    load_pages(4, 4);
    EXPECT(0, s.tlb.array[0].evictions);
    load_pages(5, 5);       /* the oldest fill: page 0 */
    EXPECT(1, s.tlb.array[0].evictions);
    g_assert_false(walks(4 * PAGE));
    g_assert_true(walks(0));
    end();
}

/* -- Invalidations -- */

/* Pages 0 and 1 of PCIDs 0 and 5; page 1 is global. */
static void fill_two_pcids(void)
{
    start(SMALL);
    now.cr4 |= CR4_PCIDE;
    operation(OPERATION_MOV_CR4, 0, 0, 0);
    map(PAGE, 1, LEAF | G);
    load_pages(0, 1);
    now.cr3 = ROOT | 5;
    operation(OPERATION_MOV_CR3, 0, now.cr3, 0);
    load_pages(0, 2);
    expect_removed(CAUSE_MOV_CR3, 0, 0);
}

static void invlpg(void)
{
    start(SMALL);
    map(PAGE, 1, LEAF | G);
    load_pages(0, 3);
    simulator_instruction(&s, 0, 1);
    operation(OPERATION_INVLPG, PAGE - 1, 0, 0);
    expect_removed(CAUSE_INVLPG, 2, 1);         /* L1D, L1I; L2 */
    operation(OPERATION_INVLPG, PAGE, 0, 0);
    expect_removed(CAUSE_INVLPG, 1, 1);
    operation(OPERATION_INVLPG, PAGE, 0, 0);
    expect_removed(CAUSE_INVLPG, 0, 0);
    EXPECT(3, OPERATIONS(INVLPG));
    end();
}

/* It was filled by another PCID. */
static void invlpg_of_a_global_page(void)
{
    fill_two_pcids();
    operation(OPERATION_INVLPG, PAGE, 0, 0);
    expect_removed(CAUSE_INVLPG, 1, 1);
    operation(OPERATION_INVLPG, 0, 0, 0);       /* but not PCID 0's page 0 */
    expect_removed(CAUSE_INVLPG, 1, 1);
    end();
}

/* A guest with pages of 2M at 4 and 6 MiB, on nested pages of 4K. */
static void run_on_small_nested_pages(void)
{
    start(SMALL);
    map(4 * MiB, 2, LEAF);
    map(6 * MiB, 2, LEAF);
    vmrun(1, 0);
    *map_from(NESTED_ROOT, DATA, 0, 2, 0) = 0;
    for (uint64_t page = 0; page < 512; page++) {
        map_nested(DATA + page * PAGE, DATA + page * PAGE, 1);
    }
}

/* Three pieces of the first of those pages, one of the other; two of none. */
static void fill_pieces(void)
{
    run_on_small_nested_pages();
    load_pages(0, 1);
    load(4 * MiB);                      /* set 0 of L1D, beside page 0 */
    load(6 * MiB - PAGE);               /* set 3 */
    load(6 * MiB + 2 * PAGE);           /* set 2 */
    simulator_instruction(&s, 4 * MiB + PAGE, 1);
    EXPECT(5, s.counts.misses[2][LOAD][PAGES_4K]);
    EXPECT(6, WALKS);
}

static void all_pieces_of_a_page(void)
{
    fill_pieces();
    operation(OPERATION_INVLPG, 4 * MiB + 77 * PAGE + 5, 0, 0);
    expect_removed(CAUSE_INVLPG, 3, 3);         /* L1D 2, L1I 1; L2 */
    g_assert_true(walks(6 * MiB - PAGE));
    g_assert_false(walks(6 * MiB + 2 * PAGE));
    operation(OPERATION_INVLPG, 77 * PAGE, 0, 0);       /* pages of 4K */
    expect_removed(CAUSE_INVLPG, 0, 0);
    g_assert_false(walks(0));
    g_assert_false(walks(PAGE));
    end();
}

static void pieces_by_other_operations(void)
{
    fill_pieces();
    operation(OPERATION_INVPCID, 6 * MiB, 0, 0);
    expect_removed(CAUSE_INVPCID_ADDRESS, 1, 1);
    operation(OPERATION_PAGE_FAULT, 6 * MiB - 1, 0, 0);
    expect_removed(CAUSE_PAGE_FAULT, 3, 3);
    end();
    fill_pieces();
    vmexit();
    operation(OPERATION_INVLPGA, 5 * MiB, 1, 0);
    expect_removed(CAUSE_INVLPGA, 3, 3);
    end();
}

/* L1 has pieces of 4K of a page that L2 has whole; and of L2's copies. */
static void pieces_in_l1_alone(void)
{
    start("array l1d pages=4k entries=4 ways=4 policy=lru\n"
          "array l1i pages=4k entries=1 ways=1 policy=lru\n"
          "array l2 pages=2m entries=4 ways=4 policy=lru\n");
    map(4 * MiB, 2, LEAF);
    map(6 * MiB, 2, LEAF);
    load(4 * MiB);                              /* from the walk */
    load(4 * MiB + PAGE);                       /* from L2 */
    load(6 * MiB - PAGE);
    load(6 * MiB);
    EXPECT(2, HITS(2));
    operation(OPERATION_INVLPG, 4 * MiB + 9 * PAGE, 0, 0);
    expect_removed(CAUSE_INVLPG, 3, 1);
    EXPECT(2, WALKS);
    g_assert_false(walks(6 * MiB));
    end();
}

/* A page of 2M on nested ones of 2M, in pieces; and on a VMM segment. */
static void pieces_of_a_nested_page_and_of_a_segment(void)
{
    start(SMALL);
    map(4 * MiB, 2, LEAF);
    vmrun(1, 0);
    load(4 * MiB);
    load(5 * MiB);
    operation(OPERATION_INVLPG, 6 * MiB - 1, 0, 0);
    expect_removed(CAUSE_INVLPG, 2, 0);         /* L2 has pages of 4K alone */
    vmexit();
    now.vmm_limit = RAM;
    vmrun(1, 0);
    load(4 * MiB);
    load(5 * MiB);
    EXPECT(2, s.counts.misses[2][LOAD][PAGES_4K]);
    operation(OPERATION_INVLPG, 6 * MiB - 1, 0, 0);
    expect_removed(CAUSE_INVLPG, 2, 2);
    end();
}

/* A segment has pages of 4K alone. */
static void no_pieces_of_the_guest_segment(void)
{
    start(SMALL);
    now.cr9 = 64 * MiB;
    now.cr10 = 66 * MiB;
    now.cr11 = DATA - 64 * MiB;
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);
    vmrun(1, 0);
    load(64 * MiB);                             /* guest-direct: 4K */
    load(64 * MiB + PAGE);
    operation(OPERATION_INVLPG, 64 * MiB, 0, 0);
    expect_removed(CAUSE_INVLPG, 1, 1);
    end();
}

/* Without tables of its own a guest has the nested page, from both levels. */
static void pieces_without_tables(void)
{
    start("array l1d pages=4k entries=4 ways=4 policy=lru\n"
          "array l1i pages=4k entries=1 ways=1 policy=lru\n"
          "array l2 pages=2m entries=4 ways=4 policy=lru\n");
    now.cr0 = 1;
    vmrun(1, 0);
    map_nested(2 * DATA, DATA, 2);
    load(DATA);                                 /* from the walk */
    load(DATA + PAGE);                          /* from L2 */
    load(2 * DATA);
    EXPECT(2, WALKS);
    operation(OPERATION_INVLPG, DATA + 9 * PAGE, 0, 0);
    expect_removed(CAUSE_INVLPG, 2, 1);
    g_assert_false(walks(2 * DATA));
    end();
}

static void page_fault(void)
{
    start(SMALL);
    load_pages(0, 1);
    operation(OPERATION_PAGE_FAULT, 0, 0, 0);
    expect_removed(CAUSE_PAGE_FAULT, 1, 1);
    end();
}

static void invpcid_address(void)
{
    fill_two_pcids();
    operation(OPERATION_INVPCID, 0, 0, 0);
    expect_removed(CAUSE_INVPCID_ADDRESS, 1, 1);
    operation(OPERATION_INVPCID, PAGE, 0, 0);   /* global: stays */
    expect_removed(CAUSE_INVPCID_ADDRESS, 0, 0);
    operation(OPERATION_INVPCID, 2 * PAGE, 0, 5);
    expect_removed(CAUSE_INVPCID_ADDRESS, 1, 1);
    EXPECT(3, OPERATIONS(INVPCID_ADDRESS));
    end();
}

static void invpcid_context(void)
{
    fill_two_pcids();
    operation(OPERATION_INVPCID, 0, 1, 5);
    expect_removed(CAUSE_INVPCID_CONTEXT, 2, 2);
    operation(OPERATION_INVPCID, 0, 1, 0);
    expect_removed(CAUSE_INVPCID_CONTEXT, 1, 1);
    end();
}

static void invpcid_all(void)
{
    fill_two_pcids();
    operation(OPERATION_INVPCID, 0, 3, 0);
    expect_removed(CAUSE_INVPCID_ALL_NONGLOBAL, 3, 3);
    operation(OPERATION_INVPCID, 0, 2, 0);
    expect_removed(CAUSE_INVPCID_ALL, 1, 1);
    end();
}

static void cr4(void)
{
    fill_two_pcids();
    now.cr4 &= ~CR4_PCIDE;
    operation(OPERATION_MOV_CR4, 0, 0, 0);
    expect_removed(CAUSE_CR4, 4, 4);
    load(0);
    now.cr4 |= CR4_PCIDE;       /* from 0 to 1: nothing */
    operation(OPERATION_MOV_CR4, 0, 0, 0);
    expect_removed(CAUSE_CR4, 0, 0);
    now.cr4 |= 0x10;            /* PSE */
    operation(OPERATION_MOV_CR4, 0, 0, 0);
    expect_removed(CAUSE_CR4, 1, 1);
    EXPECT(2, OPERATIONS(CR4));
    end();
}

static void cr0(void)
{
    start(SMALL);
    load(0);
    now.cr0 ^= 0x10000;         /* WP */
    operation(OPERATION_MOV_CR0, 0, 0, 0);
    EXPECT(0, OPERATIONS(CR0));
    now.cr0 &= ~(1ull << 31);
    operation(OPERATION_MOV_CR0, 0, 0, 0);
    expect_removed(CAUSE_CR0, 1, 1);
    end();
}

/* Pages 0 and 1 of the host and of two guests; page 1 is global. */
static void fill_three_asids(void)
{
    start("array l1d pages=4k entries=8 ways=8 policy=lru\n"
          "array l1i pages=4k entries=1 ways=1 policy=lru\n");
    map(PAGE, 1, LEAF | G);
    load_pages(0, 1);
    vmrun(1, 0);
    load_pages(0, 1);
    vmexit();
    vmrun(2, 0);
    load_pages(0, 1);
    vmexit();
}

static void invlpga(void)
{
    fill_three_asids();
    operation(OPERATION_INVLPGA, PAGE, 2, 0);
    expect_removed(CAUSE_INVLPGA, 1, 0);
    operation(OPERATION_INVLPGA, 0, 0, 0);
    expect_removed(CAUSE_INVLPGA, 1, 0);
    operation(OPERATION_INVLPGA, 0, 3, 0);
    expect_removed(CAUSE_INVLPGA, 0, 0);
    EXPECT(3, OPERATIONS(INVLPGA));
    end();
}

static void tlb_control(void)
{
    fill_three_asids();
    vmrun(2, 7);
    expect_removed(CAUSE_TLB_CONTROL, 1, 0);
    vmexit();
    vmrun(2, 3);
    expect_removed(CAUSE_TLB_CONTROL, 1, 0);
    vmexit();
    vmrun(2, 1);
    expect_removed(CAUSE_TLB_CONTROL, 4, 0);
    EXPECT(3, OPERATIONS(TLB_CONTROL));
    end();
}

static void mov_cr3_is_of_its_asid(void)
{
    fill_three_asids();
    operation(OPERATION_MOV_CR3, 0, ROOT, 0);
    expect_removed(CAUSE_MOV_CR3, 1, 0);
    vmrun(1, 0);
    operation(OPERATION_MOV_CR3, 0, ROOT, 0);
    expect_removed(CAUSE_MOV_CR3, 1, 0);
    end();
}

static void guest_segment(void)
{
    fill_three_asids();
    now.cr10 = PAGE;            /* [0, PAGE): a segment now */
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);
    expect_removed(CAUSE_GUEST_SEGMENT, 2, 0);
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);
    EXPECT(1, OPERATIONS(GUEST_SEGMENT));
    now.cr10 = 0;
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);
    EXPECT(2, OPERATIONS(GUEST_SEGMENT));
    end();
}

static void vmm_segment(void)
{
    fill_three_asids();
    now.filter[2] = 1;          /* no segment: nothing */
    operation(OPERATION_WRMSR, 0, 0, 0);
    EXPECT(0, OPERATIONS(VMM_SEGMENT));
    now.vmm_limit = PAGE;
    operation(OPERATION_WRMSR, 0, 0, 0);
    expect_removed(CAUSE_VMM_SEGMENT, 4, 0);
    now.filter[2] = 0;
    operation(OPERATION_WRMSR, 0, 0, 0);
    EXPECT(2, OPERATIONS(VMM_SEGMENT));
    g_assert_false(walks(0));   /* the host's are there */
    end();
}

/* -- Segments and two dimensions -- */

static void native_segment(void)
{
    start(SMALL);
    now.cr9 = 64 * MiB;
    now.cr10 = 64 * MiB + 2 * PAGE;
    now.cr11 = DATA - 64 * MiB;
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);
    store(64 * MiB);
    load(64 * MiB);
    EXPECT(1, of_kinds(s.counts.segment_hits));
    EXPECT(0, WALKS);
    EXPECT(1, MISSES(2));
    EXPECT(1, s.counts.hits[1][LOAD][PAGES_4K]);
    /* L2 has not got it. */
    operation(OPERATION_MOV_CR3, 0, ROOT, 0);
    expect_removed(CAUSE_MOV_CR3, 1, 0);
    end();
}

static void native_segment_beside_l1(void)
{
    start(SMALL "segments l1\n");
    now.cr9 = 64 * MiB;
    now.cr10 = 64 * MiB + 2 * PAGE;
    now.cr11 = DATA - 64 * MiB;
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);
    store(64 * MiB);
    load(64 * MiB);
    EXPECT(2, of_kinds(s.counts.segment_hits_l1));
    EXPECT(0, of_kinds(s.counts.segment_hits));
    EXPECT(0, HITS(1) + MISSES(1) + MISSES(2));
    end();
}

static void two_dimensions_take_the_smaller_page(void)
{
    start(SMALL "array l1d pages=2m entries=2 ways=2 policy=lru\n");
    map(4 * MiB, 2, LEAF | 4);                  /* to DATA */
    map(GiB, 3, LEAF);                          /* to 0 */
    vmrun(1, 0);                                /* both 2M in nested tables */
    load(0);                                    /* 4K of 2M */
    EXPECT(4 + 4 * 3 + 3, s.counts.guest_refs + s.counts.nested_refs);
    load(4 * MiB);                              /* 2M of 2M */
    load(GiB);                                  /* 1G of 2M */
    EXPECT(1, s.counts.misses[2][LOAD][PAGES_4K]);
    EXPECT(2, s.counts.misses[2][LOAD][PAGES_2M]);
    end();
}

static void nested_leaf_has_to_be_dirty_too(void)
{
    start(SMALL);
    vmrun(1, 0);
    map_from(NESTED_ROOT, DATA, DATA, 2, (LEAF & ~D) | 4);
    load(0);
    store(0);
    EXPECT(1, s.counts.dirty_misses[1]);
    EXPECT(2, WALKS);
    end();
}

static void dual_direct(void)
{
    start(SMALL);
    now.cr9 = 64 * MiB;
    now.cr10 = 64 * MiB + 2 * PAGE;
    now.cr11 = DATA - 64 * MiB;
    now.vmm_base = DATA;
    now.vmm_limit = DATA + PAGE;
    vmrun(1, 0);
    load(64 * MiB);             /* both */
    EXPECT(1, of_kinds(s.counts.segment_hits));
    load(64 * MiB + PAGE);      /* the guest's, then nested tables of 2M */
    EXPECT(1, WALKS);
    EXPECT(3, s.counts.nested_refs);
    EXPECT(0, s.counts.guest_refs);
    EXPECT(2, s.counts.misses[2][LOAD][PAGES_4K]);
    end();
}

/* Half a segment is a walk, of a page of 4K; global is what the guest's leaf says. */
static void vmm_direct(void)
{
    start(SMALL "array l1d pages=2m entries=2 ways=2 policy=lru\n");
    map(4 * MiB, 2, LEAF | G);
    now.vmm_limit = RAM;
    vmrun(1, 0);
    load(4 * MiB);
    EXPECT(1, WALKS);
    EXPECT(3, s.counts.guest_refs);
    EXPECT(0, s.counts.nested_refs);
    EXPECT(1, s.counts.misses[1][LOAD][PAGES_4K]);
    operation(OPERATION_MOV_CR3, 0, ROOT, 0);
    expect_removed(CAUSE_MOV_CR3, 0, 0);
    end();
}

static void guest_without_paging(void)
{
    start(SMALL);
    now.cr0 = 1;
    vmrun(1, 0);
    load(DATA);
    load(DATA + PAGE);
    EXPECT(2, WALKS);
    EXPECT(6, s.counts.nested_refs);
    /* 2M pages, of which L1 takes pieces. */
    EXPECT(2, s.counts.misses[1][LOAD][PAGES_2M]);
    end();
}

/* -- Walk caches and nested TLB -- */

/* Pages of 4K and 2M in one space; PDEs of 2 MiB, one PDPTE. */
static void guest_walk_cache(void)
{
    start(SMALL "walk-cache guest pdpte=1 pde=2\n");
    map(GiB, 1, LEAF);
    map(4 * MiB, 2, LEAF);
    load(0);                    /* nothing is there */
    load(PAGE);                 /* below the PDE */
    load(4 * MiB);              /* a leaf of 2M: below the PDPTE */
    load(GiB);                  /* PDE and PDPTE of its own */
    load(2 * PAGE);             /* below the PDE */
    load(4 * MiB + PAGE);       /* the PDPTE is gone */
    EXPECT(6, s.guest_cache.lookups);
    EXPECT(2, s.guest_cache.hits[2]);
    EXPECT(1, s.guest_cache.hits[3]);
    EXPECT(0, s.nested_cache.lookups + s.counts.gpa_lookups);
    operation(OPERATION_INVLPG, 15 * PAGE, 0, 0);       /* any address */
    load(3 * PAGE);
    EXPECT(2, s.guest_cache.hits[2]);
    EXPECT(1, s.guest_cache.hits[3]);
    end();
}

static void walk_cache_is_lru(void)
{
    start(SMALL "walk-cache guest pde=2\n");
    map(2 * MiB, 1, LEAF);
    map(4 * MiB, 1, LEAF);
    load(0);
    load(2 * MiB);
    load(PAGE);                 /* touches the first */
    load(4 * MiB);              /* for the second */
    load(2 * PAGE);
    EXPECT(2, s.guest_cache.hits[2]);
    operation(OPERATION_INVLPGA, 2 * MiB, 1, 0);
    load(3 * PAGE);             /* another ASID's */
    EXPECT(3, s.guest_cache.hits[2]);
    end();
}

/* PDEs of one space are not those of another. */
static void walk_cache_has_pcids(void)
{
    start(SMALL "walk-cache guest pde=4\n");
    now.cr4 |= CR4_PCIDE;
    operation(OPERATION_MOV_CR4, 0, 0, 0);
    load(0);
    now.cr3 = ROOT | 5;
    operation(OPERATION_MOV_CR3, 0, ROOT | 5, 0);
    load(PAGE);
    EXPECT(0, s.guest_cache.hits[2]);
    now.cr3 = ROOT;
    operation(OPERATION_MOV_CR3, 0, ROOT | 1ull << 63, 0);
    load(2 * PAGE);
    EXPECT(1, s.guest_cache.hits[2]);
    operation(OPERATION_INVPCID, 0, 1, 5);
    load(3 * PAGE);
    EXPECT(2, s.guest_cache.hits[2]);
    operation(OPERATION_MOV_CR3, 0, ROOT, 0);
    load(4 * PAGE);
    EXPECT(2, s.guest_cache.hits[2]);
    end();
}

/*
 * A walk of 4 levels uses 5 gPAs, all in the first two of the nested tables'
 * 2M pages: 0 (tables) and DATA.
 */
static void nested_tlb(void)
{
    start(SMALL "array nested pages=2m entries=4 ways=4 policy=lru\n");
    vmrun(1, 0);
    load(0);                    /* 0: a miss and 3 hits; DATA: a miss */
    EXPECT(5, s.counts.gpa_lookups);
    EXPECT(3, s.counts.gpa_hits[PAGES_2M]);
    load(PAGE);
    EXPECT(10, s.counts.gpa_lookups);
    EXPECT(8, s.counts.gpa_hits[PAGES_2M]);
    operation(OPERATION_MOV_CR3, 0, ROOT, 0);   /* does not concern it */
    load(0);
    EXPECT(13, s.counts.gpa_hits[PAGES_2M]);
    vmexit();
    vmrun(1, 3);
    load(0);
    EXPECT(20, s.counts.gpa_lookups);
    EXPECT(16, s.counts.gpa_hits[PAGES_2M]);
    vmexit();
    operation(OPERATION_INVLPGA, PAGE, 1, 0);   /* all gPAs, one gVA */
    vmrun(1, 0);
    load(PAGE);
    EXPECT(19, s.counts.gpa_hits[PAGES_2M]);
    end();
}

/* A nested TLB of small pages takes pieces; one of larger ones nothing. */
static void nested_tlb_takes_pieces(void)
{
    start(SMALL "array nested pages=4k entries=64 ways=64 policy=lru\n");
    vmrun(1, 0);
    load(0);                    /* tables of 4 levels, and the page */
    EXPECT(0, s.counts.gpa_hits[PAGES_4K]);
    load(PAGE);
    EXPECT(5, s.counts.gpa_hits[PAGES_4K]);
    end();
    start(SMALL "array nested pages=1g entries=64 ways=64 policy=lru\n");
    vmrun(1, 0);
    load(0);
    EXPECT(5, s.counts.gpa_lookups);
    EXPECT(0, s.counts.gpa_hits[PAGES_1G]);
    end();
}

static void both_walk_caches(void)
{
    start(SMALL "walk-cache guest pde=1\nwalk-cache nested pml4e=1 pdpte=1\n");
    vmrun(1, 0);
    load(0);                    /* 5 nested walks, the first below nothing */
    EXPECT(1, s.guest_cache.lookups);
    EXPECT(5, s.nested_cache.lookups);
    EXPECT(4, s.nested_cache.hits[3]);
    load(PAGE);                 /* the gPAs of the last table and the page */
    EXPECT(1, s.guest_cache.hits[2]);
    EXPECT(7, s.nested_cache.lookups);
    EXPECT(6, s.nested_cache.hits[3]);
    EXPECT(0, s.nested_cache.hits[4]);
    operation(OPERATION_INVLPG, 0, 0, 0);
    load(2 * PAGE);             /* the guest's cache is empty, not the other */
    EXPECT(1, s.guest_cache.hits[2]);
    EXPECT(11, s.nested_cache.hits[3]);
    end();
}

static void segments_are_not_looked_up(void)
{
    start(SMALL "array nested pages=4k,2m entries=4 ways=4 policy=lru\n"
          "walk-cache guest pde=1\n");
    now.vmm_limit = DATA;       /* the tables, not the pages */
    vmrun(1, 0);
    load(0);
    EXPECT(1, s.counts.gpa_lookups);
    now.cr9 = 64 * MiB;
    now.cr10 = 64 * MiB + PAGE;
    now.cr11 = DATA - 64 * MiB;
    operation(OPERATION_MOV_SEGMENT, 0, 0, 0);
    load(64 * MiB);             /* guest-direct: no walk of the guest's */
    EXPECT(2, s.counts.gpa_lookups);
    EXPECT(1, s.counts.gpa_hits[PAGES_2M]);
    EXPECT(1, s.guest_cache.lookups);
    end();
}

/* -- Geometry -- */

static void expect_bad(const char *text, const char *field)
{
    s = (struct simulator) { 0 };
    g_assert_null(geometry_parse(&s, text));
    g_assert_true(g_str_has_prefix(hierarchy_init(&s.tlb), field));
}

static void bad_geometry(void)
{
    g_autofree char *line = NULL;

    expect_bad(SMALL "array l1d pages=2m entries=12 ways=4 policy=lru\n",
               "sets");
    expect_bad(SMALL "array l1d pages=2m entries=6 ways=4 policy=lru\n",
               "ways");
    expect_bad(SMALL "array l1d pages=2m entries=6 ways=6 policy=plru\n",
               "policy");
    expect_bad(SMALL "array l1d pages=2m entries=0 ways=1 policy=lru\n",
               "entries");
    expect_bad(SMALL "array l2d pages=4k entries=1 ways=1 policy=lru\n",
               "pages");
    expect_bad("array l1d pages=4k entries=1 ways=1 policy=lru\n", "pages");
    line = geometry_parse(&s, "array l3 pages=4k\n");
    g_assert_cmpstr(line, ==, "array l3 pages=4k");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define CASE(path, function) g_test_add_func("/tlb-simulator/" path, function)
    CASE("access/a-miss-then-hits", miss_then_hits);
    CASE("access/an-l2-hit-fills-l1", l2_hit_fills_l1);
    CASE("access/straddling-is-two", straddling_is_two_accesses);
    CASE("access/no-tlb-without-paging", without_paging_no_tlb);
    CASE("access/without-l2-each-l1-miss-walks", no_l2);
    CASE("access/a-fault-is-an-error", faults_are_an_error);
    CASE("fetch/once-a-page", one_fetch_a_page);
    CASE("fetch/has-its-own-l1", fetches_and_loads_have_their_own_l1);
    CASE("fetch/after-operations", operations_are_followed_by_a_fetch);
    CASE("dirty/first-store-walks", first_store_walks);
    CASE("dirty/store-first-walks-once", store_first_walks_once);
    CASE("dirty/l2-alone", l2_may_know_better);
    CASE("dirty/read-only-page", read_only_page_is_not_for_stores);
    CASE("dirty/nested-leaf", nested_leaf_has_to_be_dirty_too);
    CASE("pages/an-array-each", sizes_have_their_arrays);
    CASE("pages/l1-takes-pieces-l2-nothing", l1_takes_pieces_l2_nothing);
    CASE("pages/two-sizes-in-an-array", l2_of_two_sizes);
    CASE("pages/the-smaller-of-two-dimensions",
         two_dimensions_take_the_smaller_page);
    CASE("tags/pcid-and-global", pcids_and_global_pages);
    CASE("tags/global-needs-pge", global_needs_pge);
    CASE("tags/asid", asids);
    CASE("policy/lru", lru);
    CASE("policy/fifo", fifo);
    CASE("policy/plru", plru);
    CASE("policy/random", random_victims);
    CASE("policy/random-of-another-array", array_number_adds_to_the_seed);
    CASE("policy/invalid-ways-first", lowest_invalid_way_first);
    CASE("invalidation/invlpg", invlpg);
    CASE("invalidation/invlpg-of-a-global-page", invlpg_of_a_global_page);
    CASE("invalidation/pieces/invlpg", all_pieces_of_a_page);
    CASE("invalidation/pieces/other-operations", pieces_by_other_operations);
    CASE("invalidation/pieces/of-an-array-without-the-size",
         pieces_in_l1_alone);
    CASE("invalidation/pieces/nested-page-and-segment",
         pieces_of_a_nested_page_and_of_a_segment);
    CASE("invalidation/pieces/none-of-the-guest-segment",
         no_pieces_of_the_guest_segment);
    CASE("invalidation/pieces/without-tables", pieces_without_tables);
    CASE("invalidation/page-fault", page_fault);
    CASE("invalidation/invpcid-address", invpcid_address);
    CASE("invalidation/invpcid-context", invpcid_context);
    CASE("invalidation/invpcid-all", invpcid_all);
    CASE("invalidation/cr4", cr4);
    CASE("invalidation/cr0", cr0);
    CASE("invalidation/invlpga", invlpga);
    CASE("invalidation/tlb-control", tlb_control);
    CASE("invalidation/mov-cr3-in-a-guest", mov_cr3_is_of_its_asid);
    CASE("invalidation/guest-segment", guest_segment);
    CASE("invalidation/vmm-segment", vmm_segment);
    CASE("segments/native-direct", native_segment);
    CASE("segments/native-direct-beside-l1", native_segment_beside_l1);
    CASE("segments/dual-direct", dual_direct);
    CASE("segments/vmm-direct", vmm_direct);
    CASE("guest/without-paging", guest_without_paging);
    CASE("walk-cache/guest", guest_walk_cache);
    CASE("walk-cache/lru", walk_cache_is_lru);
    CASE("walk-cache/pcids", walk_cache_has_pcids);
    CASE("walk-cache/both-dimensions", both_walk_caches);
    CASE("nested-tlb/hits", nested_tlb);
    CASE("nested-tlb/pieces", nested_tlb_takes_pieces);
    CASE("nested-tlb/segments", segments_are_not_looked_up);
    CASE("geometry/errors", bad_geometry);
    return g_test_run();
}
