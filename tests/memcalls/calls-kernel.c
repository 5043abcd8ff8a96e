/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls that say something about memory, or have the kernel treat it in a special way */
#define _GNU_SOURCE
#include "memcalls.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif
#define SYS_map_shadow_stack_ 453
#define SYS_mseal_ 462

static void say_value(long value)
{
    say_result(value >= 0);
    if (value >= 0) {
        say(" %ld", value);
    }
}

static void call_msync(struct random *random)
{
    static const int some[] = { MS_ASYNC, MS_SYNC, MS_SYNC, MS_INVALIDATE, MS_SYNC | MS_INVALIDATE,
                                MS_ASYNC | MS_SYNC, 0, 8 };
    int flags = random_of(random, some);
    struct range range;

    if (!pick_range(random, &range)) {
        return;
    }
    say(" flags %x", flags);
    errno = ERRNO_BEFORE;
    say_value(msync(range.address, range.length, flags));
}

static void call_mlock(struct random *random)
{
    struct range range;
    int which = random_below(random, 6);

    if (!pick_range(random, &range)) {
        return;
    }
    errno = ERRNO_BEFORE;
    switch (which) {
    case 0:
    case 1:
        say(" lock");
        say_value(mlock(range.address, range.length));
        break;
    case 2:
        say(" lock on fault");
        say_value(mlock2(range.address, range.length, MLOCK_ONFAULT));
        break;
    case 3:
        say(" flags 2");
        say_value(mlock2(range.address, range.length, 2));
        break;
    default:
        say(" unlock");
        say_value(munlock(range.address, range.length));
    }
}

static void call_mlockall(struct random *random)
{
    static const int some[] = { MCL_CURRENT, MCL_CURRENT | MCL_FUTURE, MCL_FUTURE | MCL_ONFAULT,
                                MCL_CURRENT | MCL_ONFAULT, 0, MCL_ONFAULT, 8 };
    int flags = random_of(random, some);

    say(" %x", flags);
    errno = ERRNO_BEFORE;
    say_value(mlockall(flags));
}

static void call_munlockall(struct random *random)
{
    (void)random;
    errno = ERRNO_BEFORE;
    say_value(munlockall());
}

/* What is resident is not the same; whether it may be asked is. */
static void call_mincore(struct random *random)
{
    unsigned char resident[AREA_PAGES + 1];
    struct range range;
    int result;

    if (!pick_range(random, &range)) {
        return;
    }
    if (range.length > sizeof(resident) * PAGE) {
        range.length = 0;
    }
    memset(resident, 0xff, sizeof(resident));
    errno = ERRNO_BEFORE;
    result = mincore(range.address, range.length, resident);
    say_value(result);
    for (unsigned i = 0; result == 0 && i < range.length / PAGE; i++) {
        if (resident[i] > 1) {
            say_broken("mincore did not fill the vector");
            break;
        }
    }
}

static void call_mbind(struct random *random)
{
    static const int modes[] = { MPOL_DEFAULT,    MPOL_PREFERRED, MPOL_BIND,
                                 MPOL_INTERLEAVE, MPOL_LOCAL,     99 };
    static const unsigned some_flags[] = {
        0, 0, MPOL_MF_STRICT, MPOL_MF_MOVE, MPOL_MF_STRICT | MPOL_MF_MOVE, 64
    };
    int mode = random_of(random, modes);
    unsigned flags = random_of(random, some_flags);
    unsigned long nodes = random_once_in(random, 8) ? 2 : 1;
    bool none = mode == MPOL_DEFAULT || mode == MPOL_LOCAL;
    struct range range;

    if (mode == MPOL_LOCAL) {
        flags &= ~MPOL_MF_STRICT;       /* any page that is resident is in the way of that */
    }
    if (!pick_range(random, &range)) {
        return;
    }
    say(" mode %d flags %x nodes %lx", mode, flags, none ? 0 : nodes);
    errno = ERRNO_BEFORE;
    say_value(syscall(SYS_mbind, range.address, range.length, mode, none ? NULL : &nodes,
                      none ? 0 : 8, flags));
    say_content(range.area, 0, range.area->pages);
}

