/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fragments the memory of the system that it runs in.
 *
 * It takes all free memory, then gives back all but one page of each block, so
 * that no block is free as a whole.  Which pages of memory it has got is in
 * /proc/self/pagemap.  The pages that it keeps are pinned, as those of a
 * device driver or of a page table are, so that compaction can't help; or
 * they are ordinary anonymous memory, which can be moved.
 *
 * What it keeps is a workload at the same time: each round checks every word,
 * and then changes it.
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
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE_SIZE 4096ul
#define WORDS (PAGE_SIZE / sizeof(uint64_t))
#define FILL_STEP (256ul << 10)
#define LEFT_WHEN_FULL (4ul << 20)      /* for the rest of the system */
#define MOST_REFRESHES 100              /* until CPUs have given back all */
#define PIPE_PAGES 256                  /* the most without privileges */
#define PM_PRESENT (1ull << 63)         /* of an entry of /proc/PID/pagemap */
#define PM_PFN ((1ull << 55) - 1)

struct settings {
    uint64_t block;         /* bytes: no free block is as large as that */
    uint64_t rounds;        /* 0: until a signal ends it */
    bool movable;
    bool json;
};

static const struct options o = { .name = "fragment" };

/*
 * What the kernel must not do while memory is being filled (keep some of it
 * free, in blocks that are large, or kill us for asking for that), nor with
 * @until_end while the program runs (compact memory by itself).  The second one also ends the boosts of watermarks
 * that there are; so the first one, which forbids new ones, is before it.
 */
static struct knob {
    const char *path, *value;
    bool until_end;
    char before[256];
} knobs[] = {
    { "/proc/sys/vm/watermark_boost_factor", "0", false, "" },
    { "/proc/sys/vm/min_free_kbytes", "1024", false, "" },
    { "/proc/sys/vm/lowmem_reserve_ratio", "0 0 0 0 0", false, "" },
    { "/proc/sys/vm/compaction_proactiveness", "0", true, "" },
};
#define KNOBS (sizeof(knobs) / sizeof(knobs[0]))

static void write_knob(const char *path, const char *value)
{
    FILE *file = fopen(path, "w");

    if (!file || fputs(value, file) == EOF || fclose(file)) {
        die(&o, "%s: %s", path, strerror(errno));
    }
}

static void set_knobs(void)
{
    for (struct knob *k = knobs; k < knobs + KNOBS; k++) {
        FILE *file = fopen(k->path, "r");

        if (!file || !fgets(k->before, sizeof(k->before), file)) {
            die(&o, "%s: %s", k->path, strerror(errno));
        }
        fclose(file);
        write_knob(k->path, k->value);
    }
}

static void restore_knobs(bool until_end)
{
    for (struct knob *k = knobs; k < knobs + KNOBS; k++) {
        if (k->before[0] && k->until_end == until_end) {
            write_knob(k->path, k->before);
            k->before[0] = '\0';
        }
    }
}

static void restore_all_knobs(void)
{
    restore_knobs(false);
    restore_knobs(true);
}

static uint64_t free_memory(void)
{
    struct sysinfo info;

    sysinfo(&info);
    return (uint64_t)info.freeram * info.mem_unit;
}

static uint64_t all_memory(void)
{
    struct sysinfo info;

    sysinfo(&info);
    return (uint64_t)info.totalram * info.mem_unit;
}

static void *map(uint64_t bytes)
{
    void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (area == MAP_FAILED) {
        die(&o, "cannot map %" PRIu64 " bytes: %s", bytes, strerror(errno));
    }
    return area;
}

/*
 * CPUs keep free memory for themselves.  Since Linux 6.7 that may be an eighth
 * of all memory, as after the kernel has freed its initial ramdisk.  They give
 * some of it back whenever statistics are brought up to date.
 */
static bool is_there_free_memory(void)
{
    for (int i = 0; i < MOST_REFRESHES && !stop_requested; i++) {
        if (free_memory() > LEFT_WHEN_FULL) {
            return true;
        }
        write_knob("/proc/sys/vm/stat_refresh", "1");
    }
    return false;
}

