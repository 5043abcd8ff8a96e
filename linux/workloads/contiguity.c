/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How contiguous the memory of the system is that it runs in.
 *
 * What is memory is in /proc/iomem, what each page of it is at the moment in
 * /proc/kpageflags.  A run is a range of physical memory without a gap.
 */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_SIZE 4096ul
#define PAGES_AT_ONCE 8192
#define KPF_BUDDY (1ull << 10)      /* free */
#define KPF_OFFLINE (1ull << 23)    /* in a balloon, say: not the system's */

/* A kind of pages: how many there are, and the longest run of them. */
struct tally {
    uint64_t pages;
    uint64_t run, run_end;          /* the run that goes on, if there is one */
    uint64_t longest, longest_at;   /* pages, page frame number */
};

struct memory {
    struct tally free;
    struct tally own;               /* what the system has, free or not */
    uint64_t largest_block;         /* bytes: of the buddy allocator's lists */
};

static const struct options o = { .name = "contiguity" };

static FILE *open_or_die(const char *path)
{
    FILE *file = fopen(path, "r");

    if (!file) {
        die(&o, "%s: %s", path, strerror(errno));
    }
    return file;
}

static void count(struct tally *t, uint64_t pfn)
{
    t->pages++;
    t->run = t->run_end == pfn ? t->run + 1 : 1;
    t->run_end = pfn + 1;
    if (t->run > t->longest) {
        t->longest = t->run;
        t->longest_at = pfn + 1 - t->run;
    }
}

static void count_range(struct memory *m, int kpageflags, uint64_t pfn,
                        uint64_t end)
{
    uint64_t flags[PAGES_AT_ONCE];

    while (pfn < end) {
        size_t n = end - pfn < PAGES_AT_ONCE ? end - pfn : PAGES_AT_ONCE;
        ssize_t bytes = n * sizeof(*flags);

        if (pread(kpageflags, flags, bytes, pfn * sizeof(*flags)) != bytes) {
            die(&o, "/proc/kpageflags: %s", strerror(errno));
        }
        for (size_t i = 0; i < n; i++, pfn++) {
            if (flags[i] & KPF_BUDDY) {
                count(&m->free, pfn);
            }
            if (!(flags[i] & KPF_OFFLINE)) {
                count(&m->own, pfn);
            }
        }
    }
}

/* All ranges that /proc/iomem names as memory, at the start of its lines. */
static void count_memory(struct memory *m)
{
    int kpageflags = open("/proc/kpageflags", O_RDONLY);
    FILE *iomem = open_or_die("/proc/iomem");
    uint64_t start, last;
    char line[256];

    if (kpageflags < 0) {
        die(&o, "/proc/kpageflags: %s", strerror(errno));
    }
    while (fgets(line, sizeof(line), iomem)) {
        if (line[0] == ' ' || !strstr(line, " : System RAM") ||
            sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &last) != 2) {
            continue;
        }
        if (!last) {
            die(&o, "/proc/iomem tells no addresses: it needs root");
        }
        count_range(m, kpageflags, (start + PAGE_SIZE - 1) / PAGE_SIZE,
                    (last + 1) / PAGE_SIZE);
    }
    fclose(iomem);
    close(kpageflags);
}

/* Lines of /proc/buddyinfo: "Node 0, zone DMA32 5 1 0 ...", order 0 first. */
static uint64_t largest_block(void)
{
    FILE *file = open_or_die("/proc/buddyinfo");
    uint64_t largest = 0;
    char line[512];

    while (fgets(line, sizeof(line), file)) {
        char *word = strstr(line, "zone ");
        uint64_t size = PAGE_SIZE;

        word = word ? strtok(word + strlen("zone "), " \n") : NULL;
        while (word && (word = strtok(NULL, " \n"))) {
            if (strtoull(word, NULL, 10) && size > largest) {
                largest = size;
            }
            size *= 2;
        }
    }
    fclose(file);
    return largest;
}

static void print(const struct memory *m, bool json)
{
    const char *format = json
        ? "{\"free\": %" PRIu64 ", \"free_block\": %" PRIu64
          ", \"free_run\": %" PRIu64 ", \"free_run_at\": %" PRIu64
          ", \"own\": %" PRIu64 ", \"own_run\": %" PRIu64
          ", \"own_run_at\": %" PRIu64 "}\n"
        : "contiguity: free=%" PRIu64 " free_block=%" PRIu64
          " free_run=%" PRIu64 " free_run_at=0x%" PRIx64
          " own=%" PRIu64 " own_run=%" PRIu64 " own_run_at=0x%" PRIx64 "\n";

    printf(format, m->free.pages * PAGE_SIZE, m->largest_block,
           m->free.longest * PAGE_SIZE, m->free.longest_at * PAGE_SIZE,
           m->own.pages * PAGE_SIZE, m->own.longest * PAGE_SIZE,
           m->own.longest_at * PAGE_SIZE);
}

static void print_help(void)
{
    puts("Usage: contiguity [OPTION]...\n\n"
         "Says how contiguous the memory of this system is, in bytes:\n\n"
         "  free        free memory (without what CPUs keep for themselves)\n"
         "  free_block  the largest free block that the allocator has\n"
         "  free_run    the longest free range of physical memory\n"
         "  own         memory of this system, free or not, without what a balloon has\n"
         "  own_run     the longest range of it: the most that one segment could be\n\n"
         "and the address of both ranges.  It needs root.\n\n"
         "  --json  the same as JSON\n"
         "  --help  this text\n\n"
         "Example: contiguity --json");
}

static bool parse_json_option(int argc, char **argv)
{
    static const struct option table[] = {
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };
    bool json = false;
    int c;

    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (c) {
        case 'j':
            json = true;
            break;
        case 'h':
            print_help();
            exit(0);
        default:
            exit(2);      /* getopt_long has said what is wrong */
        }
    }
    if (optind < argc) {
        die(&o, "unexpected argument '%s'; see --help", argv[optind]);
    }
    return json;
}

int main(int argc, char **argv)
{
    struct memory m = { 0 };
    bool json = parse_json_option(argc, argv);

    count_memory(&m);
    m.largest_block = largest_block();
    print(&m, json);
    return 0;
}