static void call_get_mempolicy(struct random *random)
{
    struct range range;
    int mode = -1;

    if (!pick_range(random, &range)) {
        return;
    }
    if ((range.area->state[range.page] & (MAPPED | HOLE_IN_REGION)) == HOLE_IN_REGION) {
        say(" hole");           /* it may find memory, as an access may */
        return;
    }
    errno = ERRNO_BEFORE;
    say_value(syscall(SYS_get_mempolicy, &mode, NULL, 0, range.address, MPOL_F_ADDR));
    say(" mode %d", mode);
}

static void call_set_mempolicy(struct random *random)
{
    static const int modes[] = { MPOL_DEFAULT, MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED, 77 };
    int mode = random_of(random, modes);
    unsigned long nodes = 1;

    say(" mode %d", mode);
    errno = ERRNO_BEFORE;
    say_value(syscall(SYS_set_mempolicy, mode, mode ? &nodes : NULL, mode ? 8 : 0));
}

static void call_home_node(struct random *random)
{
    unsigned long node = random_once_in(random, 4) ? 5 : 0;
    struct range range;

    if (!pick_range(random, &range)) {
        return;
    }
    say(" %lu", node);
    errno = ERRNO_BEFORE;
    say_value(syscall(SYS_set_mempolicy_home_node, range.address, range.length, node, 0));
    set_state(range.area, range.page, range.pages, HINTED, 0);
    say_content(range.area, 0, range.area->pages);
}

static void call_move_pages(struct random *random)
{
    struct range range;
    void *pages[AREA_PAGES];
    int nodes[AREA_PAGES] = { 0 }, status[AREA_PAGES];
    bool moves = random_once_in(random, 2);

    if (!pick_plain_range(random, &range)) {
        return;
    }
    for (unsigned i = 0; i < range.pages; i++) {
        pages[i] = range.address + (size_t)i * PAGE;
    }
    errno = ERRNO_BEFORE;
    say_result(syscall(SYS_move_pages, 0, (long)range.pages, pages, moves ? nodes : NULL, status,
                       MPOL_MF_MOVE) >= 0);
    say_content(range.area, 0, range.area->pages);
}

static void call_membarrier(struct random *random)
{
    static const int commands[] = {
        MEMBARRIER_CMD_QUERY, MEMBARRIER_CMD_GLOBAL, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
        MEMBARRIER_CMD_PRIVATE_EXPEDITED, 1 << 30,
    };
    int command = random_of(random, commands);

    say(" %d", command);
    errno = ERRNO_BEFORE;
    say_value(syscall(SYS_membarrier, command, 0, 0));
}

static void call_remap_file_pages(struct random *random)
{
    struct range range;
    size_t offset = random_below(random, FILE_PAGES);
    int result;

    if (!pick_range(random, &range)) {
        return;
    }
    say(" offset %zu", offset);
    errno = ERRNO_BEFORE;
    result = syscall(SYS_remap_file_pages, range.address, range.length, 0, offset, 0);
    say_value(result);
    say_content(range.area, 0, range.area->pages);
}

static void call_process_madvise(struct random *random)
{
    static const int advices[] = { MADV_COLD,     MADV_PAGEOUT, MADV_WILLNEED,
                                   MADV_DONTNEED, MADV_FREE,    99 };
    int advice = random_of(random, advices);
    int self = syscall(SYS_pidfd_open, getpid(), 0);
    struct iovec vectors[2];
    struct range ranges[2];

    if (pick_range(random, &ranges[0]) && pick_range(random, &ranges[1])) {
        for (unsigned i = 0; i < 2; i++) {
            vectors[i] = (struct iovec) { ranges[i].address, ranges[i].length };
        }
        say(" advice %d", advice);
        errno = ERRNO_BEFORE;
        say_value(syscall(SYS_process_madvise, self, vectors, 2, advice, 0));
        for (unsigned i = 0; i < 2; i++) {
            if (advice == MADV_DONTNEED || advice == MADV_FREE) {
                /* Newer kernels allow it. */
                set_state(ranges[i].area, ranges[i].page, ranges[i].pages, VAGUE, 0);
            }
            say_content(ranges[i].area, 0, ranges[i].area->pages);
        }
    }
    close(self);
}