/* Takes all free memory, in pages; returns how many bytes of @area it is. */
static uint64_t fill(char *area, uint64_t size)
{
    uint64_t bytes = 0;

    madvise(area, size, MADV_NOHUGEPAGE);
    while (bytes + FILL_STEP <= size && is_there_free_memory()) {
        if (madvise(area + bytes, FILL_STEP, MADV_POPULATE_WRITE)) {
            die(&o, "cannot take memory: %s", strerror(errno));
        }
        bytes += FILL_STEP;
    }
    return bytes;
}

/* The page frame numbers of the pages from @page on; 0 for one that has none. */
static void read_frames(int pagemap, const char *page, uint64_t *frames,
                        size_t n)
{
    off_t at = (uintptr_t)page / PAGE_SIZE * sizeof(*frames);
    size_t bytes = n * sizeof(*frames);

    if (pread(pagemap, frames, bytes, at) != (ssize_t)bytes) {
        die(&o, "/proc/self/pagemap: %s", strerror(errno));
    }
    for (size_t i = 0; i < n; i++) {
        frames[i] = frames[i] & PM_PRESENT ? frames[i] & PM_PFN : 0;
    }
}

static void give_back(char *from, char *to)
{
    if (to > from && madvise(from, to - from, MADV_DONTNEED)) {
        die(&o, "cannot give back memory: %s", strerror(errno));
    }
}

/*
 * Gives back all pages of @area but the first page of each block of memory of
 * that many pages.  @kept gets those; returns how many there are.
 */
static size_t punch(char *area, uint64_t bytes, uint64_t block_pages,
                    uint64_t **kept)
{
    uint64_t frames[FILL_STEP / PAGE_SIZE];
    int pagemap = open("/proc/self/pagemap", O_RDONLY);
    char *from = area;
    size_t n = 0;

    if (pagemap < 0) {
        die(&o, "/proc/self/pagemap: %s", strerror(errno));
    }
    for (uint64_t done = 0; done < bytes; done += FILL_STEP) {
        read_frames(pagemap, area + done, frames, FILL_STEP / PAGE_SIZE);
        if (!frames[0]) {
            die(&o, "/proc/self/pagemap tells no frames: it needs root");
        }
        for (size_t i = 0; i < FILL_STEP / PAGE_SIZE; i++) {
            char *page = area + done + i * PAGE_SIZE;

            if (frames[i] % block_pages == 0) {
                give_back(from, page);
                kept[n++] = (uint64_t *)page;
                from = page + PAGE_SIZE;
            }
        }
    }
    give_back(from, area + bytes);
    close(pagemap);
    return n;
}

static int (*make_pipes(size_t n))[2]
{
    int (*pipes)[2] = calloc(n, sizeof(*pipes));
    struct rlimit limit = { .rlim_cur = 2 * n + 64, .rlim_max = 2 * n + 64 };

    if (setrlimit(RLIMIT_NOFILE, &limit)) {
        die(&o, "cannot have %zu files open: %s", 2 * n, strerror(errno));
    }
    for (size_t i = 0; i < n; i++) {
        if (pipe(pipes[i]) ||
            fcntl(pipes[i][1], F_SETPIPE_SZ, PIPE_PAGES * PAGE_SIZE) < 0) {
            die(&o, "cannot make a pipe: %s", strerror(errno));
        }
    }
    return pipes;
}

/* A page in a pipe can't be moved or swapped; we still read and write it. */
static void pin(uint64_t **pages, size_t n, int (*pipes)[2])
{
    for (size_t i = 0; i < n; i++) {
        struct iovec page = { .iov_base = pages[i], .iov_len = PAGE_SIZE };

        if (vmsplice(pipes[i / PIPE_PAGES][1], &page, 1, SPLICE_F_NONBLOCK) !=
            (ssize_t)PAGE_SIZE) {
            die(&o, "cannot pin a page: %s", strerror(errno));
        }
    }
}

/* What word @i of all that is kept must be in a round. */
static uint64_t word(uint64_t i, uint64_t round)
{
    return (i + 1) * 0x9e3779b97f4a7c15 + round;
}

static void write_pages(uint64_t **pages, size_t n, uint64_t round)
{
    for (size_t p = 0; p < n; p++) {
        for (size_t i = 0; i < WORDS; i++) {
            pages[p][i] = word(p * WORDS + i, round);
        }
    }
}

