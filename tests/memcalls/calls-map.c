/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls that make, change and end maps */
#define _GNU_SOURCE
#include "memcalls.h"

#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than some C libraries. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define MADV_GUARD_INSTALL_ 102
#define MADV_GUARD_REMOVE_ 103

static int pick_protection(struct random *random)
{
    static const int some[] = {
        PROT_READ | PROT_WRITE,
        PROT_READ | PROT_WRITE,
        PROT_READ | PROT_WRITE,
        PROT_READ | PROT_WRITE,
        PROT_READ,
        PROT_NONE,
        PROT_WRITE,
        PROT_READ | PROT_EXEC,
        PROT_READ | PROT_WRITE | PROT_EXEC,
        PROT_EXEC,
    };

    return random_of(random, some);
}

/* A file that a map can be of, or one that it can't, or none. */
static int pick_file(struct random *random, const char **name)
{
    switch (random_below(random, 8)) {
    case 0:
        *name = "read-only";
        return read_only_fd;
    case 1:
        *name = "zero";
        return zero_fd;
    case 2:
        *name = "closed";
        return 999;
    case 3:
        *name = "pipe";
        return pipe_fds[0];
    default:
        *name = "file";
        return file_fd;
    }
}

struct map {
    int protection, flags, fd;
    off_t offset;
};

static void pick_map(struct random *random, struct map *map)
{
    static const int more[] = {
        0,
        0,
        0,
        0,
        0,
        0,
        MAP_NORESERVE,
        MAP_POPULATE,
        MAP_STACK,
        MAP_LOCKED,
        MAP_NONBLOCK,
        MAP_DENYWRITE,
        MAP_POPULATE | MAP_NONBLOCK,
        MAP_GROWSDOWN,
        MAP_HUGETLB,
        MAP_HUGETLB | MAP_HUGE_1GB,
        MAP_32BIT,
        MAP_SYNC,
        0x800000,
        MAP_EXECUTABLE,
    };
    static const int kinds[] = {
        MAP_PRIVATE, MAP_PRIVATE, MAP_PRIVATE,         MAP_PRIVATE,
        MAP_SHARED,  MAP_SHARED,  MAP_SHARED_VALIDATE, 0,
    };
    const char *name = "none";

    map->protection = random_once_in(random, 2) ? PROT_READ | PROT_WRITE : pick_protection(random);
    map->flags = random_of(random, kinds) | random_of(random, more);
    map->fd = -1;
    map->offset = 0;
    if (random_once_in(random, 3)) {
        map->fd = pick_file(random, &name);
        map->offset = random_below(random, FILE_PAGES) * (off_t)PAGE;
        if (random_once_in(random, 12)) {
            map->offset += random_once_in(random, 2) ? 1 : FILE_PAGES * (off_t)PAGE;
        }
    } else {
        map->flags |= MAP_ANONYMOUS;
        if (random_once_in(random, 8)) {
            map->offset = random_once_in(random, 2) ? PAGE : 77;
        }
    }
    say(" %s prot %d flags %x offset %ld", name, map->protection, map->flags, (long)map->offset);
}

static unsigned char state_of(const struct map *map)
{
    return map->flags & MAP_ANONYMOUS && (map->flags & MAP_TYPE) == MAP_PRIVATE ?
           MAPPED | HOLE_IN_REGION : MAPPED;
}

static void say_new(char *got, unsigned pages, const struct map *map)
{
    struct area *area = add_area(got, pages, state_of(map));

    if ((uintptr_t)got % PAGE) {
        say_broken("a map doesn't begin with a page");
    }
    if (map->flags & MAP_32BIT && (uintptr_t)got >> 31) {
        say_broken("MAP_32BIT is beyond 2 GiB");
    }
    if (area) {
        say_content(area, 0, pages);
    }
}

