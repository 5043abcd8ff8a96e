/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tlb-simulator GEOMETRY TRACE: what the TLB of that geometry (geometry.h) does
 * in a program that the plugin has traced (trace.h), between its markers 1 and
 * 2, as JSON.
 */
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geometry.h"
#include "print-passing.h"

#define LABEL_BEGIN 1
#define LABEL_END 2

static void die(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

static void die(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    fputs("tlb-simulator: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(1);
}

/* -- The result -- */

/* The members are those of QEMU's X86DsegTlbInfo. */

/* Those that are not 0. */
static void print_table(const char *name,
                        uint64_t table[LEVELS][KINDS][PAGE_SIZES])
{
    const char *separator = "";

    printf("\"%s\": [", name);
    for (unsigned level = 1; level < LEVELS; level++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            for (unsigned pages = 0; pages < PAGE_SIZES; pages++) {
                uint64_t count = table[level][kind][pages];

                if (count) {
                    printf("%s\n  {\"level\": \"l%u\", \"kind\": \"%s\", "
                           "\"pages\": \"%s\", \"count\": %" PRIu64 "}",
                           separator, level, kind_names[kind],
                           pages_names[pages], count);
                    separator = ",";
                }
            }
        }
    }
    printf("],\n");
}

static void print_kinds(const char *name, const uint64_t counts[KINDS])
{
    printf("\"%s\": {\"load\": %" PRIu64 ", \"store\": %" PRIu64
           ", \"fetch\": %" PRIu64 "},\n", name, counts[LOAD],
           counts[STORE], counts[FETCH]);
}

static void print_arrays(const struct hierarchy *h)
{
    printf("\"arrays\": [");
    for (unsigned i = 0; i < h->arrays; i++) {
        unsigned used = 0;

        for (unsigned j = 0; j < h->array[i].entries; j++) {
            used += h->array[i].entry[j].valid;
        }
        printf("%s\n  {\"array\": %u, \"used\": %u, \"evictions\": %" PRIu64
               "}", i ? "," : "", i, used, h->array[i].evictions);
    }
    printf("],\n");
}

static void print_invalidations(const struct counts *counts)
{
    const char *separator = "";

    printf("\"invalidations\": [");
    for (unsigned cause = 0; cause < CAUSES; cause++) {
        if (counts->operations[cause]) {
            printf("%s\n  {\"cause\": \"%s\", \"count\": %" PRIu64
                   ", \"entries\": %" PRIu64 "}", separator,
                   cause_names[cause], counts->operations[cause],
                   counts->removed[1][cause] + counts->removed[2][cause]);
            separator = ",";
        }
    }
    printf("]");
}

static void print_walk_cache(const char *name, const struct walk_cache *cache)
{
    printf("\"%s-lookups\": %" PRIu64 ", \"%s-hits\": [", name, cache->lookups,
           name);
    for (unsigned level = TOP_LEVEL; level >= LOWEST_LEVEL; level--) {
        printf("%" PRIu64 "%s", cache->hits[level],
               level > LOWEST_LEVEL ? ", " : "],\n");
    }
}

/* All 0 if the geometry has none. */
static void print_walk_caches(const struct simulator *s)
{
    const struct counts *counts = &s->counts;

    printf("\"walk-caches\": {");
    print_walk_cache("guest", &s->guest_cache);
    print_walk_cache("nested", &s->nested_cache);
    printf("\"gpa-lookups\": %" PRIu64 ", \"gpa-hits\": [%" PRIu64 ", %" PRIu64
           ", %" PRIu64 "]},\n", counts->gpa_lookups,
           counts->gpa_hits[PAGES_4K], counts->gpa_hits[PAGES_2M],
           counts->gpa_hits[PAGES_1G]);
}

static void print_counts(struct simulator *s)
{
    struct counts *counts = &s->counts;

    printf("{");
    print_table("hits", counts->hits);
    print_table("misses", counts->misses);
    printf("\"dirty-misses\": {\"l1\": %" PRIu64 ", \"l2\": %" PRIu64 "},\n",
           counts->dirty_misses[1], counts->dirty_misses[2]);
    print_kinds("segment-hits", counts->segment_hits);
    print_kinds("segment-hits-l1", counts->segment_hits_l1);
    print_kinds("walks", counts->walks);
    printf("\"guest-refs\": %" PRIu64 ", \"nested-refs\": %" PRIu64 ",\n",
           counts->guest_refs, counts->nested_refs);
    print_walk_caches(s);
    print_arrays(&s->tlb);
    print_invalidations(counts);
    print_passing(&s->passing);
    printf("}\n");
}

/* -- The trace -- */

struct reader {
    FILE *file;
    const char *name;
    uint64_t records;
};

static bool read_bytes(struct reader *reader, void *bytes, size_t size)
{
    return fread(bytes, 1, size, reader->file) == size;
}

static void read_memory(struct reader *reader, struct simulator *s,
                        const struct trace_record *record)
{
    g_autofree uint8_t *bytes = g_malloc(record->value[0]);

    if (!read_bytes(reader, bytes, record->value[0])) {
        die("%s ends in the middle of a record", reader->name);
    }
    if (!world_write(&s->world, record->address, bytes, record->value[0])) {
        die("%s: 0x%" PRIx64 " is no RAM", reader->name, record->address);
    }
}

static void read_operation(struct reader *reader, struct simulator *s,
                           const struct trace_record *record)
{
    struct trace_state state;

    if (!read_bytes(reader, &state, sizeof(state))) {
        die("%s ends in the middle of a record", reader->name);
    }
    simulator_operation(s, record, &state);
}

/* One record; false at the end of the region. */
static bool step(struct reader *reader, struct simulator *s,
                 const struct trace_record *record)
{
    switch (record->type) {
    case TRACE_MEMORY:
        read_memory(reader, s, record);
        break;
    case TRACE_INSTRUCTION:
        simulator_instruction(s, record->address, record->size);
        break;
    case TRACE_PRIVILEGE:
        simulator_privilege(s, record->value[0]);
        break;
    case TRACE_LOAD:
        simulator_load(s, record->address, record->size);
        break;
    case TRACE_STORE:
        simulator_store(s, record->address, record->size, record->value);
        break;
    case TRACE_OPERATION:
        read_operation(reader, s, record);
        break;
    case TRACE_MARKER:
        if (record->value[0] == LABEL_BEGIN) {
            simulator_begin(s);
        }
        return record->value[0] != LABEL_END;
    default:
        die("%s: record %" PRIu64 " has the type %u", reader->name,
            reader->records, record->type);
    }
    if (s->error) {
        die("%s: record %" PRIu64 " (type %u, address 0x%" PRIx64 "): %s",
            reader->name, reader->records, record->type, record->address,
            s->error);
    }
    return true;
}

/* Up to the end of the region. */
static void replay(struct reader *reader, struct simulator *s)
{
    struct trace_record record;

    do {
        reader->records++;
        if (!read_bytes(reader, &record, sizeof(record))) {
            die("%s ends without a marker %u", reader->name, LABEL_END);
        }
    } while (step(reader, s, &record));
}

static void open_trace(struct reader *reader, const char *name)
{
    char magic[TRACE_MAGIC_SIZE];

    *reader = (struct reader) { .file = fopen(name, "rb"), .name = name };
    if (!reader->file) {
        die("can't open %s", name);
    }
    if (!read_bytes(reader, magic, sizeof(magic)) ||
        memcmp(magic, TRACE_MAGIC, sizeof(magic))) {
        die("%s is no trace", name);
    }
}

/* The first record has the size of RAM in value[1]. */
static uint64_t ram_size(struct reader *reader)
{
    struct trace_record first;
    long start = ftell(reader->file);

    if (!read_bytes(reader, &first, sizeof(first)) ||
        first.type != TRACE_MEMORY) {
        die("%s does not begin with RAM", reader->name);
    }
    fseek(reader->file, start, SEEK_SET);
    return first.value[1];
}

static void read_geometry(struct simulator *s, const char *name)
{
    g_autofree char *text = NULL, *wrong = NULL;

    if (!g_file_get_contents(name, &text, NULL, NULL)) {
        die("can't read %s", name);
    }
    wrong = geometry_parse(s, text);
    if (wrong) {
        die("%s: \"%s\" is no line of a geometry", name, wrong);
    }
}

int main(int argc, char **argv)
{
    struct simulator s = { 0 };
    struct reader reader;
    const char *wrong;

    if (argc != 3) {
        die("usage: tlb-simulator GEOMETRY TRACE");
    }
    read_geometry(&s, argv[1]);
    open_trace(&reader, argv[2]);
    wrong = simulator_init(&s, ram_size(&reader));
    if (wrong) {
        die("%s: %s", argv[1], wrong);
    }
    replay(&reader, &s);
    print_counts(&s);
    fclose(reader.file);
    simulator_free(&s);
    return 0;
}