static void call_name(struct random *random)
{
    struct range range;

    if (!pick_range(random, &range)) {
        return;
    }
    errno = ERRNO_BEFORE;
    say_value(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, range.address, range.length,
                    random_once_in(random, 3) ? NULL : "memcalls"));
    set_state(range.area, range.page, range.pages, HINTED, 0);
    say_content(range.area, 0, range.area->pages);
}

/* What /proc/self/smaps tells of a map, but for what is only of its parts. */
struct shown {
    char *start, *end;
    char protections[5];
    char flags[32];
};

/* The protections, and those flags that are no hints. */
static void say_shown(const struct area *area, const struct shown *all, unsigned n)
{
    say(" %d", (int)(area - areas));
    for (unsigned i = 0; i < area->pages; i++) {
        const char *page = area->base + (size_t)i * PAGE;
        unsigned k = 0;

        if (!(area->state[i] & MAPPED) || area->state[i] & UNKNOWN) {
            say(" -");
            continue;
        }
        while (k < n && !(page >= all[k].start && page < all[k].end)) {
            k++;
        }
        say(" %s%s", k < n ? all[k].protections : "none", k < n ? all[k].flags : "");
    }
}

/* Returns how many maps there are. */
static unsigned parse_smaps(const char *text, struct shown *all, unsigned most)
{
    static const char *const flags[] = { "lo", "dc", "wf", "sl" };
    unsigned n = 0;

    for (const char *line = text; *line && n < most; line = strchr(line, '\n') + 1) {
        if (!strncmp(line, "VmFlags:", 8)) {
            const char *end = strchr(line, '\n');

            for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
                char word[] = { ' ', flags[i][0], flags[i][1], ' ', 0 };
                const char *found = strstr(line, word);

                if (found && found < end) {
                    strcat(all[n].flags, flags[i]);
                }
            }
            n++;
        } else if (*line < 'A' || *line > 'Z') {
            char *rest;

            all[n] = (struct shown) { .start = (char *)strtoul(line, &rest, 16) };
            all[n].end = (char *)strtoul(rest + 1, &rest, 16);
            memcpy(all[n].protections, rest + 1, 4);
        }
    }
    return n;
}

static void call_smaps(struct random *random)
{
    static struct shown all[512];
    static char text[1 << 19];
    struct area *area = pick_area(random);

    if (area && read_text("/proc/self/smaps", text, sizeof(text))) {
        say_shown(area, all, parse_smaps(text, all, sizeof(all) / sizeof(*all)));
    }
}

/* What is sealed stays as it is until the process ends. */
static void call_mseal(struct random *random)
{
    unsigned long flags = random_once_in(random, 6);
    struct range range;
    int result;

    if (!pick_range(random, &range)) {
        return;
    }
    say(" flags %lu", flags);
    errno = ERRNO_BEFORE;
    result = syscall(SYS_mseal_, range.address, range.length, flags);
    say_value(result);
    if (result == 0) {
        set_state(range.area, range.page, range.pages, SEALED, 0);
    }
    say_content(range.area, 0, range.area->pages);
}

/* No CPU of QEMU's has them. */
static void call_map_shadow_stack(struct random *random)
{
    struct range range;

    if (!pick_range(random, &range)) {
        return;
    }
    errno = ERRNO_BEFORE;
    say_value(syscall(SYS_map_shadow_stack_, range.address, range.length, 0));
    say_content(range.area, 0, range.area->pages);
}

/* Where no area has a hole: see map_apart(). */
static char *attach_apart(int id, int flags, size_t length)
{
    char *held[MOST_HOLES], *got;
    unsigned n = 0;
    int error;

    for (;;) {
        errno = ERRNO_BEFORE;
        got = shmat(id, NULL, flags);
        error = errno;
        if (got == (char *)-1 || n == MOST_HOLES || !area_at(got, length)) {
            break;
        }
        held[n++] = got;
    }
    while (n) {
        shmdt(held[--n]);
    }
    errno = error;
    return got;
}

