/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lookups in a B+ tree.
 *
 * A node has 256 bytes: up to 15 keys, and as many values in a leaf, or up to 16
 * children. The tree is built from the leaves up, all of which are full; the
 * nodes of each level above have children in equal numbers, as far as can be.
 * Where a node is in the work area is random. Key i is a random one of those
 * from SPACING * i to SPACING * (i + 1) - 1, and its value a function of the key.
 * A quarter of the lookups are of keys that are not there.
 */
#include "area.h"
#include "common.h"
#include "numbers.h"
#include "rounds.h"

#define KEYS 15
#define CHILDREN (KEYS + 1)
#define SPACING (1ull << 20)
#define SMALLEST_TREE 2       /* leaves */

enum kind { PLACES, LOOKUPS, ALL_KEYS, ALL_VALUES };

struct node {
    uint64_t keys_used;
    uint64_t keys[KEYS];      /* of an inner node: the first of each next child */
    uint64_t links[CHILDREN]; /* of a leaf: values; else: numbers of nodes */
};

struct tree {
    uint64_t seed;
    uint64_t leaves, nodes_used;
    unsigned height;          /* levels above the leaves */
    uint64_t root;
    struct node *nodes;
    struct order places;      /* of nodes, by the order in which they are built */
    uint64_t sum;             /* checksum of the nodes, as they were made */

    /* The round's lookups. */
    uint64_t found, values_sum;
};

static uint64_t offset_of(const struct tree *t, uint64_t i)
{
    return below(sequence(t->seed, ALL_KEYS, i), SPACING);
}

static uint64_t key_of(const struct tree *t, uint64_t i)
{
    return i * SPACING + offset_of(t, i);
}

static uint64_t value_of(const struct tree *t, uint64_t key)
{
    return sequence(t->seed, ALL_VALUES, key);
}

/* Nodes of the level above one of @n. */
static uint64_t level_above(uint64_t n)
{
    return (n + CHILDREN - 1) / CHILDREN;
}

static uint64_t count_nodes(uint64_t leaves)
{
    uint64_t nodes = leaves;

    for (uint64_t level = leaves; level > 1; nodes += level) {
        level = level_above(level);
    }
    return nodes;
}

static void make_leaf(const struct tree *t, uint64_t leaf)
{
    struct node *node = &t->nodes[in_order(&t->places, leaf)];

    node->keys_used = KEYS;
    for (unsigned i = 0; i < KEYS; i++) {
        node->keys[i] = key_of(t, leaf * KEYS + i);
        node->links[i] = value_of(t, node->keys[i]);
    }
    node->links[KEYS] = 0;
}

/* The first key below a node that is @level levels above the leaves. */
static uint64_t first_key(const struct tree *t, uint64_t number, unsigned level)
{
    while (level--) {
        number = t->nodes[number].links[0];
    }
    return t->nodes[number].keys[0];
}

/*
 * Make a node, the @number-th to be built, above those from @begin to @end - 1,
 * which are @level levels above the leaves.
 */
static void make_inner(const struct tree *t, uint64_t number, uint64_t begin,
                       uint64_t end, unsigned level)
{
    struct node *node = &t->nodes[in_order(&t->places, number)];

    *node = (struct node){ .keys_used = end - begin - 1 };
    for (uint64_t i = begin; i < end; i++) {
        uint64_t child = in_order(&t->places, i);

        node->links[i - begin] = child;
        if (i > begin) {
            node->keys[i - begin - 1] = first_key(t, child, level);
        }
    }
}

static uint64_t nodes_sum(const struct tree *t)
{
    return checksum((const uint64_t *)t->nodes,
                    t->nodes_used * sizeof(*t->nodes) / sizeof(uint64_t));
}

static void build(void *data, const struct options *o)
{
    struct tree *t = data;
    uint64_t begin = 0, n = t->leaves;

    (void)o;
    for (uint64_t i = 0; i < n && !stop_requested; i++) {
        make_leaf(t, i);
    }
    for (t->height = 0; n > 1 && !stop_requested; t->height++) {
        uint64_t above = level_above(n);

        for (uint64_t i = 0; i < above && !stop_requested; i++) {
            make_inner(t, begin + n + i, begin + i * n / above,
                       begin + (i + 1) * n / above, t->height);
        }
        begin += n;
        n = above;
    }
    t->root = in_order(&t->places, t->nodes_used - 1);
    t->sum = nodes_sum(t);
}

