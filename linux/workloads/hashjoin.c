/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash join without partitions: the probes of it.
 *
 * The table has the tuples of one relation, each with a key of its own, in as
 * many buckets, which are chains. The tuples of the other relation, which are as
 * many, have random ones of these keys. A round takes them one after the other,
 * goes on where the last one has ended, and begins again at the end; each finds
 * its match in the table. With --zipf keys are not all as frequent: the r-th one
 * is so in proportion to 1 / r.
 *
 * Keys and payloads are functions of the seed and of numbers, so the matches and
 * their sum are known without any table.
 */
#include "area.h"
#include "common.h"
#include "numbers.h"
#include "rounds.h"

#include <string.h>

#define SMALLEST_TABLE 16     /* tuples */

enum kind { ENTRIES, RANKS, PROBES };

/* Of the table. */
struct entry {
    uint64_t key, payload;
    uint64_t next;            /* number of another entry, plus 1; 0: none */
};

/* Of the other relation. */
struct probe {
    uint64_t key, payload;
};

struct join {
    uint64_t seed;
    bool zipf;
    uint64_t n;               /* entries, buckets, and probes */
    struct order ranks;       /* which entry is how frequent, with --zipf */
    uint64_t *buckets;        /* the first entry of each, plus 1 */
    struct entry *entries;
    struct probe *probes;
    uint64_t input_sum;       /* checksum of it all, as it was made */

    /* The round's. */
    uint64_t matches, sum;
};

static struct probe make_entry(const struct join *j, uint64_t i)
{
    uint64_t key = mix(mix(j->seed) + i);     /* a bijection */

    return (struct probe){ key, sequence(j->seed, ENTRIES, key) };
}

/*
 * From 1 to @n, r in proportion to 1 / r: an even choice among the powers of two
 * is one of ranges that have equal shares, but for what falls off in each of them.
 */
static uint64_t make_rank(uint64_t *state, uint64_t n)
{
    unsigned bits = 64 - __builtin_clzll(n);

    for (;;) {
        uint64_t power = 1ull << below(random_number(state), bits);
        uint64_t rank = power + below(random_number(state), power);

        if (rank <= n && below(random_number(state), rank) < power) {
            return rank;
        }
    }
}

static struct probe make_probe(const struct join *j, uint64_t i)
{
    uint64_t state = sequence(j->seed, PROBES, i);
    uint64_t payload = random_number(&state);
    uint64_t entry = j->zipf ? in_order(&j->ranks, make_rank(&state, j->n) - 1)
                             : below(random_number(&state), j->n);

    return (struct probe){ make_entry(j, entry).key, payload };
}

/* By a hash of the key, other than what has made the key. */
static uint64_t *bucket_of(const struct join *j, uint64_t key)
{
    return &j->buckets[below(key * GOLDEN, j->n)];
}

static uint64_t input_sum(const struct join *j)
{
    uint64_t sums[] = {
        checksum(j->buckets, j->n),
        checksum(&j->entries->key, j->n * sizeof(*j->entries) / sizeof(uint64_t)),
        checksum(&j->probes->key, j->n * sizeof(*j->probes) / sizeof(uint64_t)),
    };

    return checksum(sums, sizeof(sums) / sizeof(*sums));
}

static void build(void *data, const struct options *o)
{
    struct join *j = data;

    (void)o;
    memset(j->buckets, 0, j->n * sizeof(*j->buckets));
    for (uint64_t i = 0; i < j->n && !stop_at(i); i++) {
        struct probe own = make_entry(j, i);
        uint64_t *bucket = bucket_of(j, own.key);

        j->entries[i] = (struct entry){ own.key, own.payload, *bucket };
        *bucket = i + 1;
        j->probes[i] = make_probe(j, i);
    }
    j->input_sum = input_sum(j);
}

/* The matches of a probe; each adds to *@sum. */
static uint64_t find_matches(const struct join *j, const struct probe *probe,
                             uint64_t *sum)
{
    uint64_t link = *bucket_of(j, probe->key), matches = 0;

    /* Whatever memory says, links go down. */
    link = link <= j->n ? link : 0;
    while (link) {
        const struct entry *entry = &j->entries[link - 1];

        if (entry->key == probe->key) {
            matches++;
            *sum += entry->payload + probe->payload;
        }
        link = entry->next < link ? entry->next : 0;
    }
    return matches;
}

static uint64_t work(void *data, const struct options *o, uint64_t round)
{
    struct join *j = data;
    uint64_t at = (round - 1) * o->updates % j->n, matches = 0, sum = 0;

    for (uint64_t i = 0; i < o->updates && !stop_at(i); i++) {
        matches += find_matches(j, &j->probes[at], &sum);
        at = at + 1 < j->n ? at + 1 : 0;
    }
    j->matches = matches;
    j->sum = sum;
    return o->updates;
}

/* Each probe has one match. */
static uint64_t expected_sum(const struct join *j, uint64_t begin, uint64_t end)
{
    uint64_t sum = 0;

    for (uint64_t i = begin; i < end && !stop_at(i); i++) {
        struct probe probe = make_probe(j, i % j->n);

        sum += sequence(j->seed, ENTRIES, probe.key) + probe.payload;
    }
    return sum;
}

static void check(void *data, const struct options *o, struct round *r)
{
    struct join *j = data;
    uint64_t results[] = { j->matches, j->sum };

    r->checksum = checksum(results, sizeof(results) / sizeof(*results));
    r->errors = j->matches > o->updates ? j->matches - o->updates
                                        : o->updates - j->matches;
    r->errors += j->sum != expected_sum(j, (r->number - 1) * o->updates,
                                        r->number * o->updates);
    r->errors += input_sum(j) != j->input_sum;
}

/* Set where its arrays are; returns the bytes that they take. */
static uint64_t lay_out(struct join *j, void *start, uint64_t n)
{
    struct area area = area_at(start);

    j->n = n;
    j->ranks = make_order(j->seed, RANKS, n);
    j->buckets = area_take(&area, n, sizeof(*j->buckets));
    j->entries = area_take(&area, n, sizeof(*j->entries));
    j->probes = area_take(&area, n, sizeof(*j->probes));
    return area_bytes(&area);
}

static uint64_t bytes_of(uint64_t n)
{
    return lay_out(&(struct join){ 0 }, NULL, n);
}

int main(int argc, char **argv)
{
    static const struct workload hashjoin = { build, work, check, "probes_per_s" };
    struct flag zipf = {
        "zipf",
        "  --zipf          keys by Zipf's law: the r-th is as frequent as 1 / r of the first\n",
        false
    };
    struct options o = {
        .name = "hashjoin", .bytes = 64 << 20, .updates = 500000,
        .threads = 1, .at = 0x600000000000, .flag = &zipf,
    };
    struct join j;
    uint64_t n;

    parse_options(&o, argc, argv,
                  "Probes of a hash join without partitions. Its two relations have as many\n"
                  "tuples as fit (48 bytes for one of each), and the table as many buckets.\n"
                  "An update is a tuple of one relation that looks for its match in the other.");
    require_one_thread(&o);
    n = largest_problem(&o, bytes_of, SMALLEST_TABLE);
    j.seed = o.seed;
    j.zipf = zipf.set;
    lay_out(&j, map_work_area(&o), n);
    return run_rounds(&o, &hashjoin, &j);
}
