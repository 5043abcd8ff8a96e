/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of linux/workloads/btree: the tree, its lookups, and what its checks
 * see
 */
#define main btree_main
#include "../../linux/workloads/btree.c"
#undef main

#include "workload.h"

static const struct workload btree = { build, work, check, "lookups_per_s" };

struct fixture {
    struct options o;
    struct tree t;
    void *area;
};

static void set_up(struct fixture *f, uint64_t seed, uint64_t leaves)
{
    f->o = (struct options){ .name = "btree", .updates = 1000, .seed = seed };
    f->t = (struct tree){ .seed = seed };
    f->o.bytes = bytes_of(leaves);
    f->area = g_malloc(f->o.bytes);
    lay_out(&f->t, f->area, leaves);
    build(&f->t, &f->o);
}

static void tear_down(struct fixture *f)
{
    g_free(f->area);
}

static void test_node_size(void)
{
    g_assert_cmpuint(sizeof(struct node), ==, 256);
}

/*
 * All below a node: it is there once, its keys are those from @first on, it has
 * as many children as may be, and the leaves are all at the same depth. Returns
 * the keys in it.
 */
static uint64_t check_below(const struct tree *t, uint64_t number,
                            unsigned level, uint64_t first, uint8_t *seen)
{
    const struct node *node = &t->nodes[number];
    uint64_t keys = 0;

    g_assert_cmpuint(number, <, t->nodes_used);
    g_assert_cmpuint(seen[number]++, ==, 0);
    if (level == 0) {
        g_assert_cmpuint(node->keys_used, ==, KEYS);
        for (unsigned i = 0; i < KEYS; i++) {
            g_assert_cmpuint(node->keys[i], ==, key_of(t, first + i));
            g_assert_cmpuint(node->links[i], ==, value_of(t, node->keys[i]));
        }
        return KEYS;
    }
    g_assert_cmpuint(node->keys_used, <=, KEYS);
    g_assert_cmpuint(node->keys_used, >=, number == t->root ? 1 : KEYS / 2);
    for (unsigned i = 0; i <= node->keys_used; i++) {
        if (i > 0) {
            g_assert_cmpuint(node->keys[i - 1], ==, key_of(t, first + keys));
        }
        keys += check_below(t, node->links[i], level - 1, first + keys, seen);
    }
    return keys;
}

/* Of one, two and three levels, full and not. */
static void test_tree(void)
{
    for (unsigned leaves = 2; leaves < 600; leaves++) {
        struct fixture f;
        g_autofree uint8_t *seen = NULL;

        set_up(&f, leaves, leaves);
        seen = g_malloc0(f.t.nodes_used);
        g_assert_cmpuint(check_below(&f.t, f.t.root, f.t.height, 0, seen), ==,
                         15 * leaves);
        for (uint64_t i = 0; i < f.t.nodes_used; i++) {
            g_assert_cmpuint(seen[i], ==, 1);
        }
        g_assert_cmpuint(f.t.height, ==, leaves <= 16 ? 1 : leaves <= 256 ? 2 : 3);
        tear_down(&f);
    }
}

/* One leaf is seldom behind the one before it. */
static void test_order(void)
{
    struct fixture f;
    unsigned in_sequence = 0;

    set_up(&f, 1, 1000);
    for (unsigned i = 1; i < 1000; i++) {
        uint64_t before = in_order(&f.t.places, i - 1);
        uint64_t at = in_order(&f.t.places, i);

        g_assert_cmpuint(f.t.nodes[at].keys[0], ==, key_of(&f.t, 15 * i));
        in_sequence += at == before + 1;
    }
    g_assert_cmpuint(in_sequence, <, 20);
    tear_down(&f);
}

static void assert_not_found(const struct tree *t, uint64_t key)
{
    uint64_t value;

    g_assert_false(find(t, key, &value));
}

/* Each key, and nothing beside it, below all of them and beyond. */
static void test_find(void)
{
    static const unsigned leaves[] = { 2, 16, 17, 256, 300 };

    for (unsigned i = 0; i < G_N_ELEMENTS(leaves); i++) {
        struct fixture f;

        set_up(&f, i, leaves[i]);
        for (uint64_t j = 0; j < 15 * leaves[i]; j++) {
            uint64_t key = key_of(&f.t, j), value = 0;

            g_assert_true(find(&f.t, key, &value));
            g_assert_cmpuint(value, ==, value_of(&f.t, key));
            assert_not_found(&f.t, key - 1);
            assert_not_found(&f.t, key + 1);
        }
        assert_not_found(&f.t, 0);
        assert_not_found(&f.t, UINT64_MAX);
        assert_not_found(&f.t, 15 * leaves[i] * SPACING);
        tear_down(&f);
    }
}