/* Checks every word, and makes it that of the next round. */
static void run_round(uint64_t **pages, size_t n, struct round *r)
{
    double begin = seconds_now();

    r->errors = 0;
    r->checksum = 0;
    for (size_t p = 0; p < n; p++) {
        for (size_t i = 0; i < WORDS; i++) {
            r->errors += pages[p][i] != word(p * WORDS + i, r->number);
            r->checksum ^= pages[p][i] - r->number;
            pages[p][i] = word(p * WORDS + i, r->number + 1);
        }
    }
    r->updates = n * WORDS;
    r->seconds = seconds_now() - begin;
}

static int work(uint64_t **pages, size_t n, uint64_t rounds)
{
    struct round r = { .number = 1 };
    uint64_t bad = 0;

    write_pages(pages, n, r.number);
    while (!stop_requested) {
        run_round(pages, n, &r);
        print_round(&o, &r, "updates_per_s", r.updates / r.seconds);
        if (r.errors) {
            bad++;
            write_pages(pages, n, r.number + 1);
        }
        if (r.number++ == rounds) {
            break;
        }
        sleep(1);       /* leave the CPU to others; a signal ends it */
    }
    return finish(&o, r.number - 1, bad);
}

static void print_ready(const struct settings *s, size_t kept)
{
    const char *format = s->json
        ? "{\"kept\": %zu, \"free\": %" PRIu64 ", \"block\": %" PRIu64
          ", \"movable\": %s}\n"
        : "fragment: ready kept=%zu free=%" PRIu64 " block=%" PRIu64
          " movable=%s\n";

    printf(format, kept * PAGE_SIZE, free_memory(), s->block,
           s->movable ? "true" : "false");
}

static void print_help(void)
{
    puts("Usage: fragment [OPTION]...\n\n"
         "Fragments the free memory of this system, and keeps it so until it ends: one\n"
         "page of each block is used, the rest is free.  The pages that it uses are a\n"
         "workload that is checked and changed each second.  It needs root.\n\n"
         "  --block SIZE  no free block is as large as that: a power of two from 8K to\n"
         "                2M (64K)\n"
         "  --movable     the kernel may move what is used, so that compaction helps\n"
         "                (but does not begin by itself); without it, it may not\n"
         "  --rounds N    end after N rounds; 0: run until SIGTERM or SIGINT (0)\n"
         "  --json        say as JSON what has become of memory\n"
         "  --help        this text\n\n"
         "The exit code is 0 if every round was right, 1 if one was not, 2 if it could\n"
         "not run.\n\n"
         "Example: fragment --block 64K --movable");
}

static struct settings parse(int argc, char **argv)
{
    static const struct option table[] = {
        { "block", required_argument, NULL, 'b' },
        { "movable", no_argument, NULL, 'm' },
        { "rounds", required_argument, NULL, 'r' },
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };
    struct settings s = { .block = 64 << 10 };
    int c;

    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (c) {
        case 'b':
            s.block = parse_number(&o, "block", optarg, true);
            break;
        case 'm':
            s.movable = true;
            break;
        case 'r':
            s.rounds = parse_number(&o, "rounds", optarg, false);
            break;
        case 'j':
            s.json = true;
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
    if (s.block < 2 * PAGE_SIZE || s.block > 2 << 20 ||
        s.block & (s.block - 1)) {
        die(&o, "--block: must be a power of two from 8K to 2M");
    }
    return s;
}

int main(int argc, char **argv)
{
    struct settings s = parse(argc, argv);
    uint64_t size = all_memory() / FILL_STEP * FILL_STEP;
    size_t most = size / s.block + FILL_STEP / PAGE_SIZE;
    uint64_t **kept = calloc(most, sizeof(*kept));
    int (*pipes)[2] = s.movable ? NULL : make_pipes(most / PIPE_PAGES + 1);
    char *area = map(size);
    size_t n;

    memset(kept, 0, most * sizeof(*kept));      /* takes its memory now */
    heed_stop_signals();
    setvbuf(stdout, NULL, _IOLBF, 0);
    atexit(restore_all_knobs);
    set_knobs();
    n = punch(area, fill(area, size), s.block / PAGE_SIZE, kept);
    restore_knobs(false);
    if (!s.movable) {
        pin(kept, n, pipes);
    }
    print_ready(&s, n);
    return work(kept, n, s.rounds);
}
