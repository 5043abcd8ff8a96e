/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Graph500-style breadth-first search.
 *
 * The graph is a Kronecker graph of 2^scale vertices, with 16 edges for each of
 * them. It is undirected; loops and edges that are there twice stay. Each edge
 * is in the lists of neighbours of both its ends, and these are one after the
 * other (CSR). Edges are not kept to be put there: they are made twice, to count
 * first.
 *
 * A search begins at a random vertex that has a neighbour and fills in the
 * parent of each vertex that it reaches. The checks are Graph500's: the parents
 * are a tree; each edge of it is one of the graph; levels of neighbours differ
 * by at most one; and what is reached is all of a component and nothing else.
 */
#include "area.h"
#include "common.h"
#include "kronecker.h"
#include "numbers.h"
#include "rounds.h"

#include <string.h>

#define EDGES_OF_A_VERTEX 16
#define LARGEST_SCALE 31
#define SMALLEST_GRAPH 16     /* vertices */
#define NONE UINT32_MAX
#define ROOTS 0               /* a kind of random numbers */

struct graph {
    struct kronecker kronecker;
    uint64_t vertices, edges;
    uint64_t edges_sum;   /* of all edges, as they were made */

    uint64_t *first;      /* of each vertex, in neighbours; one more: the end */
    uint32_t *neighbours;
    uint32_t *parents;
    uint32_t *queue;
    uint32_t *levels;     /* for checks only */

    /* The round's searches. */
    uint64_t searches, traversed, reached, trees_sum;
};

/* Its sum over edges depends on all of them, in any order. */
static uint64_t edge_sum(uint32_t u, uint32_t v)
{
    return mix((uint64_t)u << 32 | v);
}

static void count_neighbours(struct graph *g)
{
    uint64_t end = 0;

    memset(g->first, 0, (g->vertices + 1) * sizeof(*g->first));
    for (uint64_t i = 0; i < g->edges && !stop_at(i); i++) {
        struct edge edge = kronecker_edge(&g->kronecker, i);

        g->first[edge.u]++;
        g->first[edge.v]++;
    }
    /* So far the end of each list; it moves down as the list is filled. */
    for (uint64_t v = 0; v <= g->vertices; v++) {
        end += g->first[v];
        g->first[v] = end;
    }
}

static void build(void *data, const struct options *o)
{
    struct graph *g = data;

    (void)o;
    count_neighbours(g);
    g->edges_sum = 0;
    for (uint64_t i = 0; i < g->edges && !stop_at(i); i++) {
        struct edge edge = kronecker_edge(&g->kronecker, i);

        g->neighbours[--g->first[edge.u]] = edge.v;
        g->neighbours[--g->first[edge.v]] = edge.u;
        g->edges_sum += edge_sum(edge.u, edge.v) + edge_sum(edge.v, edge.u);
    }
}

/* The end of the list of @v; never beyond the last, whatever memory says. */
static uint64_t end_of(const struct graph *g, uint32_t v)
{
    uint64_t end = g->first[v + 1];

    return end < 2 * g->edges ? end : 2 * g->edges;
}

static bool has_neighbour(const struct graph *g, uint32_t v)
{
    for (uint64_t i = g->first[v]; i < end_of(g, v); i++) {
        if (g->neighbours[i] != v) {
            return true;
        }
    }
    return false;
}

static uint32_t make_root(const struct graph *g, uint64_t round, uint64_t search)
{
    uint64_t state = sequence(g->kronecker.seed, ROOTS, mix(round) + search);
    uint32_t root;

    do {
        root = below(random_number(&state), g->vertices);
    } while (!has_neighbour(g, root) && !stop_requested);
    return root;
}

/* One search, from @root; adds to the counts of the round. */
static void search(struct graph *g, uint32_t root)
{
    uint64_t head = 0, tail = 0, traversed = 0, sum = edge_sum(root, root);

    memset(g->parents, 0xff, g->vertices * sizeof(*g->parents));
    g->parents[root] = root;
    g->queue[tail++] = root;
    while (head < tail && !stop_requested) {
        uint32_t u = g->queue[head++];
        uint64_t begin = g->first[u], end = end_of(g, u);

        for (uint64_t i = begin; i < end; i++) {
            uint32_t v = g->neighbours[i];

            if (v < g->vertices && g->parents[v] == NONE) {
                g->parents[v] = u;
                g->queue[tail++] = v;
                sum += edge_sum(u, v);
            }
        }
        traversed += end - begin;
    }
    g->searches++;
    g->traversed += traversed;
    g->reached += tail;
    g->trees_sum += sum;
}

static uint64_t work(void *data, const struct options *o, uint64_t round)
{
    struct graph *g = data;

    g->searches = g->traversed = g->reached = g->trees_sum = 0;
    while (g->traversed < o->updates && !stop_requested) {
        search(g, make_root(g, round, g->searches));
    }
    return g->traversed;
}

/*
 * Fill in the level of @v and of those above it; false if its parents do not
 * lead to the root.
 */
static bool find_level(struct graph *g, uint32_t v)
{
    uint32_t steps = 0, at = v, level;

    while (g->levels[at] == NONE) {
        at = g->parents[at];
        if (at >= g->vertices || ++steps >= g->vertices) {
            return false;
        }
    }
    level = g->levels[at] + steps;
    for (at = v; g->levels[at] == NONE; at = g->parents[at]) {
        g->levels[at] = level--;
    }
    return true;
}

