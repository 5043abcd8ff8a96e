/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which entry has to go, as times of a clock would say it; for few ways and for so
 * many that they are kept in another way.
 */

#include <glib.h>
#include "tlb/replacement.h"

#define SETS 3
#define MAX_WAYS 40
#define STEPS 20000

static const uint32_t ways_tested[] = { 1, 2, 3, 4, 8, 15, 16, 17, 20, 25, 26, MAX_WAYS };

/* When each way has been renewed; at first, way 0 is the oldest. */
typedef struct Clock {
    uint64_t now, times[SETS][MAX_WAYS];
} Clock;

static void clock_init(Clock *clock, uint32_t ways)
{
    clock->now = 0;
    for (uint32_t set = 0; set < SETS; set++) {
        for (uint32_t way = 0; way < ways; way++) {
            clock->times[set][way] = clock->now++;
        }
    }
}

/* How many ways of the set are newer than that. */
static unsigned rank_of(const Clock *clock, uint32_t set, uint32_t ways,
                        uint32_t way)
{
    unsigned rank = 0;

    for (uint32_t i = 0; i < ways; i++) {
        rank += clock->times[set][i] > clock->times[set][way];
    }
    return rank;
}

static void assert_order(DsegTlbReplacement *order, const Clock *clock,
                         uint32_t ways)
{
    for (uint32_t set = 0; set < SETS; set++) {
        uint32_t victim = dseg_tlb_replacement_victim(order, set);

        g_assert_cmpuint(rank_of(clock, set, ways, victim), ==, ways - 1);
        for (unsigned rank = 0; rank < ways; rank++) {
            uint32_t way = dseg_tlb_replacement_ranked(order, set, rank);

            g_assert_cmpuint(way, <, ways);
            g_assert_cmpuint(rank_of(clock, set, ways, way), ==, rank);
        }
    }
}

static void run(DsegTlbPolicy policy, uint32_t ways)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(ways);
    DsegTlbReplacement order;
    Clock clock;

    dseg_tlb_replacement_init(&order, SETS, ways, policy, 0);
    clock_init(&clock, ways);
    assert_order(&order, &clock, ways);
    for (unsigned i = 0; i < STEPS; i++) {
        uint32_t set = g_rand_int_range(rand, 0, SETS);
        uint32_t way = g_rand_int_range(rand, 0, ways);
        bool hit = g_rand_boolean(rand);

        if (hit) {
            dseg_tlb_replacement_hit(&order, set, way);
        } else {
            dseg_tlb_replacement_fill(&order, set, way);
        }
        if (!hit || policy == DSEG_TLB_LRU) {
            clock.times[set][way] = clock.now++;
        }
        if (i % 16 == 0) {
            assert_order(&order, &clock, ways);
        }
    }
    dseg_tlb_replacement_destroy(&order);
}

static void test_lru_is_by_the_last_use(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(ways_tested); i++) {
        run(DSEG_TLB_LRU, ways_tested[i]);
    }
}

static void test_fifo_is_by_the_last_fill(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(ways_tested); i++) {
        run(DSEG_TLB_FIFO, ways_tested[i]);
    }
}

/* Hits decide what goes next with lru and plru only. */
static void test_next_is_the_victim_where_hits_decide(void)
{
    for (DsegTlbPolicy policy = 0; policy < DSEG_TLB_POLICY__MAX; policy++) {
        DsegTlbReplacement order;
        uint32_t next;

        dseg_tlb_replacement_init(&order, SETS, 4, policy, 0);
        dseg_tlb_replacement_fill(&order, 1, 2);
        dseg_tlb_replacement_hit(&order, 1, 0);
        next = dseg_tlb_replacement_next(&order, 1);
        if (policy == DSEG_TLB_LRU || policy == DSEG_TLB_PLRU) {
            g_assert_cmpuint(next, ==, dseg_tlb_replacement_victim(&order, 1));
        } else {
            g_assert_cmpuint(next, ==, DSEG_TLB_NO_WAY);
        }
        dseg_tlb_replacement_destroy(&order);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tlb-order/lru-is-by-the-last-use",
                    test_lru_is_by_the_last_use);
    g_test_add_func("/tlb-order/fifo-is-by-the-last-fill",
                    test_fifo_is_by_the_last_fill);
    g_test_add_func("/tlb-order/next-is-the-victim-where-hits-decide",
                    test_next_is_the_victim_where_hits_decide);
    return g_test_run();
}
