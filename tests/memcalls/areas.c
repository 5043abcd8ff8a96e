/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory that is ours, what is known of it, and accesses to it */
#define _GNU_SOURCE
#include "memcalls.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct area areas[AREAS];

/*
 * Faults.  The jump is each thread's own: a call may run in any.
 */
static __thread sigjmp_buf *volatile resume;
static __thread char *volatile fault_address;
static __thread volatile int fault_code;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    if (resume) {
        fault_address = info->si_addr;
        fault_code = info->si_code;
        siglongjmp(*resume, signal);
    }
    say(" CRASH by signal %d", signal);
    end_line();
    _exit(98);
}

void install_fault_handler(void)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

/* The signal, 0 without one; 100 if what is said of it isn't true. */
#define TRY(address, access) ({ \
    sigjmp_buf *volatile before = resume; \
    sigjmp_buf here; \
    int got = sigsetjmp(here, 1); \
    if (!got) { \
        resume = &here; \
        access; \
    } else if (fault_address != (char *)(address)) { \
        got = 100; \
    } \
    resume = before; \
    got; })

int try_read(const volatile char *address, unsigned char *value)
{
    return TRY(address, *value = *address);
}

int try_write(volatile char *address, unsigned char value)
{
    return TRY(address, *address = value);
}

static void say_fault(int got)
{
    switch (got) {
    case SIGSEGV:
        say(fault_code == SEGV_MAPERR ? "m" : fault_code == SEGV_ACCERR ? "a" :
            fault_code == SEGV_PKUERR ? "k" : "?");
        break;
    case SIGBUS:
        say("b");
        break;
    default:
        say_broken("a fault at another address");
    }
}

static bool may_access(const struct area *area, unsigned page)
{
    unsigned char state = area->state[page];

    return !(state & UNKNOWN) && (state & (MAPPED | HOLE_IN_REGION)) != HOLE_IN_REGION;
}

/* A hash of all pages that can be read, and how the others can't. */
void say_content(struct area *area, unsigned page, unsigned pages)
{
    uint64_t hash = 0;

    say(" [");
    for (unsigned i = page; i < page + pages; i++) {
        char *address = area->base + (size_t)i * PAGE;
        unsigned char value;
        int got;

        if (!may_access(area, i)) {
            say("-");
            continue;
        }
        got = try_read(address, &value);
        if (got) {
            say_fault(got);
        } else if (area->state[i] & VAGUE) {
            say("v");
        } else {
            say(".");
            hash = hash_of(address, PAGE, hash + i - page);
        }
    }
    say("]");
    say_hash(hash);
}

/* New content, different in each byte of a page. */
void fill_content(struct area *area, unsigned page, unsigned pages, unsigned seed)
{
    say(" {");
    for (unsigned i = page; i < page + pages; i++) {
        char *address = area->base + (size_t)i * PAGE;
        uint64_t word = seed * UINT64_C(0x9e3779b97f4a7c15) + i;
        int got;

        if (!may_access(area, i)) {
            say("-");
            continue;
        }
        got = try_write(address, 0);
        if (got) {
            say_fault(got);
            continue;
        }
        for (unsigned j = 0; j < PAGE; j += 8) {
            word = word * UINT64_C(0x5851f42d4c957f2d) + 1;
            memcpy(address + j, &word, 8);
        }
        area->state[i] &= ~VAGUE;
        say(".");
    }
    say("}");
}

void say_all_contents(void)
{
    for (unsigned i = 0; i < AREAS; i++) {
        if (areas[i].base) {
            say(" %u", i);
            say_content(&areas[i], 0, areas[i].pages);
        }
    }
}

/*
 * The areas
 */
struct area *area_at(const char *address, size_t length)
{
    for (unsigned i = 0; i < AREAS; i++) {
        struct area *area = &areas[i];

        if (area->base && address < area->base + (size_t)area->pages * PAGE &&
            area->base < address + length) {
            return area;
        }
    }
    return NULL;
}

struct area *add_area(char *base, unsigned pages, unsigned char state)
{
    for (unsigned i = 0; i < AREAS; i++) {
        if (!areas[i].base) {
            areas[i].base = base;
            areas[i].pages = pages;
            memset(areas[i].state, state, sizeof(areas[i].state));
            say(" =%u", i);
            return &areas[i];
        }
    }
    say(" =none");
    munmap(base, (size_t)pages * PAGE);
    return NULL;
}

void drop_empty(struct area *area)
{
    for (unsigned i = 0; i < area->pages; i++) {
        if (area->state[i] & (MAPPED | UNKNOWN)) {
            return;
        }
    }
    area->base = NULL;
}

void forget_missing(void)
{
    for (struct area *area = areas; area < areas + AREAS; area++) {
        for (unsigned i = 0; area->base && i < area->pages; i++) {
            unsigned char value;

            if (may_access(area, i) &&
                try_read(area->base + (size_t)i * PAGE, &value) == SIGSEGV &&
                fault_code == SEGV_MAPERR) {
                area->state[i] &= ~MAPPED;
            }
        }
    }
}

static bool is_sealed(const struct area *area)
{
    for (unsigned i = 0; i < area->pages; i++) {
        if (area->state[i] & SEALED) {
            return true;
        }
    }
    return false;
}

