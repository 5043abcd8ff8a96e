/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of linux/workloads/bfs: the graph, its searches, and what its checks
 * see
 */
#define main bfs_main
#include "../../linux/workloads/bfs.c"
#undef main

#include "workload.h"

static const struct workload bfs = { build, work, check, "teps" };

struct fixture {
    struct options o;
    struct graph g;
    void *area;
};

static void set_up(struct fixture *f, uint64_t seed, uint64_t bytes)
{
    f->o = (struct options){
        .name = "bfs", .bytes = bytes, .updates = 1, .seed = seed,
    };
    plan(&f->g, &f->o);
    f->area = g_malloc(bytes);
    g_assert_cmpuint(lay_out(&f->g, f->area, f->g.vertices), <=, bytes);
    build(&f->g, &f->o);
}

static void tear_down(struct fixture *f)
{
    g_free(f->area);
}

/* Edges are 16 times as many as vertices, and each has two ends. */
static void test_lists_have_all_edges(void)
{
    for (unsigned scale = 4; scale <= 9; scale++) {
        g_autofree int *count = NULL;
        struct fixture f;
        uint64_t n;

        set_up(&f, scale, (160 << scale) + 4096);
        n = f.g.vertices;
        g_assert_cmpuint(n, >=, 1 << scale);
        count = g_new0(int, n * n);
        g_assert_cmpuint(f.g.first[0], ==, 0);
        g_assert_cmpuint(f.g.first[n], ==, 2 * 16 * n);
        for (uint64_t i = 0; i < 16 * n; i++) {
            struct edge edge = kronecker_edge(&f.g.kronecker, i);

            count[edge.u * n + edge.v]++;
            count[edge.v * n + edge.u]++;
        }
        for (uint64_t v = 0; v < n; v++) {
            for (uint64_t i = f.g.first[v]; i < f.g.first[v + 1]; i++) {
                count[v * n + f.g.neighbours[i]]--;
            }
        }
        for (uint64_t i = 0; i < n * n; i++) {
            g_assert_cmpint(count[i], ==, 0);
        }
        tear_down(&f);
    }
}

/* The largest power of two that fits. */
static void test_size(void)
{
    for (uint64_t bytes = 4096; bytes < 8 << 20; bytes = bytes * 5 / 4096 * 1024) {
        struct options o = { .name = "bfs", .bytes = bytes };
        struct graph g;

        plan(&g, &o);
        g_assert_cmpuint(bytes_of(g.vertices), <=, bytes);
        g_assert_cmpuint(bytes_of(2 * g.vertices), >, bytes);
    }
}

/* Distances from @root by going over all edges until nothing changes. */
static uint32_t *distances(const struct graph *g, uint32_t root)
{
    uint32_t *levels = g_new(uint32_t, g->vertices);

    memset(levels, 0xff, g->vertices * sizeof(*levels));
    levels[root] = 0;
    for (bool changed = true; changed; ) {
        changed = false;
        for (uint64_t i = 0; i < g->edges; i++) {
            struct edge edge = kronecker_edge(&g->kronecker, i);

            for (unsigned end = 0; end < 2; end++) {
                uint32_t u = end ? edge.v : edge.u, v = end ? edge.u : edge.v;

                if (levels[u] != NONE && levels[v] > levels[u] + 1) {
                    levels[v] = levels[u] + 1;
                    changed = true;
                }
            }
        }
    }
    return levels;
}

/* From each root the search reaches what it must, by a shortest way. */
static void test_search(void)
{
    struct fixture f;

    set_up(&f, 1, 40 << 10);
    for (uint32_t root = 0; root < f.g.vertices; root++) {
        g_autofree uint32_t *expected = distances(&f.g, root);
        uint64_t reached = 0, traversed = 0;

        f.g.searches = f.g.reached = f.g.traversed = f.g.trees_sum = 0;
        search(&f.g, root);
        g_assert_cmpuint(find_levels(&f.g, root), ==, 0);
        for (uint64_t v = 0; v < f.g.vertices; v++) {
            g_assert_cmpuint(f.g.levels[v], ==, expected[v]);
            if (expected[v] != NONE) {
                reached++;
                traversed += f.g.first[v + 1] - f.g.first[v];
            }
        }
        g_assert_cmpuint(f.g.reached, ==, reached);
        g_assert_cmpuint(f.g.traversed, ==, traversed);
        g_assert_cmpuint(check_tree(&f.g, root), ==, 0);
        g_assert_cmpuint(f.g.reached | f.g.traversed | f.g.trees_sum, ==, 0);
    }
    tear_down(&f);
}

