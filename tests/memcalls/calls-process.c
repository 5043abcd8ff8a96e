/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls about the process that decide what others may do: limits, protection keys */
#define _GNU_SOURCE
#include "memcalls.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_MORE 24            /* pages */
#define NO_MATTER ((rlim_t)1 << 42)

/* Bytes of that kind, by its name in /proc/self/status. */
static size_t in_use(const char *name)
{
    static char text[1 << 14];
    char *found;

    if (!read_text("/proc/self/status", text, sizeof(text)) || !(found = strstr(text, name))) {
        say_broken("no /proc/self/status");
        return 0;
    }
    return strtoul(found + strlen(name), NULL, 10) * 1024;
}

static char *map_more(unsigned pages, int protection)
{
    return mmap(NULL, (size_t)pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void by_mmap(unsigned more)
{
    char *got = map_more(more, PROT_READ | PROT_WRITE);

    say(" mmap");
    say_result(got != MAP_FAILED);
    if (got != MAP_FAILED) {
        say_hash(hash_of(got, (size_t)more * PAGE, 0));
        munmap(got, (size_t)more * PAGE);
    }
}

static void by_mremap(char *page, unsigned more)
{
    char *got = mremap(page, PAGE, (1 + more) * (size_t)PAGE, MREMAP_MAYMOVE);

    say(" mremap");
    say_result(got != MAP_FAILED);
    munmap(got == MAP_FAILED ? page : got, got == MAP_FAILED ? PAGE : (1 + more) * (size_t)PAGE);
}

/* What is only read is no data before. */
static void by_mprotect(char *readable, unsigned more)
{
    say(" mprotect");
    say_result(mprotect(readable, (size_t)more * PAGE, PROT_READ | PROT_WRITE) == 0);
    munmap(readable, (size_t)more * PAGE);
}

static void by_brk(unsigned more)
{
    char *got = sbrk(more * (intptr_t)PAGE);

    say(" sbrk");
    say_result(got != (char *)-1);
    if (got != (char *)-1 && sbrk(-(more * (intptr_t)PAGE)) == (char *)-1) {
        say_broken("sbrk");
    }
}

static int limit_by(unsigned way, int resource, const struct rlimit *limit)
{
    switch (way) {
    case 0:
        return setrlimit(resource, limit);
    case 1:
        return prlimit(0, resource, limit, NULL);
    case 2:
        return syscall(SYS_setrlimit, resource, limit);
    default:
        return syscall(SYS_prlimit64, getpid(), resource, limit, NULL);
    }
}

static void set_limit(struct random *random, int resource, const struct rlimit *limit)
{
    if (limit_by(random_below(random, 4), resource, limit)) {
        say_broken("setrlimit");
    }
}

/* What is no limit, and what is none that there is. */
static void call_no_limit(struct random *random)
{
    static const int some[] = { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_STACK, 99 };
    struct rlimit limit = { 0 };
    int resource = random_of(random, some);

    say(" %d", resource);
    errno = ERRNO_BEFORE;
    say_result(prlimit(0, resource, NULL, &limit) == 0);
    say(" %llx %llx", (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    errno = ERRNO_BEFORE;
    say_result(limit_by(random_below(random, 4), resource,
                        random_once_in(random, 8) ? (void *)8 : &limit) == 0);
}

/*
 * Some pages more are allowed, and some are asked for, by each of the ways that
 * there are.  A handler would not get what it maps.  As a primary region counts
 * as a whole until there is any limit, what is in use is looked up after that.
 */
static void call_limit(struct random *random)
{
    bool of_data = random_once_in(random, 2);
    int resource = of_data ? RLIMIT_DATA : RLIMIT_AS;
    unsigned allowed = random_below(random, MOST_MORE), more = 1 + random_below(random, MOST_MORE);
    char *page = map_more(1, PROT_READ | PROT_WRITE), *readable = map_more(more, PROT_READ);
    struct rlimit before, limit;
    sigset_t mask;

    hold_interrupts(&mask);
    getrlimit(resource, &before);
    limit = before;
    limit.rlim_cur = NO_MATTER;
    set_limit(random, resource, &limit);
    limit.rlim_cur = in_use(of_data ? "VmData:" : "VmSize:") + allowed * PAGE;
    say(" of %s %u more %u", of_data ? "data" : "all", allowed, more);
    set_limit(random, resource, &limit);
    errno = ERRNO_BEFORE;
    by_mmap(more);
    errno = ERRNO_BEFORE;
    by_mremap(page, more);
    errno = ERRNO_BEFORE;
    by_mprotect(readable, more);
    errno = ERRNO_BEFORE;
    by_brk(more);
    set_limit(random, resource, &before);
    release_interrupts(&mask);
}

static void may_lock_without_limit(bool may)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data)) {
        say_broken("capget");
        return;
    }
    data[0].effective &= ~(1u << CAP_IPC_LOCK);
    data[0].effective |= may ? data[0].permitted & 1u << CAP_IPC_LOCK : 0;
    if (syscall(SYS_capset, &header, data)) {
        say_broken("capset");
    }
}

/*
 * The primary region counts against this limit: so it is one that it does not
 * come near, or that any memory exceeds.
 */
static void call_limit_locked(struct random *random)
{
    static const rlim_t limits[] = { 0, PAGE, 1 << 30 };
    struct rlimit before, limit;
    struct range range;
    sigset_t mask;
    char *got;

    if (!pick_plain_range(random, &range)) {
        return;
    }
    hold_interrupts(&mask);
    getrlimit(RLIMIT_MEMLOCK, &before);
    limit = before;
    limit.rlim_cur = random_of(random, limits);
    if (limit.rlim_cur == PAGE && range.pages == 1) {
        limit.rlim_cur = 0;
    }
    if (limit.rlim_max < limit.rlim_cur) {
        limit.rlim_max = limit.rlim_cur;
    }
    say(" %llx", (unsigned long long)limit.rlim_cur);
    may_lock_without_limit(false);
    set_limit(random, RLIMIT_MEMLOCK, &limit);
    errno = ERRNO_BEFORE;
    say_result(mlock(range.address, range.length) == 0);
    errno = ERRNO_BEFORE;
    say_result(mlock2(range.address, range.length, MLOCK_ONFAULT) == 0);
    errno = ERRNO_BEFORE;
    got = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1,
               0);
    say_result(got != MAP_FAILED);
    if (got != MAP_FAILED) {
        munmap(got, 2 * PAGE);
    }
    errno = ERRNO_BEFORE;
    say_result(munlock(range.address, range.length) == 0);
    set_limit(random, RLIMIT_MEMLOCK, &before);
    may_lock_without_limit(true);
    release_interrupts(&mask);
    say_content(range.area, 0, range.area->pages);
}