void drop_all_areas(void)
{
    for (unsigned i = 0; i < AREAS; i++) {
        struct area *area = &areas[i];

        if (area->base && !is_sealed(area) && munmap(area->base, (size_t)area->pages * PAGE)) {
            say_broken("munmap of what is ours fails");
        }
        area->base = NULL;
    }
}

void set_state(struct area *area, unsigned page, unsigned pages, unsigned char set,
               unsigned char clear)
{
    for (unsigned i = page; i < page + pages && i < area->pages; i++) {
        area->state[i] = (area->state[i] & ~clear) | set;
    }
}

bool all_in_state(const struct area *area, unsigned page, unsigned pages, unsigned char bits)
{
    for (unsigned i = page; i < page + pages; i++) {
        if ((area->state[i] & bits) != bits) {
            return false;
        }
    }
    return true;
}

bool any_in_state(const struct range *range, unsigned char bits)
{
    for (unsigned i = range->page; i < range->page + range->pages; i++) {
        if (range->area->state[i] & bits) {
            return true;
        }
    }
    return false;
}

bool is_definite(const struct range *range)
{
    for (unsigned i = range->page; i < range->page + range->pages; i++) {
        if ((range->area->state[i] & (MAPPED | VAGUE | UNKNOWN)) != MAPPED) {
            return false;
        }
    }
    return true;
}

bool is_accessible(const struct range *range)
{
    for (unsigned i = range->page; i < range->page + range->pages; i++) {
        if (!may_access(range->area, i) || range->area->state[i] & VAGUE) {
            return false;
        }
    }
    return true;
}

struct area *pick_area(struct random *random)
{
    struct area *found[AREAS];
    unsigned n = 0;

    if (first_rough && areas[0].base) {
        return &areas[0];
    }
    for (unsigned i = 0; i < AREAS; i++) {
        if (areas[i].base) {
            found[n++] = &areas[i];
        }
    }
    return n ? found[random_below(random, n)] : NULL;
}

void say_range(const struct range *range)
{
    say(" %d:%u+%u", (int)(range->area - areas), range->page, range->pages);
    if (range->askew) {
        say("(%ld,%zx)", (long)(range->address - range->area->base - (long)range->page * PAGE),
            range->length);
    }
}

static void pick_pages(struct random *random, struct range *range)
{
    unsigned most;

    range->page = random_once_in(random, 3) ? 0 : random_below(random, range->area->pages);
    most = range->area->pages - range->page;
    range->pages = random_once_in(random, 3) ? most :
                   1 + random_below(random, most < 8 ? most : 8);
}

bool pick_plain_range(struct random *random, struct range *range)
{
    struct area *area = pick_area(random);

    if (!area) {
        say(" no area");
        return false;
    }
    range->area = area;
    /* What has holes can't be had without the kernel. */
    for (unsigned tries = gentle ? 8 : 1; tries; tries--) {
        pick_pages(random, range);
        if (all_in_state(area, range->page, range->pages, MAPPED)) {
            break;
        }
    }
    range->address = area->base + (size_t)range->page * PAGE;
    range->length = (size_t)range->pages * PAGE;
    range->askew = false;
    say_range(range);
    return true;
}

bool pick_range(struct random *random, struct range *range)
{
    unsigned used = 0;

    if (!pick_plain_range(random, range)) {
        return false;
    }
    switch (gentle ? 23 : random_below(random, 24)) {
    case 0:
        range->length = 0;
        break;
    case 1:                     /* the kernel rounds it up */
        used = 1 + random_below(random, PAGE - 1);
        range->length -= used;
        break;
    case 2:
        used = 1 + random_below(random, PAGE - 1);
        range->address += used;
        range->length -= used;
        break;
    case 3:                     /* beyond the end of all addresses */
        range->length = random_once_in(random, 2) ? -(size_t)1 : -(size_t)PAGE;
        break;
    default:
        return true;
    }
    range->askew = true;
    say("!");
    say_range(range);
    return true;
}

/* Whether a map that the kernel has just made is where we have memory. */
static bool is_twice(const char *got, size_t length)
{
    struct area *area = area_at(got, length);

    for (unsigned i = 0; area && i < area->pages; i++) {
        const char *page = area->base + (size_t)i * PAGE;

        if ((area->state[i] & (MAPPED | UNKNOWN)) == MAPPED && page + PAGE > got &&
            page < got + length) {
            return true;
        }
    }
    return false;
}

/*
 * Holes in an area are not for others.  What comes to lie in one is kept until
 * there is a place elsewhere.
 */
char *map_apart(size_t length, int protection, int flags, int fd, off_t offset)
{
    char *held[MOST_HOLES], *got;
    unsigned n = 0;
    int error;

    for (;;) {
        errno = ERRNO_BEFORE;
        got = mmap(NULL, length, protection, flags, fd, offset);
        error = errno;
        if (got == MAP_FAILED || n == MOST_HOLES || !area_at(got, length)) {
            break;
        }
        if (is_twice(got, length)) {
            say_broken("memory that is in use has been given out again");
            break;
        }
        held[n++] = got;
    }
    while (n) {
        munmap(held[--n], length);
    }
    errno = error;
    return got;
}