/* Sets the value and returns true if @key is there. */
static bool find(const struct tree *t, uint64_t key, uint64_t *value)
{
    const struct node *node = &t->nodes[t->root];

    for (unsigned level = t->height; level > 0; level--) {
        unsigned child = 0;

        while (child < KEYS && child < node->keys_used &&
               key >= node->keys[child]) {
            child++;
        }
        if (node->links[child] >= t->nodes_used) {
            return false;     /* whatever memory says */
        }
        node = &t->nodes[node->links[child]];
    }
    for (unsigned i = 0; i < KEYS; i++) {
        if (node->keys[i] == key) {
            *value = node->links[i];
            return true;
        }
    }
    return false;
}

/* What the @i-th lookup is of; *@is_there: whether there is such a key. */
static uint64_t make_lookup(const struct tree *t, uint64_t i, bool *is_there)
{
    uint64_t state = sequence(t->seed, LOOKUPS, i);
    uint64_t random = random_number(&state);
    uint64_t number = below(random_number(&state), t->leaves * KEYS);
    uint64_t offset = offset_of(t, number);

    *is_there = random % 4 != 0;
    if (!*is_there) {
        offset = (offset + 1 + below(random, SPACING - 1)) % SPACING;
    }
    return number * SPACING + offset;
}

static uint64_t work(void *data, const struct options *o, uint64_t round)
{
    struct tree *t = data;
    uint64_t begin = (round - 1) * o->updates, found = 0, sum = 0;

    for (uint64_t i = 0; i < o->updates && !stop_at(i); i++) {
        uint64_t value;
        bool is_there;

        if (find(t, make_lookup(t, begin + i, &is_there), &value)) {
            found++;
            sum = mix(sum + i) ^ value;
        }
    }
    t->found = found;
    t->values_sum = sum;
    return o->updates;
}

/* What the lookups must have found, without the tree. */
static void check(void *data, const struct options *o, struct round *r)
{
    struct tree *t = data;
    uint64_t begin = (r->number - 1) * o->updates, found = 0, sum = 0;

    for (uint64_t i = 0; i < o->updates && !stop_at(i); i++) {
        bool is_there;
        uint64_t key = make_lookup(t, begin + i, &is_there);

        if (is_there) {
            found++;
            sum = mix(sum + i) ^ value_of(t, key);
        }
    }
    r->checksum = mix(t->found) ^ t->values_sum;
    r->errors = (t->found != found || t->values_sum != sum);
    r->errors += nodes_sum(t) != t->sum;
}

/* Set where the nodes are; returns the bytes that they take. */
static uint64_t lay_out(struct tree *t, void *start, uint64_t leaves)
{
    struct area area = area_at(start);

    t->leaves = leaves;
    t->nodes_used = count_nodes(leaves);
    t->places = make_order(t->seed, PLACES, t->nodes_used);
    t->nodes = area_take(&area, t->nodes_used, sizeof(*t->nodes));
    return area_bytes(&area);
}

static uint64_t bytes_of(uint64_t leaves)
{
    return lay_out(&(struct tree){ 0 }, NULL, leaves);
}

int main(int argc, char **argv)
{
    static const struct workload btree = { build, work, check, "lookups_per_s" };
    struct options o = {
        .name = "btree", .bytes = 64 << 20, .updates = 200000,
        .threads = 1, .at = 0x600000000000,
    };
    struct tree t;
    uint64_t leaves;

    parse_options(&o, argc, argv,
                  "Lookups of random keys in the largest B+ tree that fits: nodes of 256 bytes,\n"
                  "which have 16 children or 15 keys with their values. An update is a lookup;\n"
                  "a quarter of them are of keys that are not there.");
    require_one_thread(&o);
    leaves = largest_problem(&o, bytes_of, SMALLEST_TREE);
    t.seed = o.seed;
    lay_out(&t, map_work_area(&o), leaves);
    return run_rounds(&o, &btree, &t);
}
