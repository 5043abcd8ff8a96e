/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has become of the pages of a process, or of physical memory; and asks
 * the kernel to swap out those of a process.
 *
 * From /proc/PID/pagemap and /proc/kpageflags.
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
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE_SIZE 4096ul
#define PAGES_AT_ONCE 4096
#define PM_PRESENT (1ull << 63)     /* of an entry of /proc/PID/pagemap */
#define PM_SWAPPED (1ull << 62)
#define PM_PFN ((1ull << 55) - 1)
#define KPF_BUDDY (1ull << 10)      /* of an entry of /proc/kpageflags */
#define KPF_KSM (1ull << 21)
#define KPF_OFFLINE (1ull << 23)

struct settings {
    uint64_t at, bytes;
    uint64_t pid;                   /* 0: physical memory */
    uint64_t page_out;              /* how many pages */
};

struct tally {
    uint64_t present, swapped, merged;      /* of a process */
    uint64_t free, ballooned;               /* of physical memory */
};

static const struct options o = { .name = "pages" };

static int open_or_die(const char *path)
{
    int fd = open(path, O_RDONLY);

    if (fd < 0) {
        die(&o, "%s: %s", path, strerror(errno));
    }
    return fd;
}

/* The entries of @n pages from number @page on, of which there must be that many. */
static void read_entries(int fd, uint64_t page, uint64_t *entries, size_t n)
{
    ssize_t bytes = n * sizeof(*entries);

    if (pread(fd, entries, bytes, page * sizeof(*entries)) != bytes) {
        die(&o, "cannot read about page 0x%" PRIx64 ": %s", page * PAGE_SIZE,
            strerror(errno));
    }
}

static void count_virtual(int kpageflags, const uint64_t *entries, size_t n,
                          struct tally *t)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t flags = 0;

        t->swapped += !!(entries[i] & PM_SWAPPED);
        if (entries[i] & PM_PRESENT) {
            t->present++;
            read_entries(kpageflags, entries[i] & PM_PFN, &flags, 1);
            t->merged += !!(flags & KPF_KSM);
        }
    }
}

static void count_physical(const uint64_t *flags, size_t n, struct tally *t)
{
    for (size_t i = 0; i < n; i++) {
        t->free += !!(flags[i] & KPF_BUDDY);
        t->ballooned += !!(flags[i] & KPF_OFFLINE);
    }
}

static int open_pagemap(uint64_t pid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%" PRIu64 "/pagemap", pid);
    return open_or_die(path);
}

static struct tally count(const struct settings *s)
{
    uint64_t entries[PAGES_AT_ONCE];
    uint64_t page = s->at / PAGE_SIZE, end = (s->at + s->bytes) / PAGE_SIZE;
    int kpageflags = open_or_die("/proc/kpageflags");
    struct tally t = { 0 };
    int source = s->pid ? open_pagemap(s->pid) : kpageflags;

    while (page < end) {
        size_t n = end - page < PAGES_AT_ONCE ? end - page : PAGES_AT_ONCE;

        read_entries(source, page, entries, n);
        if (s->pid) {
            count_virtual(kpageflags, entries, n, &t);
        } else {
            count_physical(entries, n, &t);
        }
        page += n;
    }
    return t;
}

/*
 * Asks the kernel to swap out the first pages of the range that are present;
 * returns how many.  Each by itself: one that is locked keeps no other.  And
 * twice: a page that a VM has used is kept the first time, and then counts as
 * not used.
 */
static uint64_t page_out(const struct settings *s)
{
    int process = syscall(SYS_pidfd_open, (pid_t)s->pid, 0);
    int pagemap = open_pagemap(s->pid);
    uint64_t asked = 0;

    if (process < 0) {
        die(&o, "process %" PRIu64 ": %s", s->pid, strerror(errno));
    }
    for (uint64_t at = s->at; at < s->at + s->bytes && asked < s->page_out;
         at += PAGE_SIZE) {
        struct iovec page = { (void *)at, PAGE_SIZE };
        uint64_t entry;

        read_entries(pagemap, at / PAGE_SIZE, &entry, 1);
        if (!(entry & PM_PRESENT)) {
            continue;
        }
        asked++;
        for (int i = 0; i < 2; i++) {
            if (syscall(SYS_process_madvise, process, &page, 1, MADV_PAGEOUT,
                        0) < 0 && errno != EINVAL) {
                die(&o, "page 0x%" PRIx64 ": %s", at, strerror(errno));
            }
        }
    }
    close(pagemap);
    close(process);
    return asked;
}

static void print_help(void)
{
    puts("Usage: pages --at ADDRESS --bytes SIZE [OPTION]...\n\n"
         "Counts, as JSON, what has become of the pages of a range: of physical memory\n"
         "those that are free and those that a balloon has, or, with --pid, of a process\n"
         "those that are present, swapped out, and merged with others (KSM).  It needs\n"
         "root.\n\n"
         "  --pid N       virtual memory of that process\n"
         "  --page-out N  first ask the kernel to swap out N pages that are present;\n"
         "                asked says how many there were\n"
         "  --help        this text\n\n"
         "Example: pages --pid 1 --at 0x400000 --bytes 64K");
}

static struct settings parse(int argc, char **argv)
{
    static const struct option table[] = {
        { "at", required_argument, NULL, 'a' },
        { "bytes", required_argument, NULL, 'b' },
        { "pid", required_argument, NULL, 'p' },
        { "page-out", required_argument, NULL, 'o' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };
    struct settings s = { 0 };
    int c;

    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (c) {
        case 'a':
            s.at = parse_number(&o, "at", optarg, false);
            break;
        case 'b':
            s.bytes = parse_number(&o, "bytes", optarg, true);
            break;
        case 'p':
            s.pid = parse_number(&o, "pid", optarg, false);
            break;
        case 'o':
            s.page_out = parse_number(&o, "page-out", optarg, false);
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
    if (!s.bytes || s.bytes % PAGE_SIZE || s.at % PAGE_SIZE) {
        die(&o, "--at, --bytes: must be multiples of 4K, and some bytes");
    }
    if (s.page_out && !s.pid) {
        die(&o, "--page-out: needs --pid");
    }
    return s;
}

int main(int argc, char **argv)
{
    struct settings s = parse(argc, argv);
    uint64_t asked = s.page_out ? page_out(&s) : 0;
    struct tally t = count(&s);

    printf("{\"pages\": %" PRIu64, s.bytes / PAGE_SIZE);
    if (s.pid) {
        printf(", \"asked\": %" PRIu64 ", \"present\": %" PRIu64 ", \"swapped\": %" PRIu64
               ", \"merged\": %" PRIu64 "}\n", asked, t.present, t.swapped,
               t.merged);
    } else {
        printf(", \"free\": %" PRIu64 ", \"ballooned\": %" PRIu64 "}\n", t.free,
               t.ballooned);
    }
    return 0;
}