/* Without an address, or with a hint that may be ignored. */
static void call_mmap(struct random *random)
{
    unsigned pages = 1 + random_below(random, random_once_in(random, 3) ? AREA_PAGES : 8);
    size_t length = (size_t)pages * PAGE;
    struct map map;
    char *got;

    say(" %u", pages);
    pick_map(random, &map);
    switch (random_below(random, 20)) {
    case 0:
        length = random_once_in(random, 2)   ? 0
                 : random_once_in(random, 2) ? -(size_t)1
                                             : (size_t)1 << 47;
        say(" length %zx", length);
        break;
    case 1:
        length -= random_below(random, PAGE);
        say(" length %zx", length);
    }
    if (length && length <= (size_t)pages * PAGE && !(map.flags & (MAP_GROWSDOWN | MAP_32BIT)) &&
        random_once_in(random, 6)) {
        /* A place that was free a moment ago, so that only we would be in the way. */
        char *hint = map_apart(length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        munmap(hint, length);
        hint += random_once_in(random, 2) ? 0 : random_below(random, PAGE);
        say(" hint");
        errno = ERRNO_BEFORE;
        got = mmap(hint, length, map.protection, map.flags, map.fd, map.offset);
        if (got != MAP_FAILED && area_at(got, length)) {
            say_broken("a map lies in what is in use");
        }
    } else {
        got = map_apart(length, map.protection, map.flags, map.fd, map.offset);
    }
    say_result(got != MAP_FAILED);
    if (got != MAP_FAILED) {
        say_new(got, pages, &map);
    }
}

static void call_mmap_fixed(struct random *random)
{
    bool noreplace = random_once_in(random, 3);
    struct range range;
    struct map map;
    char *got;

    if (!pick_range(random, &range)) {
        return;
    }
    pick_map(random, &map);
    map.flags &= ~(MAP_GROWSDOWN | MAP_32BIT);
    if (gentle) {
        map = (struct map) { PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 };
    }
    say(noreplace ? " no-replace" : " fixed");
    errno = ERRNO_BEFORE;
    got = mmap(range.address, range.length, map.protection,
               map.flags | (noreplace ? MAP_FIXED_NOREPLACE : MAP_FIXED), map.fd, map.offset);
    say_result(got != MAP_FAILED);
    if (got != MAP_FAILED) {
        if (got != range.address) {
            say_broken("MAP_FIXED is elsewhere");
        }
        set_state(range.area, range.page, range.pages, MAPPED, VAGUE | UNKNOWN | HINTED);
        say_content(range.area, 0, range.area->pages);
    }
}

/* Fixed addresses that no process may map. */
static void call_mmap_nowhere(struct random *random)
{
    static const uintptr_t places[] = { 0x7ffffffff000, 0x800000000000, 0xffff800000000000,
                                        -(uintptr_t)PAGE };
    uintptr_t place = random_of(random, places);
    char *got;

    say(" %zx", place);
    errno = ERRNO_BEFORE;
    got = mmap((void *)place, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
               -1, 0);
    say_result(got != MAP_FAILED);
}

static void call_munmap(struct random *random)
{
    struct range range;
    int result;

    if (!pick_range(random, &range)) {
        return;
    }
    errno = ERRNO_BEFORE;
    result = munmap(range.address, range.length);
    say_result(result == 0);
    if (result == 0) {
        set_state(range.area, range.page, range.pages, 0, MAPPED | VAGUE | UNKNOWN | HINTED);
        say_content(range.area, 0, range.area->pages);
        drop_empty(range.area);
    }
}

/* Where a moved map may be, or MAP_FAILED. */
static char *place_elsewhere(unsigned pages)
{
    return map_apart((size_t)pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                     -1, 0);
}

/*
 * A map that the kernel might have moved, wherever it is now, is a new area
 * from here on.
 */
static void moved(struct range *from, const unsigned char *before, char *got, unsigned pages,
                  bool keeps)
{
    size_t length = (size_t)pages * PAGE;
    struct area *area;

    if (!keeps) {
        set_state(from->area, from->page, from->pages, 0, MAPPED | VAGUE | UNKNOWN | HINTED);
    }
    if (area_at(got, length)) {
        char *place = place_elsewhere(pages);

        got = mremap(got, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, place);
        if (got != place) {
            say_broken("what mremap has made can't be moved");
            return;
        }
    }
    area = add_area(got, pages, MAPPED | (before[0] & HOLE_IN_REGION));
    for (unsigned i = 0; area && i < pages && i < from->pages; i++) {
        area->state[i] |= before[i] & VAGUE;
    }
    if (area) {
        say_content(area, 0, pages);
    }
}

/* The states of the pages of a range. */
static void copy_states(const struct range *range, unsigned char *states)
{
    for (unsigned i = 0; i < range->pages; i++) {
        states[i] = range->area->state[range->page + i];
    }
}

/* mremap() takes it for 0: what is shared appears once more. */
static bool is_no_length(size_t length)
{
    return length + PAGE - 1 < PAGE;
}

/* Grow or shrink; in place, or wherever there is room. */
static void call_mremap(struct random *random)
{
    static const int some[] = { 0, MREMAP_MAYMOVE, MREMAP_MAYMOVE, MREMAP_MAYMOVE, MREMAP_DONTUNMAP,
                                MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 8, 16 };
    int flags = gentle ? MREMAP_MAYMOVE : random_of(random, some);
    unsigned char before[AREA_PAGES];
    struct range range;
    unsigned pages;
    size_t length;
    char *got;

    if (!pick_range(random, &range)) {
        return;
    }
    pages = random_once_in(random, 3) ? range.pages : 1 + random_below(random, AREA_PAGES);
    if (flags & MREMAP_DONTUNMAP && random_once_in(random, 2)) {
        pages = range.pages;
    }
    /* In place it may grow into what is ours only: what else is there is not known. */
    if (!(flags & MREMAP_MAYMOVE) && range.page + pages > range.area->pages) {
        pages = range.area->pages - range.page;
    }
    length = (size_t)pages * PAGE;
    if (!gentle && random_once_in(random, 24)) {
        length = random_once_in(random, 2) ? 0 : -(size_t)PAGE;
    }
    say(" to %u(%zx) flags %x", pages, length, flags);
    if (any_in_state(&range, HINTED)) {
        say(" hinted");
        return;
    }
    copy_states(&range, before);
    errno = ERRNO_BEFORE;
    got = mremap(range.address, range.length, length, flags);
    say_result(got != MAP_FAILED);
    if (got == MAP_FAILED) {
        return;
    }
    if (got != range.address || (flags & MREMAP_MAYMOVE && pages > range.pages)) {
        moved(&range, before, got, pages, is_no_length(range.length) || flags & MREMAP_DONTUNMAP);
    } else if (pages < range.pages) {
        set_state(range.area, range.page + pages, range.pages - pages, 0,
                  MAPPED | VAGUE | UNKNOWN | HINTED);
    } else {
        set_state(range.area, range.page + range.pages, pages - range.pages, MAPPED,
                  VAGUE | UNKNOWN | HINTED);
    }
    say_content(range.area, 0, range.area->pages);
    drop_empty(range.area);
}

/* To an address: in the same area or in another, over what is there. */
static void call_mremap_fixed(struct random *random)
{
    int flags = MREMAP_FIXED | (random_once_in(random, 12) ? 0 : MREMAP_MAYMOVE) |
                (random_once_in(random, 6) ? MREMAP_DONTUNMAP : 0);
    unsigned char before[AREA_PAGES];
    struct range from, to;
    bool keeps, overlap;
    char *got;

    if (!pick_range(random, &from)) {
        return;
    }
    say(" to");
    pick_range(random, &to);
    if (random_once_in(random, 2) && !from.askew && !to.askew) {
        unsigned most = from.pages < to.pages ? from.pages : to.pages;

        from.pages = to.pages = most;
        from.length = to.length = (size_t)most * PAGE;
    }
    keeps = is_no_length(from.length) || flags & MREMAP_DONTUNMAP;
    if (any_in_state(&from, HINTED)) {
        say(" hinted");
        return;
    }
    overlap = !is_no_length(from.length) && from.area == to.area &&
              from.page < to.page + to.pages && to.page < from.page + from.pages;
    say(" %u to %u flags %x", from.pages, to.pages, flags);
    copy_states(&from, before);
    errno = ERRNO_BEFORE;
    got = mremap(from.address, from.length, to.length, flags, to.address);
    say_result(got != MAP_FAILED);
    if (got == MAP_FAILED) {
        /* What was at the new place may or may not be there any longer. */
        if (errno != EINVAL || from.askew) {
            set_state(to.area, to.page, to.pages, UNKNOWN, 0);
            set_state(from.area, from.page, from.pages, UNKNOWN, 0);
        }
        return;
    }
    if (overlap || got != to.address) {
        say_broken("mremap over itself, or elsewhere");
        return;
    }
    if (!keeps) {
        set_state(from.area, from.page, from.pages, 0, MAPPED | VAGUE | UNKNOWN | HINTED);
    }
    set_state(to.area, to.page, to.pages, MAPPED, VAGUE | UNKNOWN | HINTED);
    for (unsigned i = 0; i < to.pages && i < from.pages; i++) {
        to.area->state[to.page + i] |= before[i] & VAGUE;
    }
    say_content(to.area, 0, to.area->pages);
    if (from.area != to.area) {
        say_content(from.area, 0, from.area->pages);
        drop_empty(from.area);
    }
}

static void say_changed(const struct range *range, int result)
{
    say_result(result == 0);
    say_content(range->area, 0, range->area->pages);
}

static void call_mprotect(struct random *random)
{
    static const int odd[] = { PROT_GROWSDOWN, PROT_GROWSUP, PROT_GROWSDOWN | PROT_GROWSUP, 0x100 };
    int protection = gentle ? PROT_READ | PROT_WRITE
                            : pick_protection(random) |
                                  (random_once_in(random, 20) ? random_of(random, odd) : 0);
    struct range range;

    if (!pick_range(random, &range)) {
        return;
    }
    say(" prot %x", protection);
    errno = ERRNO_BEFORE;
    say_changed(&range, mprotect(range.address, range.length, protection));
}

/* Not by the C library's function of that name. */
static void call_raw_mprotect(struct random *random)
{
    int protection = pick_protection(random);
    struct range range;

    if (!pick_range(random, &range)) {
        return;
    }
    say(" prot %x", protection);
    errno = ERRNO_BEFORE;
    say_changed(&range, syscall(SYS_mprotect, range.address, range.length, protection));
}

static void call_pkey_mprotect(struct random *random)
{
    static const int keys[] = { -1, 0, 1, 15, 16 };
    int protection = pick_protection(random), key = random_of(random, keys);
    struct range range;

    if (!pick_range(random, &range)) {
        return;
    }
    say(" prot %x key %d", protection, key);
    errno = ERRNO_BEFORE;
    say_changed(&range, pkey_mprotect(range.address, range.length, protection, key));
}

/* After these, a page has its old content or none. */
static bool makes_vague(int advice)
{
    return advice == MADV_FREE;
}

/* Those whose result depends on what the kernel has just now. */
static bool depends_on_the_moment(int advice)
{
    return advice == MADV_COLLAPSE;
}

/* Those that a map has as a property; of a part of it, they make it two. */
static bool splits(int advice)
{
    return advice == MADV_NORMAL || advice == MADV_RANDOM || advice == MADV_SEQUENTIAL ||
           advice == MADV_HUGEPAGE || advice == MADV_NOHUGEPAGE;
}

static int pick_advice(struct random *random)
{
    static const int advices[] = {
        MADV_NORMAL,
        MADV_RANDOM,
        MADV_SEQUENTIAL,
        MADV_WILLNEED,
        MADV_DONTNEED,
        MADV_DONTNEED,
        MADV_DONTNEED,
        MADV_FREE,
        MADV_FREE,
        MADV_REMOVE,
        MADV_DONTFORK,
        MADV_DOFORK,
        MADV_MERGEABLE,
        MADV_UNMERGEABLE,
        MADV_HUGEPAGE,
        MADV_NOHUGEPAGE,
        MADV_DONTDUMP,
        MADV_DODUMP,
        MADV_WIPEONFORK,
        MADV_KEEPONFORK,
        MADV_COLD,
        MADV_PAGEOUT,
        MADV_POPULATE_READ,
        MADV_POPULATE_WRITE,
        MADV_DONTNEED_LOCKED,
        MADV_COLLAPSE,
        MADV_GUARD_INSTALL_,
        MADV_GUARD_REMOVE_,
        5,
        7,
        99,
        -1,
    };

    static const int gentle_advices[] = {
        MADV_NORMAL,   MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,   MADV_DONTNEED, MADV_DONTNEED,
        MADV_DONTNEED, MADV_FREE,   MADV_HUGEPAGE,   MADV_NOHUGEPAGE, MADV_COLD,
    };

    return gentle ? random_of(random, gentle_advices) : random_of(random, advices);
}

static void advise(struct random *random, bool raw)
{
    int advice = pick_advice(random), result;
    struct range range;

    if (!pick_range(random, &range)) {
        return;
    }
    say(" advice %d", advice);
    errno = ERRNO_BEFORE;
    result = raw ? syscall(SYS_madvise, range.address, range.length, advice) :
             madvise(range.address, range.length, advice);
    if (!depends_on_the_moment(advice)) {
        say_result(result == 0);
    }
    if (splits(advice)) {
        set_state(range.area, range.page, range.pages, HINTED, 0);
    }
    if (makes_vague(advice)) {
        set_state(range.area, range.page, range.pages, VAGUE, 0);
    } else if (result == 0 && (advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED)) {
        for (unsigned i = range.page; !range.askew && i < range.page + range.pages; i++) {
            range.area->state[i] &= ~VAGUE;
        }
    }
    say_content(range.area, 0, range.area->pages);
}

static void call_madvise(struct random *random)
{
    advise(random, false);
}

static void call_raw_madvise(struct random *random)
{
    advise(random, true);
}

static void call_posix_madvise(struct random *random)
{
    struct range range;
    int advice = random_below(random, 7);

    if (!pick_range(random, &range)) {
        return;
    }
    say(" advice %d -> %d", advice, posix_madvise(range.address, range.length, advice));
    set_state(range.area, range.page, range.pages, HINTED, 0);
    say_content(range.area, 0, range.area->pages);
}

static void call_fill(struct random *random)
{
    struct range range;

    if (pick_plain_range(random, &range)) {
        fill_content(range.area, range.page, range.pages, call_number());
        say_content(range.area, 0, range.area->pages);
    }
}

static void call_read(struct random *random)
{
    struct range range;

    if (pick_plain_range(random, &range)) {
        say_content(range.area, range.page, range.pages);
    }
}

const struct call map_calls[] = {
    { "fill", 12, 12, call_fill },
    { "read", 3, 3, call_read },
    { "mmap", 10, 10, call_mmap },
    { "mmap-fixed", 6, 3, call_mmap_fixed },
    { "mmap-nowhere", 1, 1, call_mmap_nowhere },
    { "munmap", 8, 8, call_munmap },
    { "mremap", 8, 8, call_mremap },
    { "mremap-fixed", 6, 0, call_mremap_fixed },
    { "mprotect", 6, 2, call_mprotect },
    { "raw-mprotect", 2, 0, call_raw_mprotect },
    { "pkey_mprotect", 2, 0, call_pkey_mprotect },
    { "madvise", 10, 8, call_madvise },
    { "raw-madvise", 3, 0, call_raw_madvise },
    { "posix_madvise", 1, 1, call_posix_madvise },
    { 0 },
};