/* System V shared memory, and another look at it that no call here can end. */
static void call_shm(struct random *random)
{
    static const int some[] = { 0, 0, SHM_RDONLY, SHM_EXEC };
    int flags = random_of(random, some);
    bool over = random_once_in(random, 2), remap = random_once_in(random, 2);
    struct range range;
    struct area *area;
    char *got, *other;
    int id;

    if (!pick_plain_range(random, &range)) {
        return;
    }
    id = shmget(IPC_PRIVATE, range.length, IPC_CREAT | 0600);
    other = attach_apart(id, 0, range.length);
    if (id < 0 || other == (char *)-1) {
        say_broken("no shared memory");
        return;
    }
    memset(other, call_number(), range.length);
    if (over) {
        flags |= (remap ? SHM_REMAP : 0) | (random_once_in(random, 8) ? SHM_RND : 0);
    }
    say(over ? " over %x" : " anywhere %x", flags);
    errno = ERRNO_BEFORE;
    got = over ? shmat(id, range.address, flags) : attach_apart(id, flags, range.length);
    shmctl(id, IPC_RMID, NULL);
    say_result(got != (char *)-1);
    if (got != (char *)-1 && over) {
        set_state(range.area, range.page, range.pages, MAPPED, VAGUE | UNKNOWN);
        say_content(range.area, 0, range.area->pages);
    } else if (got != (char *)-1) {
        area = add_area(got, range.pages, MAPPED);
        if (area) {
            say_content(area, 0, area->pages);
        }
    }
    if (got != (char *)-1 && random_once_in(random, 2)) {
        /* Whatever is done with the one, the other stays. */
        int how = random_below(random, 4), result = 0;

        area = area_at(got, range.length);
        errno = ERRNO_BEFORE;
        switch (area ? how : 4) {
        case 0:
            say(" munmap");
            result = munmap(got, range.length);
            break;
        case 1:
            say(" shmdt");
            result = shmdt(got);
            break;
        case 2:
            say(" discard");
            result = madvise(got, range.length, MADV_DONTNEED);
            break;
        case 3:
            say(" map over");
            result = mmap(got, range.length, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != got;
        }
        say_result(result == 0);
        if (area && how < 2) {
            set_state(area, (got - area->base) / PAGE, range.pages, 0, MAPPED);
        }
        if (area) {
            say_content(area, 0, area->pages);
            drop_empty(area);
        }
    }
    say(" other");
    say_hash(hash_of(other, range.length, 0));
    shmdt(other);
}

/* The end of the data segment, which malloc() of the C library uses as well. */
static void call_brk(struct random *random)
{
    size_t size = (1 + random_below(random, 20)) * (size_t)1000;
    char *old = sbrk(0), *got;

    errno = ERRNO_BEFORE;
    got = sbrk(size);
    say_result(got != (char *)-1);
    if (got == (char *)-1) {
        return;
    }
    if (got != old || sbrk(0) != old + size) {
        say_broken("sbrk");
    }
    say(" %zu", size);
    memset(got, 0x77, size);
    errno = ERRNO_BEFORE;
    if (random_once_in(random, 2)) {
        say_result(brk(old) == 0);
    } else {
        say_result(sbrk(-(intptr_t)size) == old + size);
    }
    if (sbrk(0) != old) {
        say_broken("brk");
    }
    errno = ERRNO_BEFORE;
    say_result(brk((void *)(uintptr_t)-PAGE) == 0);
}

/*
 * Missing pages raise SIGBUS once they are registered; those that are there
 * do not.  UFFDIO_COPY and UFFDIO_ZEROPAGE fill them.
 */
static void call_userfaultfd(struct random *random)
{
    struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_SIGBUS };
    struct uffdio_register registered = { .mode = UFFDIO_REGISTER_MODE_MISSING };
    struct uffdio_copy copy = { 0 };
    static char source[AREA_PAGES * PAGE] __attribute__((aligned(PAGE)));
    bool discards = random_once_in(random, 2);
    struct range range;
    int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

    if (!pick_plain_range(random, &range) || any_in_state(&range, HINTED)) {
        close(fd);
        return;
    }
    if (fd < 0 || ioctl(fd, UFFDIO_API, &api)) {
        say_result(false);
        close(fd);
        return;
    }
    /* Of what was only read the page of zeros may be there or not. */
    if (!discards) {
        fill_content(range.area, range.page, range.pages, call_number());
    }
    registered.range.start = (uintptr_t)range.address;
    registered.range.len = range.length;
    errno = ERRNO_BEFORE;
    if (ioctl(fd, UFFDIO_REGISTER, &registered)) {
        say_result(false);
        close(fd);
        return;
    }
    if (discards) {
        say(" discard");
        errno = ERRNO_BEFORE;
        say_result(madvise(range.address, range.length, MADV_DONTNEED) == 0);
        set_state(range.area, range.page, range.pages, 0, VAGUE);
    }
    say_content(range.area, range.page, range.pages);
    memset(source, call_number(), sizeof(source));
    copy = (struct uffdio_copy) { (uintptr_t)range.address, (uintptr_t)source, range.length, 0, 0 };
    errno = ERRNO_BEFORE;
    say_result(ioctl(fd, UFFDIO_COPY, &copy) == 0);
    say(" copied %lld", (long long)copy.copy);
    say_content(range.area, range.page, range.pages);
    errno = ERRNO_BEFORE;
    say_result(ioctl(fd, UFFDIO_UNREGISTER, &registered.range) == 0);
    say_content(range.area, 0, range.area->pages);
    close(fd);
}