/* Returns how many vertices are not below @root. */
static uint64_t find_levels(struct graph *g, uint32_t root)
{
    uint64_t errors = g->parents[root] != root;

    memset(g->levels, 0xff, g->vertices * sizeof(*g->levels));
    g->levels[root] = 0;
    for (uint64_t v = 0; v < g->vertices && !errors && !stop_at(v); v++) {
        errors += g->parents[v] != NONE && !find_level(g, v);
    }
    return errors;
}

/* Seen from one end of an edge; the other end sees the rest. */
static bool fits(uint32_t level, uint32_t other)
{
    if (level == NONE || other == NONE) {
        return level == other;
    }
    return level <= other + 1;
}

/* Returns the errors at one vertex, @root or below it or not reached. */
static uint64_t check_vertex(const struct graph *g, uint32_t root, uint32_t v)
{
    bool has_parent = g->levels[v] == NONE || v == root;
    uint64_t errors = 0;

    for (uint64_t i = g->first[v]; i < end_of(g, v); i++) {
        uint32_t u = g->neighbours[i];

        errors += u >= g->vertices || !fits(g->levels[v], g->levels[u]);
        has_parent |= u == g->parents[v];
    }
    return errors + !has_parent;
}

/* Check the tree in memory, and take it off the counts of the round. */
static uint64_t check_tree(struct graph *g, uint32_t root)
{
    uint64_t errors = find_levels(g, root);

    g->searches--;
    for (uint64_t v = 0; v < g->vertices && !errors && !stop_at(v); v++) {
        errors += check_vertex(g, root, v);
    }
    for (uint64_t v = 0; v < g->vertices && !errors; v++) {
        if (g->parents[v] != NONE) {
            g->reached--;
            g->traversed -= g->first[v + 1] - g->first[v];
            g->trees_sum -= edge_sum(g->parents[v], v);
        }
    }
    return errors;
}

/* Whether the lists of neighbours have each edge from both ends. */
static bool has_all_edges(const struct graph *g)
{
    uint64_t sum = 0;

    for (uint64_t v = 0; v < g->vertices && !stop_at(v); v++) {
        for (uint64_t i = g->first[v]; i < end_of(g, v); i++) {
            sum += edge_sum(v, g->neighbours[i]);
        }
    }
    return sum == g->edges_sum;
}

/*
 * Of the round's searches, the last one's tree is there to be checked. Those
 * before it are made again, and have to count what they did.
 */
static uint64_t check_trees(struct graph *g, uint64_t round)
{
    uint64_t last = g->searches - 1;
    uint64_t errors = check_tree(g, make_root(g, round, last));

    for (uint64_t i = 0; i < last && !errors && !stop_requested; i++) {
        struct graph counts = *g;
        uint32_t root = make_root(g, round, i);

        search(g, root);
        g->searches = counts.searches;
        g->traversed = counts.traversed;
        g->reached = counts.reached;
        g->trees_sum = counts.trees_sum;
        errors = check_tree(g, root);
    }
    return errors + (g->searches || g->traversed || g->reached || g->trees_sum);
}

static void check(void *data, const struct options *o, struct round *r)
{
    struct graph *g = data;
    uint64_t counts[] = { g->searches, g->traversed, g->reached, g->trees_sum };

    (void)o;
    r->checksum = checksum(counts, sizeof(counts) / sizeof(*counts));
    r->errors = !has_all_edges(g);
    if (!r->errors) {
        r->errors = check_trees(g, r->number);
    }
}

/* Set where its arrays are; returns the bytes that they take. */
static uint64_t lay_out(struct graph *g, void *start, uint64_t vertices)
{
    struct area area = area_at(start);
    uint64_t edges = vertices * EDGES_OF_A_VERTEX;

    g->first = area_take(&area, vertices + 1, sizeof(*g->first));
    g->neighbours = area_take(&area, 2 * edges, sizeof(*g->neighbours));
    g->parents = area_take(&area, vertices, sizeof(*g->parents));
    g->queue = area_take(&area, vertices, sizeof(*g->queue));
    g->levels = area_take(&area, vertices, sizeof(*g->levels));
    return area_bytes(&area);
}

static uint64_t bytes_of(uint64_t vertices)
{
    return lay_out(&(struct graph){ 0 }, NULL, vertices);
}

static void plan(struct graph *g, const struct options *o)
{
    uint64_t vertices = largest_problem(o, bytes_of, SMALLEST_GRAPH);
    unsigned scale = 63 - __builtin_clzll(vertices);

    scale = scale < LARGEST_SCALE ? scale : LARGEST_SCALE;
    kronecker_init(&g->kronecker, o->seed, scale);
    g->vertices = 1ull << scale;
    g->edges = g->vertices * EDGES_OF_A_VERTEX;
}

int main(int argc, char **argv)
{
    static const struct workload bfs = { build, work, check, "teps" };
    struct options o = {
        .name = "bfs", .bytes = 64 << 20, .updates = 1000000,
        .threads = 1, .at = 0x600000000000,
    };
    struct graph g;

    parse_options(&o, argc, argv,
                  "Graph500-style breadth-first searches of a Kronecker graph, with the largest\n"
                  "power of two of vertices that fits (148 bytes each) and 16 edges for each of\n"
                  "them. An update is an edge looked at from one end; a round makes as many\n"
                  "searches, whole ones from random roots, as --updates need.");
    require_one_thread(&o);
    plan(&g, &o);
    lay_out(&g, map_work_area(&o), g.vertices);
    return run_rounds(&o, &bfs, &g);
}