/* Graph500's: with a neighbour, and not always the same. */
static void test_roots(void)
{
    struct fixture f;
    unsigned different = 0;

    set_up(&f, 1, 640 << 10);
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t root = make_root(&f.g, 1, i);
        bool found = false;

        for (uint64_t j = f.g.first[root]; j < f.g.first[root + 1]; j++) {
            found |= f.g.neighbours[j] != root;
        }
        g_assert_true(found);
        different += root != make_root(&f.g, 2, i);
    }
    g_assert_cmpuint(different, >, 990);
    /* One that has only itself. */
    for (uint64_t j = f.g.first[7]; j < f.g.first[8]; j++) {
        f.g.neighbours[j] = 7;
    }
    f.g.first[7] -= f.g.first[7] == f.g.first[8];
    f.g.neighbours[f.g.first[7]] = 7;
    g_assert_false(has_neighbour(&f.g, 7));
    f.g.neighbours[f.g.first[7]] = 8;
    g_assert_true(has_neighbour(&f.g, 7));
    tear_down(&f);
}

static void test_rounds_are_right(void)
{
    struct fixture f;

    for (uint64_t seed = 0; seed < 10; seed++) {
        set_up(&f, seed, 100 << 10);
        for (unsigned round = 1; round <= 5; round++) {
            f.o.updates = round * 20000;
            assert_round(&bfs, &f.g, &f.o, round, true);
        }
        tear_down(&f);
    }
}

/* The first vertex with this level. */
static uint32_t at_level(const struct graph *g, uint32_t level)
{
    for (uint32_t v = 0; v < g->vertices; v++) {
        if (g->levels[v] == level) {
            return v;
        }
    }
    g_assert_not_reached();
}

static bool are_neighbours(const struct graph *g, uint32_t u, uint32_t v)
{
    for (uint64_t i = g->first[u]; i < g->first[u + 1]; i++) {
        if (g->neighbours[i] == v) {
            return true;
        }
    }
    return false;
}

/* A vertex of @level that is, or is not, a neighbour of @of. */
static uint32_t other_at_level(const struct graph *g, uint32_t level,
                               uint32_t of, bool neighbour)
{
    for (uint32_t v = 0; v < g->vertices; v++) {
        if (g->levels[v] == level && v != of &&
            are_neighbours(g, of, v) == neighbour) {
            return v;
        }
    }
    return NONE;
}

/* With @parent as that of @v. */
static void assert_bad_tree(struct fixture *f, uint32_t root, uint32_t v,
                            uint32_t parent)
{
    uint32_t right = f->g.parents[v];

    g_assert_cmpuint(parent, !=, right);
    g_assert_cmpuint(check_tree(&f->g, root), ==, 0);
    f->g.parents[v] = parent;
    g_assert_cmpuint(check_tree(&f->g, root), >, 0);
    f->g.parents[v] = right;
    g_assert_cmpuint(check_tree(&f->g, root), ==, 0);
}