/* A handler on a stack that is in an area. */
static volatile unsigned on_stack;

static void use_stack(int signal)
{
    volatile char some[512];

    (void)signal;
    for (unsigned i = 0; i < sizeof(some); i++) {
        some[i] = i;
    }
    on_stack += some[sizeof(some) - 1] == (char)(sizeof(some) - 1);
}

static void call_sigaltstack(struct random *random)
{
    struct sigaction action = { .sa_handler = use_stack, .sa_flags = SA_ONSTACK };
    stack_t stack = { 0 }, none = { .ss_flags = SS_DISABLE };
    struct range range;

    if (!pick_plain_range(random, &range)) {
        return;
    }
    if (range.pages < 8 || !is_definite(&range)) {
        say(" not there");
        return;
    }
    fill_content(range.area, range.page, range.pages, call_number());
    for (unsigned i = 0; i < range.pages; i++) {
        if (try_write(range.address + (size_t)i * PAGE, 0)) {
            say(" not writable");
            return;
        }
    }
    stack.ss_sp = range.address;
    stack.ss_size = range.length;
    on_stack = 0;
    errno = ERRNO_BEFORE;
    say_result(sigaltstack(&stack, NULL) == 0);
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
    action.sa_handler = SIG_IGN;
    sigaction(SIGUSR2, &action, NULL);
    sigaltstack(&none, NULL);
    say(" %u", on_stack);
    fill_content(range.area, range.page, range.pages, call_number());
}

void end_kernel_sequence(void)
{
    munlockall();
    syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
}

const struct call kernel_calls[] = {
    { "msync", 4, 4, call_msync },
    { "mlock", 6, 0, call_mlock },
    { "mlockall", 1, 0, call_mlockall },
    { "munlockall", 1, 0, call_munlockall },
    { "mincore", 4, 4, call_mincore },
    { "mbind", 4, 0, call_mbind },
    { "get_mempolicy", 2, 2, call_get_mempolicy },
    { "set_mempolicy", 1, 1, call_set_mempolicy },
    { "home-node", 1, 0, call_home_node },
    { "move_pages", 2, 1, call_move_pages },
    { "membarrier", 1, 1, call_membarrier },
    { "remap_file_pages", 3, 1, call_remap_file_pages },
    { "process_madvise", 3, 0, call_process_madvise },
    { "name", 2, 1, call_name },
    { "smaps", 4, 4, call_smaps },
    { "mseal", 1, 0, call_mseal },
    { "map_shadow_stack", 1, 0, call_map_shadow_stack },
    { "shm", 5, 0, call_shm },
    { "brk", 2, 2, call_brk },
    { "userfaultfd", 5, 0, call_userfaultfd },
    { "sigaltstack", 2, 2, call_sigaltstack },
    { 0 },
};
