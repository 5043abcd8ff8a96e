/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A geometry as text. */
#include "geometry.h"

#include <glib.h>

const char *const kind_names[KINDS] = { "load", "store", "fetch" };
const char *const pages_names[PAGE_SIZES] = { "4k", "2m", "1g" };

static const char *const place_names[] = {
    "l1d", "l1i", "l2", "l2d", "l2i", "nested",
};
static const char *const policy_names[] = { "lru", "plru", "fifo", "random" };

/* The number of a name, or -1. */
static int find(const char *const names[], int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (g_str_equal(names[i], name)) {
            return i;
        }
    }
    return -1;
}

static bool parse_number(const char *text, guint64 *number)
{
    return g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, number, NULL);
}

static bool parse_pages(struct array *array, const char *text)
{
    g_auto(GStrv) names = g_strsplit(text, ",", 0);

    for (char **name = names; *name; name++) {
        int pages = find(pages_names, PAGE_SIZES, *name);

        if (pages < 0) {
            return false;
        }
        array->holds[pages] = true;
    }
    return true;
}

static bool parse_field(struct array *array, const char *field)
{
    g_auto(GStrv) words = g_strsplit(field, "=", 2);
    guint64 number = 0;
    int policy;

    if (g_strv_length(words) != 2) {
        return false;
    }
    if (g_str_equal(words[0], "pages")) {
        return parse_pages(array, words[1]);
    }
    if (g_str_equal(words[0], "policy")) {
        policy = find(policy_names, G_N_ELEMENTS(policy_names), words[1]);
        array->policy = policy;
        return policy >= 0;
    }
    if (!parse_number(words[1], &number) || number > G_MAXUINT) {
        return false;
    }
    if (g_str_equal(words[0], "entries")) {
        array->entries = number;
        return true;
    }
    array->ways = number;
    return g_str_equal(words[0], "ways");
}

static bool parse_array(struct hierarchy *h, char **words)
{
    struct array *array = &h->array[h->arrays];
    int place = find(place_names, G_N_ELEMENTS(place_names), words[0]);

    if (h->arrays == MAX_ARRAYS || place < 0) {
        return false;
    }
    *array = (struct array) { .place = place };
    for (words++; *words; words++) {
        if (!parse_field(array, *words)) {
            return false;
        }
    }
    h->arrays++;
    return true;
}

static bool parse_walk_cache(struct walk_cache *cache, char **words)
{
    static const char *const names[] = {
        [2] = "pde", [3] = "pdpte", [4] = "pml4e", [5] = "pml5e",
    };

    for (; *words; words++) {
        g_auto(GStrv) field = g_strsplit(*words, "=", 2);
        int level = find(names + LOWEST_LEVEL,
                         TOP_LEVEL - LOWEST_LEVEL + 1, field[0]);
        guint64 number;

        if (level < 0 || !field[1] || !parse_number(field[1], &number) ||
            number > G_MAXUINT16) {
            return false;
        }
        cache->entries[LOWEST_LEVEL + level] = number;
    }
    return true;
}

/* -- Caches -- */

static bool parse_cache_number(struct cache *cache, const char *name,
                               guint64 number)
{
    if (g_str_equal(name, "size")) {
        cache->size = number;
        return number > 0;
    }
    if (number > G_MAXUINT16) {
        return false;
    }
    if (g_str_equal(name, "latency")) {
        cache->latency = number;
        return true;
    }
    cache->ways = number;
    return g_str_equal(name, "ways");
}

static bool parse_cache_field(struct cache *cache, const char *field)
{
    g_auto(GStrv) words = g_strsplit(field, "=", 2);
    guint64 number;

    if (g_strv_length(words) != 2) {
        return false;
    }
    if (g_str_equal(words[0], "policy")) {
        int policy = find(policy_names, G_N_ELEMENTS(policy_names), words[1]);

        cache->policy = policy;
        return policy >= 0;
    }
    if (g_str_equal(words[0], "inclusive")) {
        cache->inclusive = g_str_equal(words[1], "yes");
        return cache->inclusive || g_str_equal(words[1], "no");
    }
    return parse_number(words[1], &number) &&
           parse_cache_number(cache, words[0], number);
}

static bool parse_cache(struct caches *caches, char **words)
{
    int number = find(cache_names, CACHES, words[0]);

    if (number < 0) {
        return false;
    }
    caches->present = true;
    for (words++; *words; words++) {
        if (!parse_cache_field(&caches->cache[number], *words)) {
            return false;
        }
    }
    return true;
}

static bool parse_caches(struct caches *caches, char **words)
{
    caches->present = true;
    caches->line = 64;
    for (; *words; words++) {
        g_auto(GStrv) field = g_strsplit(*words, "=", 2);
        guint64 number;

        if (!field[1] || !parse_number(field[1], &number)) {
            return false;
        }
        if (g_str_equal(field[0], "seed")) {
            caches->seed = number;
        } else if (g_str_equal(field[0], "line") && number <= G_MAXUINT16) {
            caches->line = number;
        } else if (g_str_equal(field[0], "memory") && number <= G_MAXUINT) {
            caches->memory = number;
        } else {
            return false;
        }
    }
    return true;
}

/* -- The whole -- */

/* What has a name and a value alone; false if it is none of that. */
static bool parse_setting(struct simulator *s, char **words)
{
    const char *value = words[1];

    if (g_str_equal(words[0], "seed")) {
        return parse_number(value, &s->tlb.seed);
    }
    if (g_str_equal(words[0], "mode")) {
        s->passing.only_l1_misses = g_str_equal(value, "inclusive");
        return s->passing.only_l1_misses || g_str_equal(value, "exact");
    }
    s->segments_beside_l1 = g_str_equal(value, "l1");
    return g_str_equal(words[0], "segments") &&
           (s->segments_beside_l1 || g_str_equal(value, "l2"));
}

static bool parse_line(struct simulator *s, char **words)
{
    unsigned count = g_strv_length(words);

    if (count == 0 || *words[0] == '\0') {
        return count < 2;
    }
    if (count >= 2 && g_str_equal(words[0], "array")) {
        return parse_array(&s->tlb, words + 1);
    }
    if (count >= 2 && g_str_equal(words[0], "walk-cache")) {
        bool guest = g_str_equal(words[1], "guest");

        return (guest || g_str_equal(words[1], "nested")) &&
               parse_walk_cache(guest ? &s->guest_cache : &s->nested_cache,
                                words + 2);
    }
    if (g_str_equal(words[0], "caches")) {
        return parse_caches(&s->passing.caches, words + 1);
    }
    if (count >= 2 && g_str_equal(words[0], "cache")) {
        return parse_cache(&s->passing.caches, words + 1);
    }
    return count == 2 && parse_setting(s, words);
}

char *geometry_parse(struct simulator *s, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);

    for (char **line = lines; *line; line++) {
        g_auto(GStrv) words = g_strsplit(*line, " ", 0);

        if (!parse_line(s, words)) {
            return g_strdup(*line);
        }
    }
    return NULL;
}