/* Three quarters are there. All keys are, in the end, looked for. */
static void test_lookups(void)
{
    struct fixture f;
    unsigned hits = 0, numbers = 0;
    g_autofree uint8_t *seen = g_malloc0(15 * 100);

    set_up(&f, 1, 100);
    for (unsigned i = 0; i < 40000; i++) {
        bool is_there;
        uint64_t key = make_lookup(&f.t, i, &is_there), value;

        g_assert_cmpuint(key / SPACING, <, 15 * 100);
        g_assert_cmpint(find(&f.t, key, &value), ==, is_there);
        g_assert_cmpint(key == key_of(&f.t, key / SPACING), ==, is_there);
        hits += is_there;
        numbers += !seen[key / SPACING]++;
    }
    g_assert_cmpuint(numbers, ==, 15 * 100);
    g_assert_cmpuint(hits, >, 30000 - 5 * 87);
    g_assert_cmpuint(hits, <, 30000 + 5 * 87);
    tear_down(&f);
}

static void test_rounds_are_right(void)
{
    for (unsigned leaves = 2; leaves < 1000; leaves = leaves * 3 / 2 + 1) {
        struct fixture f;

        set_up(&f, leaves, leaves);
        for (unsigned round = 1; round <= 3; round++) {
            assert_round(&btree, &f.t, &f.o, round, true);
        }
        tear_down(&f);
    }
}

static void test_wrong_memory_is_seen(void)
{
    for (unsigned before = 0; before < 2; before++) {
        struct fixture f;
        struct node *leaf, *root;

        set_up(&f, 1, 300);
        leaf = &f.t.nodes[in_order(&f.t.places, 299)];
        root = &f.t.nodes[f.t.root];
        assert_is_seen(&btree, &f.t, &f.o, leaf->keys[14], 1, before);
        assert_is_seen(&btree, &f.t, &f.o, leaf->links[14], 1ull << 63, before);
        assert_is_seen(&btree, &f.t, &f.o, root->keys[0], 1ull << 40, before);
        assert_is_seen(&btree, &f.t, &f.o, root->links[0], 1, before);
        assert_is_seen(&btree, &f.t, &f.o, root->links[1], UINT64_MAX, before);
        assert_is_seen(&btree, &f.t, &f.o, root->keys_used, 1ull << 50, before);
        tear_down(&f);
    }
}

/* Also where the nodes have been wrong from the beginning. */
static void test_wrong_results_are_seen(void)
{
    struct fixture f;
    uint64_t *value;

    set_up(&f, 1, 20);
    assert_is_seen(&btree, &f.t, &f.o, f.t.found, 1, false);
    assert_is_seen(&btree, &f.t, &f.o, f.t.values_sum, 1, false);
    for (unsigned i = 0; i < 3; i++) {
        struct node *leaf = &f.t.nodes[in_order(&f.t.places, 7)];

        value = i == 0 ? &leaf->links[3] : i == 1 ? &leaf->keys[3]
                : &f.t.nodes[f.t.root].links[0];
        *value ^= 1;
        f.t.sum = nodes_sum(&f.t);
        assert_round(&btree, &f.t, &f.o, 1, false);
        *value ^= 1;
    }
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/btree/node-has-256-bytes", test_node_size);
    g_test_add_func("/btree/tree-is-one", test_tree);
    g_test_add_func("/btree/nodes-are-in-random-order", test_order);
    g_test_add_func("/btree/finds-all-keys-and-no-others", test_find);
    g_test_add_func("/btree/a-quarter-of-lookups-miss", test_lookups);
    g_test_add_func("/btree/rounds-are-right", test_rounds_are_right);
    g_test_add_func("/btree/wrong-memory-is-seen", test_wrong_memory_is_seen);
    g_test_add_func("/btree/wrong-results-are-seen",
                    test_wrong_results_are_seen);
    return g_test_run();
}
