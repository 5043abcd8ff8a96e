/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the workloads share.
 */
#define _GNU_SOURCE
#include "../include/dseg.h"
#include "../include/dseg-guest.h"
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/mman.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE_SIZE 4096u

volatile sig_atomic_t stop_requested;

static void request_stop(int signal_number)
{
    (void)signal_number;
    stop_requested = 1;
}

void heed_stop_signals(void)
{
    struct sigaction action = { .sa_handler = request_stop };

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

void die(const struct options *o, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", o->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

static void print_help(const struct options *o, const char *what)
{
    printf("Usage: %s [OPTION]...\n\n%s\n\n"
           "  --bytes SIZE    size of the work area, K, M or G allowed (%" PRIu64 "M)\n"
           "  --updates N     updates in a round (%" PRIu64 ")\n"
           "  --rounds N      end after N rounds; 0: run until SIGTERM or SIGINT (%" PRIu64 ")\n"
           "  --seed N        start of the pseudo-random sequence (%" PRIu64 ")\n"
           "  --threads N     threads, a power of two; only gups takes more than 1\n"
           "  --phys ADDRESS  work on this physical range, mapped through /dev/mem in\n"
           "                  4 KiB pages\n"
           "  --primary       work on the process's primary region, from dseg-guest\n"
           "  --pages 2M|1G   work on huge pages of that size, which the kernel must have set\n"
           "                  aside; without any of the three on anonymous memory\n"
           "  --at ADDRESS    virtual address of the work area (0x%" PRIx64 ")\n"
           "%s"
           "  --help          this text\n\n"
           "The exit code is 0 if every round was right, 1 if one was not, 2 if it could\n"
           "not run.\n\n"
           "Example: %s --bytes 64M --rounds 3\n",
           o->name, what, o->bytes >> 20, o->updates, o->rounds, o->seed,
           o->at, o->flag ? o->flag->help : "", o->name);
}

uint64_t parse_number(const struct options *o, const char *option,
                      const char *text, bool sizes)
{
    static const char suffixes[] = "KMG";
    const char *suffix;
    char *end;
    uint64_t value;

    errno = 0;
    value = strtoull(text, &end, 0);
    if (end == text || errno || strchr(text, '-')) {
        die(o, "--%s: '%s' is not a number", option, text);
    }
    suffix = sizes && *end ? strchr(suffixes, *end) : NULL;
    if (suffix) {
        unsigned shift = 10 * (suffix - suffixes + 1);

        if (value > UINT64_MAX >> shift) {
            die(o, "--%s: '%s' does not fit in 64 bits", option, text);
        }
        value <<= shift;
        end++;
    }
    if (*end) {
        die(o, "--%s: unexpected '%s' after the number%s", option, end,
            sizes ? " (K, M and G are allowed)" : "");
    }
    return value;
}

static void check_options(const struct options *o)
{
    if (!o->bytes || o->bytes % PAGE_SIZE) {
        die(o, "--bytes: must be a multiple of 4K and not 0");
    }
    if (!o->updates) {
        die(o, "--updates: must not be 0");
    }
    if (!o->at || o->at % PAGE_SIZE) {
        die(o, "--at: must be a multiple of 4K and not 0");
    }
    if (o->phys % PAGE_SIZE) {
        die(o, "--phys: must be a multiple of 4K");
    }
    if (o->has_phys + o->primary + !!o->lg_page > 1) {
        die(o, "--phys, --primary, --pages: only one of them");
    }
    if (o->at & ((UINT64_C(1) << o->lg_page) - 1) && o->lg_page) {
        die(o, "--at: must be a multiple of the size of --pages");
    }
}

static unsigned parse_page_size(const struct options *o, const char *text)
{
    if (!strcmp(text, "2M") || !strcmp(text, "1G")) {
        return text[1] == 'M' ? 21 : 30;
    }
    die(o, "--pages: must be 2M or 1G, not '%s'", text);
}

void parse_options(struct options *o, int argc, char **argv, const char *what)
{
    const struct option table[] = {
        { "bytes", required_argument, NULL, 'b' },
        { "updates", required_argument, NULL, 'u' },
        { "rounds", required_argument, NULL, 'r' },
        { "seed", required_argument, NULL, 's' },
        { "threads", required_argument, NULL, 't' },
        { "phys", required_argument, NULL, 'p' },
        { "primary", no_argument, NULL, 'P' },
        { "pages", required_argument, NULL, 'g' },
        { "at", required_argument, NULL, 'a' },
        { "help", no_argument, NULL, 'h' },
        { o->flag ? o->flag->name : NULL, no_argument, NULL, 'f' },
        { NULL, 0, NULL, 0 }
    };
    int c, index;

    while ((c = getopt_long(argc, argv, "", table, &index)) != -1) {
        const char *option = c == '?' ? "" : table[index].name;

        switch (c) {
        case 'b':
            o->bytes = parse_number(o, option, optarg, true);
            break;
        case 'u':
            o->updates = parse_number(o, option, optarg, false);
            break;
        case 'r':
            o->rounds = parse_number(o, option, optarg, false);
            break;
        case 's':
            o->seed = parse_number(o, option, optarg, false);
            break;
        case 't':
            o->threads = parse_number(o, option, optarg, false);
            break;
        case 'p':
            o->phys = parse_number(o, option, optarg, true);
            o->has_phys = true;
            break;
        case 'P':
            o->primary = true;
            break;
        case 'g':
            o->lg_page = parse_page_size(o, optarg);
            break;
        case 'a':
            o->at = parse_number(o, option, optarg, false);
            break;
        case 'f':
            o->flag->set = true;
            break;
        case 'h':
            print_help(o, what);
            exit(0);
        default:
            exit(2);      /* getopt_long has said what is wrong */
        }
    }
    if (optind < argc) {
        die(o, "unexpected argument '%s'; see --help", argv[optind]);
    }
    check_options(o);
}

void require_one_thread(const struct options *o)
{
    if (o->threads != 1) {
        die(o, "--threads: must be 1");
    }
}

/* @phys: set to the physical address, or to 0 if that is not for us to know */
static void *map_primary(const struct options *o, uint64_t *phys)
{
    struct dseg_guest_create region = { .size = o->bytes, .address = o->at };
    struct dseg_guest_info info;
    int fd = open(DSEG_GUEST_DEVICE, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        die(o, "--primary: " DSEG_GUEST_DEVICE ": %s (modprobe dseg-guest)",
            strerror(errno));
    }
    if (ioctl(fd, DSEG_GUEST_CREATE, &region) < 0) {
        die(o, "--primary: no region of %" PRIu64 " bytes: %s", o->bytes,
            strerror(errno));
    }
    if (region.address != o->at) {
        die(o, "--at: 0x%" PRIx64 " is not free", o->at);
    }
    *phys = ioctl(fd, DSEG_GUEST_INFO, &info) < 0 ? 0 : info.phys;
    close(fd);
    return (void *)o->at;
}

static void *map_physical(const struct options *o)
{
    int fd = open("/dev/mem", O_RDWR);
    void *area;

    if (fd < 0) {
        die(o, "--phys: /dev/mem: %s", strerror(errno));
    }
    area = mmap((void *)o->at, o->bytes, PROT_READ | PROT_WRITE,
                MAP_FIXED_NOREPLACE | MAP_POPULATE | MAP_SHARED, fd, o->phys);
    if (area == MAP_FAILED) {
        die(o, "cannot map %" PRIu64 " bytes at 0x%" PRIx64 ": %s (--phys must"
            " name a range that the kernel keeps reserved, see memmap=)",
            o->bytes, o->at, strerror(errno));
    }
    close(fd);
    return area;
}

static void *map_anonymous(const struct options *o)
{
    int huge = o->lg_page ? MAP_HUGETLB | o->lg_page << MAP_HUGE_SHIFT : 0;
    uint64_t page = UINT64_C(1) << o->lg_page;
    void *area = mmap((void *)o->at, (o->bytes + page - 1) & ~(page - 1),
                      PROT_READ | PROT_WRITE,
                      MAP_FIXED_NOREPLACE | MAP_POPULATE | MAP_PRIVATE |
                      MAP_ANONYMOUS | huge, -1, 0);

    if (area == MAP_FAILED) {
        die(o, "cannot map %" PRIu64 " bytes at 0x%" PRIx64 ": %s%s", o->bytes,
            o->at, strerror(errno),
            huge ? " (the kernel sets huge pages aside with hugepages=)" : "");
    }
    return area;
}

void *map_work_area(const struct options *o)
{
    char where[20] = "anonymous";
    uint64_t phys = o->phys;
    void *area;

    if (o->has_phys) {
        area = map_physical(o);
    } else if (o->primary) {
        area = map_primary(o, &phys);
    } else {
        area = map_anonymous(o);
    }
    if (phys) {
        snprintf(where, sizeof(where), "0x%" PRIx64, phys);
    }
    heed_stop_signals();
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%s: ready va=0x%" PRIx64 " pa=%s bytes=%" PRIu64 "\n", o->name,
           o->at, where, o->bytes);
    return area;
}

double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

uint64_t checksum(const uint64_t *words, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325;    /* FNV-1a, a word at a time */

    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ words[i]) * 0x100000001b3;
    }
    return hash;
}

void mark(uint64_t round, enum phase phase)
{
#define LABEL(i) case i: DSEG_MARK(FIRST_LABEL + i); break
    switch (round % 4 * 4 + phase) {
    LABEL(0); LABEL(1); LABEL(2); LABEL(3);
    LABEL(4); LABEL(5); LABEL(6); LABEL(7);
    LABEL(8); LABEL(9); LABEL(10); LABEL(11);
    LABEL(12); LABEL(13); LABEL(14); LABEL(15);
    }
#undef LABEL
}

void print_round(const struct options *o, const struct round *r,
                 const char *metric, double value)
{
    printf("%s: round %" PRIu64 " updates %" PRIu64 " seconds %.4f %s %.*f"
           " checksum %016" PRIx64 " %s errors %" PRIu64 "\n",
           o->name, r->number, r->updates, r->seconds, metric,
           value < 1000 ? 2 : 0, value, r->checksum,
           r->errors ? "BAD" : "ok", r->errors);
}

int finish(const struct options *o, uint64_t rounds, uint64_t bad_rounds)
{
    printf("%s: end rounds %" PRIu64 " bad %" PRIu64 "\n", o->name, rounds,
           bad_rounds);
    return bad_rounds ? 1 : 0;
}