/* A key of our own, if the CPU has any. */
static void call_pkey(struct random *random)
{
    static const unsigned some[] = { 0, PKEY_DISABLE_ACCESS, PKEY_DISABLE_WRITE, 8 };
    unsigned rights = random_of(random, some), flags = random_once_in(random, 8);
    struct range range;
    int key;

    if (!pick_plain_range(random, &range)) {
        return;
    }
    say(" rights %u flags %u", rights, flags);
    errno = ERRNO_BEFORE;
    key = pkey_alloc(flags, rights);
    say_result(key > 0);
    if (key > 0) {
        errno = ERRNO_BEFORE;
        say_result(pkey_mprotect(range.address, range.length, PROT_READ | PROT_WRITE, key) == 0);
        say_content(range.area, 0, range.area->pages);
        pkey_set(key, 0);
        errno = ERRNO_BEFORE;
        say_result(pkey_mprotect(range.address, range.length, PROT_READ | PROT_WRITE, 0) == 0);
    }
    errno = ERRNO_BEFORE;
    say_result(pkey_free(key > 0 ? key : 3) == 0);
    say_content(range.area, 0, range.area->pages);
}

const struct call process_calls[] = {
    { "no-limit", 1, 1, call_no_limit },
    { "limit", 3, 0, call_limit },
    { "limit-locked", 2, 0, call_limit_locked },
    { "pkey", 1, 0, call_pkey },
    { 0 },
};