static void test_bad_trees(void)
{
    struct fixture f;
    uint32_t root, second, same, leaf;

    set_up(&f, 3, 40 << 10);
    root = make_root(&f.g, 1, 0);
    search(&f.g, root);
    find_levels(&f.g, root);
    second = at_level(&f.g, 2);
    /* No edge of the graph, though of the right level. */
    assert_bad_tree(&f, root, second, other_at_level(&f.g, 1, second, false));
    /* An edge of the graph, but to the same level: a way that is too long. */
    for (same = NONE, second = 0; same == NONE; second++) {
        if (f.g.levels[second] == 2) {
            same = other_at_level(&f.g, 2, second, true);
        }
    }
    assert_bad_tree(&f, root, second - 1, same);
    /* A cycle, of one and of two. */
    second = at_level(&f.g, 2);
    assert_bad_tree(&f, root, second, second);
    assert_bad_tree(&f, root, f.g.parents[second], second);
    assert_bad_tree(&f, root, root, second);
    /* No vertex. */
    assert_bad_tree(&f, root, second, f.g.vertices);
    assert_bad_tree(&f, root, second, NONE - 1);
    /* Not reached, though a neighbour is; with others below it, and without. */
    assert_bad_tree(&f, root, f.g.parents[second], NONE);
    for (leaf = second; f.g.levels[leaf] != 2 ||
         other_at_level(&f.g, 3, leaf, true) != NONE; leaf++) {
    }
    assert_bad_tree(&f, root, leaf, NONE);
    /* Reached, though of another component. */
    assert_bad_tree(&f, root, at_level(&f.g, NONE), root);
    tear_down(&f);
}

/* Before the work and after it. */
static void test_wrong_memory_is_seen(void)
{
    for (unsigned before = 0; before < 2; before++) {
        struct fixture f;

        set_up(&f, 4, 100 << 10);
        assert_is_seen(&bfs, &f.g, &f.o, f.g.neighbours[0], 1, before);
        assert_is_seen(&bfs, &f.g, &f.o, f.g.neighbours[77], 0xffffffff, before);
        assert_is_seen(&bfs, &f.g, &f.o, f.g.neighbours[2 * f.g.edges - 1], 2,
                       before);
        assert_is_seen(&bfs, &f.g, &f.o, f.g.first[5], 1, before);
        assert_is_seen(&bfs, &f.g, &f.o, f.g.first[6], UINT64_MAX, before);
        tear_down(&f);
    }
}

/* Searches whose trees are gone when the round is checked count, too. */
static void test_wrong_counts_are_seen(void)
{
    struct fixture f;

    set_up(&f, 5, 100 << 10);
    f.o.updates = 100000;
    g_assert_cmpuint(work(&f.g, &f.o, 1), >=, 100000);
    g_assert_cmpuint(f.g.searches, >=, 3);
    assert_is_seen(&bfs, &f.g, &f.o, f.g.traversed, 1, false);
    assert_is_seen(&bfs, &f.g, &f.o, f.g.reached, 1, false);
    assert_is_seen(&bfs, &f.g, &f.o, f.g.trees_sum, 1, false);
    tear_down(&f);
}

/* A search of a round that was wrong, and is not the last. */
static void test_early_search_is_seen(void)
{
    struct fixture f;
    uint32_t root;

    set_up(&f, 5, 100 << 10);
    f.g.searches = f.g.traversed = f.g.reached = f.g.trees_sum = 0;
    root = make_root(&f.g, 1, 0);
    f.g.neighbours[f.g.first[root]] ^= 1;
    search(&f.g, root);
    f.g.neighbours[f.g.first[root]] ^= 1;
    search(&f.g, make_root(&f.g, 1, 1));
    g_assert_cmpuint(workload_check(&bfs, &f.g, &f.o, 1).errors, >, 0);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bfs/lists-have-all-edges", test_lists_have_all_edges);
    g_test_add_func("/bfs/largest-power-of-two-that-fits", test_size);
    g_test_add_func("/bfs/search-finds-shortest-ways", test_search);
    g_test_add_func("/bfs/roots-have-neighbours", test_roots);
    g_test_add_func("/bfs/rounds-are-right", test_rounds_are_right);
    g_test_add_func("/bfs/bad-trees-are-seen", test_bad_trees);
    g_test_add_func("/bfs/wrong-memory-is-seen", test_wrong_memory_is_seen);
    g_test_add_func("/bfs/wrong-counts-are-seen", test_wrong_counts_are_seen);
    g_test_add_func("/bfs/early-search-is-seen", test_early_search_is_seen);
    return g_test_run();
}
