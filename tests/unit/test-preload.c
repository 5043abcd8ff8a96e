/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of linux/run/preload and region: what a program that maps memory
 * sees, and that the page tables of its region do not change
 *
 * The library is part of this program, its functions under names of their own;
 * the device is played by anonymous memory, and what goes to the kernel is
 * watched.
 */
#define _GNU_SOURCE
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define dlopen run_dlopen
#define ioctl run_ioctl
#define madvise run_madvise
#define mincore run_mincore
#define mlock run_mlock
#define mlock2 run_mlock2
#define mlockall run_mlockall
#define mmap run_mmap
#define mmap64 run_mmap64
#define mprotect run_mprotect
#define mremap run_mremap
#define msync run_msync
#define munlock run_munlock
#define munmap run_munmap
#define pkey_mprotect run_pkey_mprotect
#define personality run_personality
#define posix_madvise run_posix_madvise
#define prctl run_prctl
#define prlimit run_prlimit
#define prlimit64 run_prlimit64
#define process_madvise run_process_madvise
#define setrlimit run_setrlimit
#define setrlimit64 run_setrlimit64
#define shmat run_shmat
#define syscall run_syscall
#include "../../linux/run/page.c"
#include "../../linux/run/region.c"
#include "../../linux/run/give-up.c"
#include "../../linux/run/preload.c"
#include "../../linux/run/remap.c"
#include "../../linux/run/watch.c"
#include "../../linux/run/neighbours.c"
#undef mmap
#undef mprotect
#undef munmap
#undef personality
#undef prctl
#undef syscall

#define REGION 64u                      /* pages */
#define MIB (UINT64_C(1) << 20)
#define FILLED 0x5a
#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define PRELOADED "ours.so:jemalloc.so"

static uint64_t largest;                /* bytes that the device can have */
static bool changed;                    /* page tables of the region */
static bool busy[REGION];               /* pages that the kernel refers to */
static bool no_device;                  /* it can't be opened (any more) */
static void (*after_munmap)(void *p, size_t size);      /* of the region */

static bool is_inside(const void *address, size_t size)
{
    return region_part(address, size) == INSIDE;
}

static long device_create(struct dseg_guest_create *want)
{
    if (want->reserved[0]) {
        return -EINVAL;
    }
    if (want->size > largest) {
        return -ENOMEM;
    }
    /* With nothing before it. */
    want->address = (uintptr_t)mmap(NULL, PAGE_SIZE + want->size, RW,
                                    ANONYMOUS | MAP_POPULATE, -1, 0) +
                    PAGE_SIZE;
    if (want->address == (uintptr_t)MAP_FAILED + PAGE_SIZE) {
        return -ENOMEM;
    }
    munmap((void *)(want->address - PAGE_SIZE), PAGE_SIZE);
    return 0;
}

static long device_clear(struct dseg_guest_clear *clear)
{
    size_t first = (clear->address - region.start) / PAGE_SIZE;
    size_t nr = clear->size / PAGE_SIZE, done = 0, busy_nr = 0;

    if (changed) {
        return -ENOENT;
    }
    if (!is_inside((void *)clear->address, clear->size) ||
        clear->size % PAGE_SIZE || clear->reserved) {
        return -EINVAL;
    }
    while (done < nr && !busy[first + done]) {
        done++;
    }
    while (done + busy_nr < nr && busy[first + done + busy_nr]) {
        busy_nr++;
    }
    if (!(clear->flags & DSEG_GUEST_CLEAR_LOOK)) {
        memset((void *)clear->address, 0, done * PAGE_SIZE);
    }
    clear->done = done * PAGE_SIZE;
    clear->busy = busy_nr * PAGE_SIZE;
    return 0;
}

/* What changes nothing where nothing has been changed. */
static bool is_as_it_was(long number, long how)
{
    return (number == SYS_mprotect && how == RW) ||
           (number == SYS_madvise && (how == MADV_DOFORK || how == MADV_DODUMP
            || how == MADV_KEEPONFORK || how == MADV_POPULATE_READ ||
            how == MADV_POPULATE_WRITE));
}

/* Whatever takes an address and a size, and is not answered with an error. */
static void watch(long number, long address, long size, long how)
{
    static const long numbers[] = { SYS_madvise, SYS_mlock, SYS_mmap,
        SYS_mprotect, SYS_mremap, SYS_munmap, SYS_pkey_mprotect };

    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        changed |= number == numbers[i] && !is_as_it_was(number, how) &&
                   region_part((void *)address, size) != OUTSIDE;
    }
}

long kernel_call(long number, long a, long b, long c, long d, long e, long f)
{
    int error = errno;
    long result;

    if (number == SYS_ioctl && b == (long)DSEG_GUEST_CREATE) {
        return device_create((void *)c);
    }
    if (number == SYS_ioctl && b == (long)DSEG_GUEST_CLEAR) {
        return device_clear((void *)c);
    }
    if (number == SYS_openat && !strcmp((char *)b, DSEG_GUEST_DEVICE)) {
        if (no_device) {
            return -EMFILE;
        }
        b = (long)"/dev/null";
    }
    result = syscall(number, a, b, c, d, e, f);
    if (result == -1) {
        result = -errno;
    } else {
        watch(number, a, b, c);
    }
    errno = error;
    if (number == SYS_munmap && after_munmap && is_inside((void *)a, b)) {
        after_munmap((void *)a, b);
    }
    return result;
}

static uint64_t inode_of(int fd)
{
    struct stat status;

    g_assert_cmpint(fstat(fd, &status), ==, 0);
    return status.st_ino;
}

/* A program, as the library finds it. */
static void start_again(void)
{
    region_state = NOT_YET;
    begun = 0;
    page = NULL;
    region = (struct pages) { 0 };
    is_watched = is_watched_late = false;
    memset(busy, 0, sizeof(busy));
    start();
    changed = false;
}

/* As dseg-run, and the start of a program. */
static struct run_page *start_program(struct run_page wanted)
{
    int fd = memfd_create("page", MFD_ALLOW_SEALING);
    char name[64];
    struct run_page *ours;
    struct stat device;

    g_assert_cmpint(ftruncate(fd, sizeof(*ours)), ==, 0);
    g_assert_cmpint(fcntl(fd, F_ADD_SEALS, RUN_SEALS), ==, 0);
    ours = mmap(NULL, sizeof(*ours), RW, MAP_SHARED, fd, 0);
    *ours = wanted;
    ours->device = wanted.device ? wanted.device : open("/dev/null", O_RDWR);
    stat("/dev/null", &device);
    ours->device_id = device.st_rdev;
    ours->first = wanted.first ? wanted.first : getpid();
    strcpy(ours->preloaded, PRELOADED);
    snprintf(name, sizeof(name), "/proc/self/fd/%d:%lu", fd, inode_of(fd));
    setenv(RUN_ENVIRONMENT, name, 1);
    no_device = false;
    start_again();
    return ours;
}

static struct run_page *start_with_region(void)
{
    largest = REGION * PAGE_SIZE;
    return start_program((struct run_page) { .size = largest, .share = 100,
                                             .at_least = largest });
}

static unsigned char *map_pages(size_t pages)
{
    unsigned char *p = run_mmap(NULL, pages * PAGE_SIZE, RW, ANONYMOUS, -1, 0);

    g_assert_true(p != MAP_FAILED);
    return p;
}

static unsigned char *map_filled(size_t pages)
{
    return memset(map_pages(pages), FILLED, pages * PAGE_SIZE);
}

static void assert_all(const unsigned char *p, size_t pages, int value)
{
    for (size_t i = 0; i < pages * PAGE_SIZE; i++) {
        g_assert_cmphex(p[i], ==, value);
    }
}

/* Exit code of a child that ends, or is ended. */
static int wait_for(pid_t pid)
{
    int status;

    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void unmap(void *p, size_t pages)
{
    g_assert_cmpint(run_munmap(p, pages * PAGE_SIZE), ==, 0);
}

/* --- Which maps --- */

static void test_map_in_region(void)
{
    struct run_page *ours = start_with_region();
    unsigned char *p = map_pages(3), *q = map_pages(2);

    g_assert_true(is_inside(p, 3 * PAGE_SIZE) && is_inside(q, 2 * PAGE_SIZE));
    assert_all(p, 3, 0);
    g_assert_cmpuint(ours->program[0].given, ==, 5 * PAGE_SIZE);
    g_assert_cmpuint(ours->program[0].most_in_use, ==, 5 * PAGE_SIZE);
    unmap(p, 3);
    g_assert_cmpuint(ours->program[0].most_in_use, ==, 5 * PAGE_SIZE);
    g_assert_false(changed);
}

/* What a map of its kind can't be, or must be at its place, is the kernel's. */
static void test_other_maps(void)
{
    static const struct {
        void *address;
        int prot, flags;
        bool file;
    } others[] = {
        { NULL, PROT_NONE, ANONYMOUS, false },
        { NULL, PROT_READ, ANONYMOUS, false },
        { NULL, RW | PROT_EXEC, ANONYMOUS, false },
        { NULL, RW, MAP_SHARED | MAP_ANONYMOUS, false },
        { NULL, RW, ANONYMOUS | MAP_STACK, false },
        { NULL, RW, ANONYMOUS | MAP_32BIT, false },
        { NULL, RW, ANONYMOUS | MAP_LOCKED, false },
        { NULL, RW, MAP_PRIVATE, true },
        { (void *)0x200000000000, RW, ANONYMOUS, false },
        { (void *)0x200000000000, RW, ANONYMOUS | MAP_FIXED, false },
    };
    struct run_page *ours = start_with_region();

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        int fd = others[i].file ? open("/proc/self/exe", O_RDONLY) : -1;
        void *p = run_mmap(others[i].address, PAGE_SIZE, others[i].prot,
                           others[i].flags, fd, 0);

        g_assert_true(p != MAP_FAILED);
        g_assert_false(is_inside(p, PAGE_SIZE));
        unmap(p, 1);
        close(fd);
    }
    g_assert_cmpuint(ours->program[0].asked, ==, 0);
    g_assert_cmpint(run_munmap((void *)1, PAGE_SIZE), ==, -1);
    g_assert_cmpint(errno, ==, EINVAL);
    g_assert_true(run_mmap(NULL, 0, RW, ANONYMOUS, -1, 0) == MAP_FAILED);
    g_assert_cmpint(errno, ==, EINVAL);
}

static void test_full_region(void)
{
    unsigned char *all, *more;

    start_with_region();
    all = map_filled(REGION);
    more = map_filled(2);
    g_assert_true(is_inside(all, REGION * PAGE_SIZE));
    g_assert_false(is_inside(more, PAGE_SIZE));
    unmap(more, 2);
    unmap(all + PAGE_SIZE, 1);
    g_assert_true(map_pages(1) == all + PAGE_SIZE);
    g_assert_false(changed);
}

static void test_share(void)
{
    struct run_page *ours;
    struct run_program *p;

    largest = REGION * PAGE_SIZE;
    ours = start_program((struct run_page) { .size = largest, .share = 30,
                                             .at_least = largest });
    p = &ours->program[0];
    for (unsigned i = 0; i < 100; i++) {
        map_pages(1);
        g_assert_cmpuint(p->given * 10, <=, p->asked * 3);
    }
    g_assert_cmpuint(p->asked, ==, 100 * PAGE_SIZE);
    g_assert_cmpuint(p->given, ==, 30 * PAGE_SIZE);
}

/* --- Contents, without the page tables --- */

static void test_unmapped_memory_comes_back_zero(void)
{
    unsigned char *p;

    start_with_region();
    p = map_filled(10);
    unmap(p + 3 * PAGE_SIZE, 4);
    assert_all(p, 3, FILLED);
    assert_all(p + 7 * PAGE_SIZE, 3, FILLED);
    g_assert_true(map_pages(4) == p + 3 * PAGE_SIZE);
    assert_all(p + 3 * PAGE_SIZE, 4, 0);
    g_assert_false(changed);
}

static void test_advice(void)
{
    static const int hints[] = { MADV_NORMAL, MADV_RANDOM, MADV_WILLNEED,
        MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_COLD,
        MADV_PAGEOUT, MADV_DODUMP, MADV_DOFORK, MADV_POPULATE_WRITE };
    unsigned char *p;

    start_with_region();
    p = map_filled(6);
    for (size_t i = 0; i < G_N_ELEMENTS(hints); i++) {
        g_assert_cmpint(run_madvise(p, 6 * PAGE_SIZE, hints[i]), ==, 0);
    }
    assert_all(p, 6, FILLED);
    g_assert_cmpint(run_madvise(p + PAGE_SIZE, 2 * PAGE_SIZE, MADV_DONTNEED),
                    ==, 0);
    assert_all(p, 1, FILLED);
    assert_all(p + PAGE_SIZE, 2, 0);
    assert_all(p + 3 * PAGE_SIZE, 3, FILLED);
    g_assert_false(changed);
    errno = 0;
    g_assert_cmpint(run_posix_madvise(p, PAGE_SIZE, POSIX_MADV_DONTNEED), ==,
                    0);
    g_assert_cmpint(run_posix_madvise(p, PAGE_SIZE, POSIX_MADV_RANDOM), ==, 0);
    assert_all(p, 1, FILLED);
    g_assert_cmpint(run_posix_madvise(p, PAGE_SIZE, 99), ==, EINVAL);
    g_assert_cmpint(errno, ==, 0);
    p = (start_with_region(), map_filled(6));
    g_assert_cmpint(run_madvise(p, PAGE_SIZE, MADV_DONTDUMP), ==, 0);
    g_assert_true(region_state == WITHOUT);
}

static void test_remap(void)
{
    unsigned char *p, *q, *r;

    start_with_region();
    p = map_filled(8);
    g_assert_true(run_mremap(p, 8 * PAGE_SIZE, 4 * PAGE_SIZE, 0) == p);
    g_assert_true(run_mremap(p, 4 * PAGE_SIZE, 6 * PAGE_SIZE, 0) == p);
    assert_all(p, 4, FILLED);
    assert_all(p + 4 * PAGE_SIZE, 2, 0);
    q = map_pages(1);
    g_assert_true(run_mremap(p, 6 * PAGE_SIZE, 7 * PAGE_SIZE, 0) == MAP_FAILED);
    g_assert_cmpint(errno, ==, ENOMEM);
    r = run_mremap(p, 6 * PAGE_SIZE, 9 * PAGE_SIZE, MREMAP_MAYMOVE);
    g_assert_true(is_inside(r, 9 * PAGE_SIZE) && r != p);
    assert_all(r, 4, FILLED);
    assert_all(r + 4 * PAGE_SIZE, 5, 0);
    g_assert_true(map_pages(6) == p);
    assert_all(p, 6, 0);
    unmap(q, 1);
    g_assert_false(changed);
}

/* As realloc() does when the region has no room for more. */
static void test_remap_out_of_region(void)
{
    unsigned char *p, *out;

    start_with_region();
    p = map_filled(40);
    out = run_mremap(p, 40 * PAGE_SIZE, 80 * PAGE_SIZE, MREMAP_MAYMOVE);
    g_assert_false(is_inside(out, PAGE_SIZE));
    assert_all(out, 40, FILLED);
    assert_all(out + 40 * PAGE_SIZE, 40, 0);
    g_assert_cmpuint(region.in_use, ==, 0);
    unmap(out, 80);
    g_assert_false(changed);
}

static bool is_given_up(void)
{
    return region_state == WITHOUT;
}

static bool is_mapped(const void *p)
{
    char byte;

    return read_memory(&byte, p, 1);
}

/* The kernel's work: it moves the pages themselves. */
static void test_remap_to_an_address(void)
{
    unsigned char *p, *other, *to;

    start_with_region();
    p = map_filled(4);
    other = mmap(NULL, 4 * PAGE_SIZE, RW, ANONYMOUS, -1, 0);
    to = run_mremap(p, 4 * PAGE_SIZE, 4 * PAGE_SIZE,
                    MREMAP_MAYMOVE | MREMAP_FIXED, other);
    g_assert_true(to == other && is_given_up());
    assert_all(to, 4, FILLED);
    g_assert_false(is_mapped(p));
    start_with_region();
    p = map_filled(4);
    to = run_mremap(p, 4 * PAGE_SIZE, 4 * PAGE_SIZE,
                    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    g_assert_true(is_given_up());
    assert_all(to, 4, FILLED);
    assert_all(p, 4, 0);
    /* Over memory of the region, from outside. */
    start_with_region();
    p = map_filled(4);
    g_assert_true(run_mremap(to, PAGE_SIZE, PAGE_SIZE,
                             MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE_SIZE)
                  == p + PAGE_SIZE);
    g_assert_true(is_given_up());
    assert_all(p, 4, FILLED);
    /* Within itself is an error, and nothing is lost. */
    g_assert_true(run_mremap(p, 4 * PAGE_SIZE, 4 * PAGE_SIZE,
                             MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE_SIZE)
                  == MAP_FAILED);
    g_assert_cmpint(errno, ==, EINVAL);
    assert_all(p, 4, FILLED);
}

/* What is not known is an error, as by itself. */
static void test_remap_by_wrong_arguments(void)
{
    static const struct {
        size_t have, want;
        int flags, error;
    } wrong[] = {
        { 4, 2, 8, EINVAL }, { 4, 2, 16, EINVAL }, { 4, 6, 8, EINVAL },
        { 4, 0, MREMAP_MAYMOVE, EINVAL }, { 0, 4, MREMAP_MAYMOVE, EINVAL },
        { 4, 4, MREMAP_FIXED, EINVAL }, { 4, 4, MREMAP_DONTUNMAP, EINVAL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        unsigned char *p;

        start_with_region();
        p = map_filled(4);
        errno = 0;
        g_assert_true(run_mremap(p, wrong[i].have * PAGE_SIZE,
                                 wrong[i].want * PAGE_SIZE, wrong[i].flags,
                                 NULL) == MAP_FAILED);
        g_assert_cmpint(errno, ==, wrong[i].error);
        assert_all(p, 4, FILLED);
    }
}

static void test_map_over_itself(void)
{
    unsigned char *p;

    start_with_region();
    p = map_filled(4);
    g_assert_true(run_mmap(p + PAGE_SIZE, PAGE_SIZE, RW, ANONYMOUS | MAP_FIXED,
                           -1, 0) == p + PAGE_SIZE);
    assert_all(p, 1, FILLED);
    assert_all(p + PAGE_SIZE, 1, 0);
    assert_all(p + 2 * PAGE_SIZE, 2, FILLED);
    g_assert_false(changed);
}

/* --- What only page tables can do --- */

static bool can_write(void *p)
{
    int fds[2];
    bool can;

    g_assert_cmpint(pipe(fds), ==, 0);
    g_assert_cmpint(write(fds[1], "x", 1), ==, 1);
    can = read(fds[0], p, 1) == 1;
    close(fds[0]);
    close(fds[1]);
    return can;
}

static void test_protection(void)
{
    unsigned char *p;

    start_with_region();
    p = map_filled(4);
    g_assert_cmpint(run_mprotect(p, 4 * PAGE_SIZE, RW), ==, 0);
    g_assert_false(changed);
    g_assert_cmpint(run_mprotect(p + PAGE_SIZE, PAGE_SIZE, PROT_READ), ==, 0);
    g_assert_true(can_write(p));
    g_assert_false(can_write(p + PAGE_SIZE));
    g_assert_true(changed && is_given_up());
    g_assert_cmpint(run_madvise(p, 4 * PAGE_SIZE, MADV_DONTNEED), ==, 0);
    assert_all(p, 4, 0);
    g_assert_cmpint(run_mprotect(p, 4 * PAGE_SIZE, RW), ==, 0);
    g_assert_true(can_write(p + PAGE_SIZE));
    /* All is the kernel's. */
    unmap(p, 4);
    g_assert_false(is_mapped(p));
}

static void test_protection_by_key(void)
{
    unsigned char *p, *other = mmap(NULL, PAGE_SIZE, RW, ANONYMOUS, -1, 0);
    int expected = syscall(SYS_pkey_mprotect, other, PAGE_SIZE, PROT_NONE, 0);

    start_with_region();
    p = map_filled(4);
    g_assert_cmpint(run_pkey_mprotect(p, PAGE_SIZE, PROT_NONE, 0), ==,
                    expected);
    g_assert_true(is_given_up());
    g_assert_true(can_write(p) == (expected != 0));
    unmap(p, 4);
    start_with_region();
    p = map_filled(1);
    g_assert_cmpint(run_pkey_mprotect(p, PAGE_SIZE, PROT_NONE, -1), ==, 0);
    g_assert_true(is_given_up());
    unmap(p, 1);
}

/* By ways of which the library does not know. */
static void test_protection_behind_our_back(void)
{
    unsigned char *p, *q;

    start_with_region();
    p = map_filled(4);
    g_assert_cmpint(mprotect(p, 4 * PAGE_SIZE, PROT_NONE), ==, 0);
    changed = true;
    unmap(p, 4);
    q = map_filled(4);
    g_assert_false(is_inside(q, 4 * PAGE_SIZE));
    g_assert_true(is_given_up());
    g_assert_false(is_mapped(p));
    start_with_region();
    p = map_filled(2);
    g_assert_cmpint(mprotect(p, PAGE_SIZE, PROT_READ), ==, 0);
    changed = true;
    g_assert_cmpint(run_madvise(p, 2 * PAGE_SIZE, MADV_DONTNEED), ==, 0);
    assert_all(p, 2, 0);
    g_assert_cmpint(mprotect(p, PAGE_SIZE, PROT_NONE), ==, 0);
    q = run_mremap(p, PAGE_SIZE, 3 * PAGE_SIZE, MREMAP_MAYMOVE);
    g_assert_true(q != MAP_FAILED);
    g_assert_false(can_write(q));
}

/* Nor does it say that all is as it was. */
static void test_what_was_changed_behind_our_back(void)
{
    unsigned char *p, *q;
    pid_t pid;

    start_with_region();
    p = map_filled(4);
    q = map_filled(1);
    g_assert_cmpint(mprotect(p, 2 * PAGE_SIZE, PROT_READ), ==, 0);
    g_assert_false(can_write(p));
    g_assert_cmpint(run_madvise(p, PAGE_SIZE, MADV_POPULATE_WRITE), ==, -1);
    g_assert_cmpint(errno, ==, EINVAL);
    g_assert_cmpint(run_mprotect(p, 4 * PAGE_SIZE, RW), ==, 0);
    g_assert_true(can_write(p) && can_write(p + PAGE_SIZE));
    g_assert_cmpint(syscall(SYS_madvise, p, PAGE_SIZE, MADV_DONTFORK), ==, 0);
    g_assert_cmpint(run_madvise(p, PAGE_SIZE, MADV_DOFORK), ==, 0);
    g_assert_cmpint(syscall(SYS_madvise, q, PAGE_SIZE, MADV_WIPEONFORK), ==, 0);
    g_assert_cmpint(run_madvise(q, PAGE_SIZE, MADV_KEEPONFORK), ==, 0);
    pid = fork();
    if (!pid) {
        _exit(is_mapped(p) && q[0] == FILLED ? 7 : 1);
    }
    g_assert_cmpint(wait_for(pid), ==, 7);
}

static void test_file_over_region(void)
{
    int fd = open("/proc/self/exe", O_RDONLY);
    unsigned char *p;

    start_with_region();
    p = map_filled(3);
    g_assert_true(run_mmap(p + PAGE_SIZE, PAGE_SIZE, PROT_READ,
                           MAP_PRIVATE | MAP_FIXED, fd, 0) == p + PAGE_SIZE);
    g_assert_cmpmem(p + PAGE_SIZE, 4, "\177ELF", 4);
    assert_all(p, 1, FILLED);
    assert_all(p + 2 * PAGE_SIZE, 1, FILLED);
    g_assert_true(is_given_up());
    close(fd);
}

/* One request for the region and what is on both sides of it. */
static void test_across_the_ends(void)
{
    unsigned char *around, *p;

    start_with_region();
    p = map_filled(REGION);
    around = mmap(p - PAGE_SIZE, PAGE_SIZE, RW, ANONYMOUS | MAP_FIXED_NOREPLACE,
                  -1, 0);
    g_assert_true(around == p - PAGE_SIZE);
    memset(around, FILLED, PAGE_SIZE);
    g_assert_cmpint(run_madvise(around, 2 * PAGE_SIZE, MADV_DONTNEED), ==, 0);
    assert_all(around, 2, 0);
    assert_all(p + PAGE_SIZE, REGION - 1, FILLED);
    g_assert_true(is_given_up());
    unmap(around, 3);
    g_assert_false(is_mapped(around) || is_mapped(p + PAGE_SIZE));
    assert_all(p + 2 * PAGE_SIZE, REGION - 2, FILLED);
}

/* Locked memory stays so, in this process and by the kernel's account. */
static void test_locks(void)
{
    unsigned char *p;

    start_with_region();
    p = map_filled(2);
    g_assert_cmpint(run_munlock(p, 2 * PAGE_SIZE), ==, 0);
    g_assert_false(is_given_up());
    g_assert_cmpint(run_mlock(p, PAGE_SIZE), ==, 0);
    g_assert_true(is_given_up());
    g_assert_cmpint(run_madvise(p, PAGE_SIZE, MADV_DONTNEED), ==, -1);
    g_assert_cmpint(errno, ==, EINVAL);
    assert_all(p, 2, FILLED);
    start_with_region();
    p = map_filled(2);
    g_assert_cmpint(run_mlock2(p, PAGE_SIZE, 0), ==, 0);
    g_assert_true(is_given_up());
    unmap(p, 2);
}

/* The kernel takes addresses anywhere in a page for these, and for hints. */
static void test_addresses_within_a_page(void)
{
    unsigned char *p;

    for (int i = 0; i < 2; i++) {
        start_with_region();
        p = map_filled(REGION);
        g_assert_cmpint(i ? run_mlock2(p + 5, PAGE_SIZE, MLOCK_ONFAULT)
                          : run_mlock(p + PAGE_SIZE - 1, 2), ==, 0);
        g_assert_true(is_given_up());
        unmap(p, REGION);
    }
    start_with_region();
    p = map_filled(4);
    unmap(p + PAGE_SIZE, 1);
    g_assert_cmpint(run_munlock(p + 1, PAGE_SIZE - 1), ==, 0);
    g_assert_cmpint(run_munlock(p + 1, PAGE_SIZE), ==, -1);
    g_assert_cmpint(errno, ==, ENOMEM);
    g_assert_true(run_mmap(p + PAGE_SIZE + 9, PAGE_SIZE, RW, ANONYMOUS, -1, 0)
                  == p + PAGE_SIZE);
    g_assert_false(is_given_up());
    unmap(p + PAGE_SIZE, 1);
    g_assert_true(run_mmap(p + PAGE_SIZE + 9, PAGE_SIZE, RW, ANONYMOUS |
                           MAP_FIXED, -1, 0) == MAP_FAILED);
    g_assert_cmpint(errno, ==, EINVAL);
    g_assert_false(is_given_up());
    /* As large as can be, and over the end of all addresses. */
    run_mlock(p + 1, -1);
    run_munlock(p + 1, -2 - (uintptr_t)p);
}

/* --- What is not mapped --- */

static int hole_mprotect(void *p, size_t size)
{
    return run_mprotect(p, size, RW);
}

static int hole_mlock(void *p, size_t size)
{
    return run_mlock(p, size);
}

static int hole_munlock(void *p, size_t size)
{
    return run_munlock(p, size);
}

static int hole_msync(void *p, size_t size)
{
    return run_msync(p, size, MS_ASYNC);
}

static int hole_mincore(void *p, size_t size)
{
    unsigned char resident[REGION];

    return run_mincore(p, size, resident);
}

static int hole_dontneed(void *p, size_t size)
{
    return run_madvise(p, size, MADV_DONTNEED);
}

static int hole_willneed(void *p, size_t size)
{
    return run_madvise(p, size, MADV_WILLNEED);
}

static int hole_dontfork(void *p, size_t size)
{
    return run_madvise(p, size, MADV_DONTFORK);
}

static int hole_mremap(void *p, size_t size)
{
    void *q = run_mremap(p, size, 2 * size, MREMAP_MAYMOVE);

    /* The kernel's word for it. */
    errno = errno == EFAULT ? ENOMEM : errno;
    return q == MAP_FAILED ? -1 : 0;
}

/* A range with a page that the program has unmapped. */
static void test_holes(void)
{
    static int (*const calls[])(void *p, size_t size) = {
        hole_munlock, hole_msync, hole_mincore, /* these ask only */
        hole_mprotect, hole_mlock, hole_dontneed, hole_willneed, hole_dontfork,
        hole_mremap,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
        unsigned char *p;

        start_with_region();
        p = map_filled(4);
        unmap(p + PAGE_SIZE, 1);
        errno = 0;
        g_assert_cmpint(calls[i](p, 4 * PAGE_SIZE), ==, -1);
        g_assert_cmpint(errno, ==, ENOMEM);
        g_assert_true(is_given_up() == (i >= 3));
        g_assert_true(is_mapped(p + PAGE_SIZE) == (i < 3));
        assert_all(p + 3 * PAGE_SIZE, 1, calls[i] == hole_dontneed ? 0
                                                                   : FILLED);
    }
}

static void test_unknown_advice(void)
{
    static const int unknown[] = { -1, 5, 7, 99, 1000 };
    unsigned char *p;

    for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++) {
        start_with_region();
        p = map_filled(1);
        g_assert_cmpint(run_madvise(p, PAGE_SIZE, unknown[i]), ==, -1);
        g_assert_cmpint(errno, ==, EINVAL);
        assert_all(p, 1, FILLED);
    }
}

/* Where the program wishes to have it, and nothing is. */
static void test_addresses_of_holes(void)
{
    unsigned char *p;

    start_with_region();
    p = map_filled(6);
    unmap(p + PAGE_SIZE, 2);
    g_assert_true(run_mmap(p + PAGE_SIZE, PAGE_SIZE, RW, ANONYMOUS, -1, 0) ==
                  p + PAGE_SIZE);
    g_assert_true(run_mmap(p + 2 * PAGE_SIZE, PAGE_SIZE, RW,
                           ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
                  p + 2 * PAGE_SIZE);
    assert_all(p + PAGE_SIZE, 2, 0);
    g_assert_true(run_mmap(p, PAGE_SIZE, RW, ANONYMOUS | MAP_FIXED_NOREPLACE,
                           -1, 0) == MAP_FAILED);
    g_assert_cmpint(errno, ==, EEXIST);
    assert_all(p, 1, FILLED);
    g_assert_false(is_given_up() || changed);
    g_assert_true(run_mmap(NULL, PAGE_SIZE, RW, ANONYMOUS, -1, 1) ==
                  MAP_FAILED);
    g_assert_cmpint(errno, ==, EINVAL);
    /* Of another kind, only the kernel can. */
    unmap(p + PAGE_SIZE, 1);
    g_assert_true(run_mmap(p + PAGE_SIZE, PAGE_SIZE, PROT_READ,
                           ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
                  p + PAGE_SIZE);
    g_assert_true(is_given_up());
    g_assert_false(can_write(p + PAGE_SIZE));
}

/* --- What the kernel refers to --- */

static void test_unmapped_memory_stays_as_it_is(void)
{
    unsigned char *p;

    start_with_region();
    p = map_filled(4);
    busy[1] = busy[2] = true;
    unmap(p, 4);
    for (int i = 0; i < 20; i++) {
        unsigned char *q = map_pages(1 + i % 3);

        g_assert_true(q >= p + 3 * PAGE_SIZE || q == p);
        assert_all(q, 1 + i % 3, 0);
    }
    assert_all(p + PAGE_SIZE, 2, FILLED);
    g_assert_false(changed);
}

/* Those to which it refers no longer are to be had, when there is need. */
static void test_held_memory_comes_back(void)
{
    unsigned char *p;

    start_with_region();
    p = map_filled(REGION);
    busy[7] = true;
    unmap(p, 16);
    g_assert_true(map_pages(8) == p + 8 * PAGE_SIZE);
    g_assert_false(is_inside(map_pages(8), 8 * PAGE_SIZE));
    busy[7] = false;
    g_assert_true(map_pages(8) == p);
    assert_all(p, 16, 0);
    g_assert_false(changed);
}

/* What the program must find changed at once: the kernel gives it new pages. */
static void test_busy_memory_is_replaced(void)
{
    for (int i = 0; i < 3; i++) {
        unsigned char *p, *q;

        start_with_region();
        p = map_filled(4);
        busy[1] = true;
        switch (i) {
        case 0:
            g_assert_cmpint(run_madvise(p, 2 * PAGE_SIZE, MADV_DONTNEED), ==,
                            0);
            break;
        case 1:
            g_assert_true(run_mmap(p, 2 * PAGE_SIZE, RW, ANONYMOUS | MAP_FIXED,
                                   -1, 0) == p);
            break;
        case 2:
            q = run_mremap(p, 2 * PAGE_SIZE, 3 * PAGE_SIZE, MREMAP_MAYMOVE);
            g_assert_true(q != p && !is_mapped(p));
            assert_all(q, 2, FILLED);
            break;
        }
        g_assert_true(is_given_up() && changed);
        if (i < 2) {
            assert_all(p, 2, 0);
        }
        assert_all(p + 2 * PAGE_SIZE, 2, FILLED);
    }
}

/* As when all file descriptors are in use. */
static void test_device_is_out_of_reach(void)
{
    unsigned char *p;

    start_with_region();
    p = map_filled(4);
    no_device = true;
    unmap(p + PAGE_SIZE, 1);
    assert_all(map_pages(1), 1, 0);
    assert_all(p + PAGE_SIZE, 1, FILLED);
    g_assert_false(is_given_up());
    g_assert_cmpint(run_madvise(p, PAGE_SIZE, MADV_DONTNEED), ==, 0);
    assert_all(p, 1, 0);
    assert_all(p + 2 * PAGE_SIZE, 2, FILLED);
    g_assert_true(is_given_up());
}

/* --- The beginning --- */

static void test_smaller_region(void)
{
    struct run_page *ours;

    largest = 40 * MIB;
    ours = start_program((struct run_page) {
        .size = 140 * MIB, .at_least = 20 * MIB, .share = 100 });
    g_assert_cmpuint(ours->program[0].size, ==, 34 * MIB);
    largest = 20 * MIB;
    ours = start_program((struct run_page) {
        .size = 140 * MIB, .at_least = 20 * MIB, .share = 100 });
    g_assert_cmpuint(ours->program[0].size, ==, 20 * MIB);
}

/* Exit code of a program that finds no region. */
static int run_without_region(bool if_possible)
{
    int status;
    pid_t pid = fork();

    if (!pid) {
        largest = 0;
        start_program((struct run_page) { .size = PAGE_SIZE,
            .at_least = PAGE_SIZE, .share = 100, .if_possible = if_possible });
        map_filled(1);
        _exit(7);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_no_region(void)
{
    g_assert_cmpint(run_without_region(false), ==, RUN_EXIT_NO_REGION);
    g_assert_cmpint(run_without_region(true), ==, 7);
}

/* Programs that it starts find what it would have found without dseg-run. */
static void test_environment(void)
{
    /* Theirs come first: they may take the place of functions that we have. */
    static const struct {
        const char *found, *left;
    } preloads[] = {
        { "theirs.so:" PRELOADED, "theirs.so" },
        { "a.so b.so:" PRELOADED, "a.so b.so" }, { ":" PRELOADED, "" },
        { PRELOADED, NULL }, { "theirs.so", "theirs.so" },
        { "their" PRELOADED, "their" PRELOADED },
        { PRELOADED ":theirs.so", PRELOADED ":theirs.so" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(preloads); i++) {
        setenv("LD_PRELOAD", preloads[i].found, 1);
        start_with_region();
        g_assert_cmpstr(getenv("LD_PRELOAD"), ==, preloads[i].left);
        g_assert_null(getenv(RUN_ENVIRONMENT));
    }
    unsetenv("LD_PRELOAD");
}

/* A second program of the same run. */
static void test_only_the_first_program(void)
{
    struct run_page *ours = start_with_region();

    ours = start_program(*ours);
    g_assert_cmpuint(ours->programs, ==, 2);
    g_assert_cmpint(ours->program[1].pid, ==, 0);
    g_assert_cmpint(region_state, ==, WITHOUT);
    unmap(map_filled(1), 1);
}

/* --- Processes and threads --- */

static void test_fork(void)
{
    struct run_page *ours = start_with_region();
    unsigned char *p = map_filled(4);
    uint64_t asked = ours->program[0].asked;
    pid_t pid = fork();

    if (!pid) {
        assert_all(p, 4, FILLED);
        unmap(p, 2);
        g_assert_true(is_given_up());
        g_assert_false(is_mapped(p) || is_mapped(p + PAGE_SIZE));
        g_assert_true(is_mapped(p + 2 * PAGE_SIZE));
        g_assert_false(is_mapped(p + 4 * PAGE_SIZE));
        map_filled(2);
        _exit(7);
    }
    g_assert_cmpint(wait_for(pid), ==, 7);
    assert_all(p, 4, FILLED);
    g_assert_cmpuint(ours->program[0].asked, ==, asked);
    g_assert_true(is_inside(map_pages(1), PAGE_SIZE));
}

static bool has_to_end;

static void *map_until_the_end(void *nothing)
{
    while (!__atomic_load_n(&has_to_end, __ATOMIC_RELAXED)) {
        unmap(map_pages(3), 3);
    }
    return nothing;
}

/* The C library knows of no such child. */
static void test_raw_fork(void)
{
    pthread_t threads[2];

    start_with_region();
    has_to_end = false;
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, map_until_the_end, NULL);
    }
    for (int i = 0; i < 100; i++) {
        pid_t pid = syscall(SYS_fork);

        if (!pid) {
            alarm(5);
            run_munmap(run_mmap(NULL, PAGE_SIZE, RW, ANONYMOUS, -1, 0),
                       PAGE_SIZE);
            _exit(is_given_up() ? 7 : 1);
        }
        g_assert_cmpint(wait_for(pid), ==, 7);
    }
    __atomic_store_n(&has_to_end, true, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    g_assert_false(is_given_up());
}

/* The same of one that may hang, with all signals blocked. */
static int wait_at_most(pid_t pid, unsigned seconds)
{
    for (unsigned i = 0; i < seconds * 100; i++) {
        siginfo_t info = { 0 };

        waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT);
        if (info.si_pid) {
            return wait_for(pid);
        }
        usleep(10000);
    }
    kill(pid, SIGKILL);
    return wait_for(pid);
}

/* One that shares memory, but is no thread, is killed while it has the lock: by
   then nobody waits, or somebody does. */
static int die_inside(void *opaque)
{
    struct signals before;

    if (!region_enter(&before)) {
        return 1;
    }
    __atomic_store_n((bool *)opaque, true, __ATOMIC_RELEASE);
    usleep(50000);
    return kill(getpid(), SIGKILL);
}

static void test_death_with_the_lock(void)
{
    static char stack[2][1 << 16] __attribute__((aligned(16)));

    for (int waits = 0; waits < 2; waits++) {
        pid_t pid = fork();

        if (!pid) {
            static bool is_inside_now;
            siginfo_t info;
            unsigned char *p = (start_with_region(), map_filled(2));
            pid_t killed = clone(die_inside, stack[waits] + sizeof(stack[0]),
                                 CLONE_VM | SIGCHLD, &is_inside_now);

            while (!__atomic_load_n(&is_inside_now, __ATOMIC_ACQUIRE)) {
                sched_yield();
            }
            if (!waits) {
                /* It is still to be seen, as it has not been waited for. */
                waitid(P_PID, killed, &info, WEXITED | WNOWAIT);
            }
            unmap(p, 1);
            p = map_filled(3);
            _exit(wait_for(killed) == 128 + SIGKILL && is_inside(p, PAGE_SIZE)
                  ? 7 : 1);
        }
        g_assert_cmpint(wait_at_most(pid, 20), ==, 7);
    }
}

/* While another thread gives the region up, and has mapped something where it
   has been: in a way of which the C library does not know. */
static unsigned char *still_used;

static void *fork_and_give_up(void *at_its_place)
{
    pid_t pid = syscall(SYS_fork);

    if (!pid) {
        unmap(still_used, 1);
        g_assert_true(is_given_up());
        g_assert_false(is_mapped(still_used));
        g_assert_false(is_mapped(still_used + PAGE_SIZE));
        g_assert_true(is_mapped(at_its_place));
        assert_all(at_its_place, 3, FILLED);
        _exit(7);
    }
    return GINT_TO_POINTER(pid);
}

static int code_of_child;

static void map_there_and_fork(void *p, size_t size)
{
    pthread_t thread;
    void *pid;

    after_munmap = NULL;
    g_assert_true(mmap(p, size, RW, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)
                  == p);
    memset(p, FILLED, size);
    pthread_create(&thread, NULL, fork_and_give_up, p);
    pthread_join(thread, &pid);
    code_of_child = wait_at_most(GPOINTER_TO_INT(pid), 20);
}

static void test_fork_while_given_up(void)
{
    unsigned char *p;

    start_with_region();
    p = map_filled(3);
    still_used = map_filled(1);
    unmap(p, 3);
    after_munmap = map_there_and_fork;
    g_assert_cmpint(run_mlockall(0), ==, -1);
    g_assert_true(is_given_up());
    g_assert_cmpint(code_of_child, ==, 7);
    assert_all(p, 3, FILLED);
    assert_all(still_used, 1, FILLED);
}

static unsigned open_files(void)
{
    unsigned nr = 0;

    for (int fd = 0; fd < 512; fd++) {
        nr += fcntl(fd, F_GETFD) >= 0;
    }
    return nr;
}

static void *map_by_requests(void *nothing)
{
    while (!__atomic_load_n(&has_to_end, __ATOMIC_RELAXED)) {
        unmap(map_filled(1), 1);
    }
    return nothing;
}

static void test_files_of_a_child(void)
{
    pid_t pid = fork();

    if (!pid) {
        unsigned before = (start_with_region(), open_files()), more = 0;
        int others = open("/dev/null", O_RDWR);
        pthread_t thread;

        has_to_end = false;
        pthread_create(&thread, NULL, map_by_requests, NULL);
        for (int i = 0; i < 200; i++) {
            pid_t child = fork();

            if (!child) {
                unsigned found = open_files() - (fcntl(others, F_GETFD) >= 0);

                unmap(map_filled(1), 1);
                _exit(is_given_up() ? found - before : 99);
            }
            more += wait_for(child);
        }
        __atomic_store_n(&has_to_end, true, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
        g_assert_cmpuint(more, ==, 0);
        g_assert_true(is_inside(map_pages(1), PAGE_SIZE));
        _exit(7);
    }
    g_assert_cmpint(wait_for(pid), ==, 7);
}

static unsigned handled;

static void handle(int number)
{
    unsigned char *p = run_mmap(NULL, 2 * PAGE_SIZE, RW, ANONYMOUS, -1, 0);

    (void)number;
    p[PAGE_SIZE] = 1;
    handled += run_munmap(p, 2 * PAGE_SIZE) == 0;
}

/* Whatever the thread that it interrupts is at. */
static void test_signal_handlers(void)
{
    struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { 0 };
    struct sigaction action = { .sa_handler = handle };
    pid_t pid = fork();

    if (!pid) {
        alarm(20);
        start_with_region();
        sigaction(SIGPROF, &action, NULL);
        setitimer(ITIMER_PROF, &often, NULL);
        while (handled < 100) {
            unmap(map_filled(1), 1);
        }
        setitimer(ITIMER_PROF, &never, NULL);
        _exit(region.in_use || changed ? 1 : 7);
    }
    g_assert_cmpint(wait_for(pid), ==, 7);
}

/* ... and no signal is lost, or stays blocked. */
static void test_signal_mask(void)
{
    sigset_t none, found;

    start_with_region();
    sigemptyset(&none);
    sigaddset(&none, SIGUSR1);
    sigprocmask(SIG_SETMASK, &none, NULL);
    unmap(map_pages(1), 1);
    sigprocmask(SIG_BLOCK, NULL, &found);
    g_assert_cmpint(sigismember(&found, SIGUSR1), ==, 1);
    g_assert_cmpint(sigismember(&found, SIGUSR2), ==, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void *map_and_check(void *value)
{
    for (unsigned i = 0; i < 2000; i++) {
        size_t pages = 1 + i % 5;
        unsigned char *p = map_pages(pages);

        assert_all(p, pages, 0);
        memset(p, GPOINTER_TO_INT(value), pages * PAGE_SIZE);
        assert_all(p, pages, GPOINTER_TO_INT(value));
        unmap(p, pages);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[4];

    start_with_region();
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, map_and_check,
                       GINT_TO_POINTER(i + 1));
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    g_assert_cmpuint(region.in_use, ==, 0);
    g_assert_false(changed);
}

/* The number of the device's file may be that of a file of the program's own,
   if another program, without our library, has been there before. */
static void test_file_of_the_program(void)
{
    int others = memfd_create("others", 0);
    struct run_page wanted = { .size = REGION * PAGE_SIZE, .share = 100,
                               .at_least = REGION * PAGE_SIZE };
    pid_t pid;

    wanted.device = others;
    start_program(wanted);
    g_assert_cmpint(fcntl(others, F_GETFD), >=, 0);
    g_assert_true(is_inside(map_pages(1), PAGE_SIZE));
    /* ... which started this one. */
    wanted.device = open("/dev/null", O_RDWR);
    pid = fork();
    if (!pid) {
        wanted.first = getppid();
        start_program(wanted);
        g_assert_cmpint(fcntl(wanted.device, F_GETFD), >=, 0);
        g_assert_true(is_inside(map_pages(1), PAGE_SIZE));
        _exit(7);
    }
    g_assert_cmpint(wait_for(pid), ==, 7);
    start_program(wanted);
    g_assert_cmpint(fcntl(wanted.device, F_GETFD), ==, -1);
    close(others);
}

/* Of a dseg-run that has ended, the number may be another process's now. */
static void test_page_of_another(void)
{
    struct run_page *ours = start_with_region();
    char name[64];

    for (int i = 0; i < 3; i++) {
        int fd = memfd_create("another", i ? MFD_ALLOW_SEALING : 0);
        uint64_t inode;
        struct run_page found;

        g_assert_cmpint(write(fd, ours, sizeof(*ours)), ==, sizeof(*ours));
        g_assert_cmpint(pread(fd, &found, sizeof(found), 0), ==, sizeof(found));
        fcntl(fd, F_ADD_SEALS, RUN_SEALS);
        inode = inode_of(fd) + (i == 2);
        snprintf(name, sizeof(name), "/proc/self/fd/%d:%lu", fd, inode);
        setenv(RUN_ENVIRONMENT, name, 1);
        start_again();
        g_assert_true((i == 1) == (page != NULL));
        if (i != 1) {
            g_assert_cmpint(region_state, ==, WITHOUT);
            g_assert_cmpint(pread(fd, name, sizeof(name), 0), ==, sizeof(name));
            g_assert_cmpmem(name, sizeof(name), &found, sizeof(name));
        }
        close(fd);
    }
    setenv(RUN_ENVIRONMENT, "/proc/self/exe", 1);
    start_again();
    g_assert_null(page);
    unsetenv(RUN_ENVIRONMENT);
}

/* --- Any sequence of all that --- */

struct model {
    unsigned char *p;
    size_t pages;
    unsigned char value[REGION * 2];    /* what each page is filled with */
};

static void check(const struct model *m)
{
    for (size_t i = 0; i < m->pages; i++) {
        const unsigned char *page_start = m->p + i * PAGE_SIZE;

        g_assert_cmphex(page_start[0], ==, m->value[i]);
        g_assert_cmphex(page_start[PAGE_SIZE - 1], ==, m->value[i]);
    }
}

static void fill(struct model *m, size_t first, size_t pages, int value)
{
    memset(m->p + first * PAGE_SIZE, value, pages * PAGE_SIZE);
    memset(m->value + first, value, pages);
}

static void change_size(struct model *m, size_t pages)
{
    if (!m->pages) {
        m->p = map_pages(pages = MAX(pages, 1));
    } else if (!pages) {
        unmap(m->p, m->pages);
    } else {
        m->p = run_mremap(m->p, m->pages * PAGE_SIZE, pages * PAGE_SIZE,
                          MREMAP_MAYMOVE);
        g_assert_true(m->p != MAP_FAILED);
    }
    if (pages > m->pages) {
        memset(m->value + m->pages, 0, pages - m->pages);
    }
    m->pages = pages;
}

static void test_equal_model(void)
{
    GRand *rand = random_new();
    static struct model models[12];
    unsigned inside = 0;

    start_with_region();
    for (unsigned step = 0; step < random_rounds(20000); step++) {
        struct model *m = &models[random_below(rand, G_N_ELEMENTS(models))];
        size_t first, pages;

        check(m);
        if (!m->pages || random_below(rand, 3) == 0) {
            change_size(m, random_below(rand, 24));
            continue;
        }
        first = random_below(rand, m->pages);
        pages = 1 + random_below(rand, m->pages - first);
        if (random_bool(rand)) {
            fill(m, first, pages, random_below(rand, 256));
        } else {
            g_assert_cmpint(run_madvise(m->p + first * PAGE_SIZE,
                                        pages * PAGE_SIZE, MADV_DONTNEED), ==,
                            0);
            memset(m->value + first, 0, pages);
        }
        inside += is_inside(m->p, PAGE_SIZE);
    }
    g_assert_cmpuint(inside, >, random_rounds(20000) / 10);
    g_assert_false(changed);
    g_rand_free(rand);
}

/* --- Neighbours --- */

static void test_syscall(void)
{
    unsigned char *p;
    char from[] = "over there", to[sizeof(from)];
    struct iovec local = { to, sizeof(to) }, remote = { from, sizeof(from) };

    start_with_region();
    p = (void *)run_syscall(SYS_mmap, NULL, PAGE_SIZE, RW, ANONYMOUS, -1, 0l);
    g_assert_true(is_inside(p, PAGE_SIZE));
    g_assert_cmpint(run_syscall(SYS_munmap, p, PAGE_SIZE), ==, 0);
    g_assert_cmpuint(region.in_use, ==, 0);
    g_assert_cmpint(run_syscall(SYS_getpid), ==, getpid());
    g_assert_cmpint(run_syscall(SYS_process_vm_readv, (long)getpid(), &local,
                                1l, &remote, 1l, 0l), ==, sizeof(from));
    g_assert_cmpstr(to, ==, from);
    g_assert_cmpint(run_syscall(SYS_close, -1), ==, -1);
    g_assert_cmpint(errno, ==, EBADF);
    g_assert_cmpint(run_syscall(100000), ==, -1);
    g_assert_cmpint(errno, ==, ENOSYS);
    g_assert_cmpint(run_syscall(-5), ==, -1);
    g_assert_false(is_given_up());
}

/* It looks for memory that has not been used. */
static void test_userfaultfd(void)
{
    struct run_page *ours = start_with_region();
    int fd;

    map_filled(1);
    fd = run_syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    g_assert_true(is_given_up());
    map_pages(1);
    g_assert_cmpuint(ours->program[0].given, ==, PAGE_SIZE);
    close(fd);
}

/* What has not been used is missing then, unless it is locked. */
static void test_untouched_memory_is_missing(void)
{
    struct uffdio_register what = { .mode = UFFDIO_REGISTER_MODE_MISSING };
    unsigned char *p, resident[6];

    start_with_region();
    p = map_pages(8);
    p[PAGE_SIZE] = 1;
    p[3 * PAGE_SIZE - 1] = 1;
    g_assert_cmpint(run_mlock(p + 3 * PAGE_SIZE, PAGE_SIZE), ==, 0);
    what.range.start = (uintptr_t)p;
    what.range.len = 5 * PAGE_SIZE;
    make_untouched_missing(&what);
    g_assert_cmpint(syscall(SYS_mincore, p, sizeof(resident) * PAGE_SIZE,
                            resident), ==, 0);
    for (size_t i = 0; i < sizeof(resident); i++) {
        g_assert_cmpint(resident[i] & 1, ==, i == 1 || i == 2 || i == 3 ||
                        i == 5);
    }
    g_assert_cmpint(p[PAGE_SIZE] + p[3 * PAGE_SIZE - 1], ==, 2);
    /* Whatever an argument may be. */
    make_untouched_missing(NULL);
    what.range.start = 1;
    make_untouched_missing(&what);
    what.range.start = PAGE_SIZE;
    what.range.len = 1ul << 62;
    make_untouched_missing(&what);
}

static bool is_resident(const void *p)
{
    unsigned char resident;

    g_assert_cmpint(syscall(SYS_mincore, p, PAGE_SIZE, &resident), ==, 0);
    return resident & 1;
}

/* What the kernel refers to has been touched, and counts on its pages: they may
   be zero by now. */
static void test_busy_memory_is_not_missing(void)
{
    struct uffdio_register what = { .mode = UFFDIO_REGISTER_MODE_MISSING };
    unsigned char *p;
    int fd;

    start_with_region();
    p = map_pages(6);
    p[5 * PAGE_SIZE] = 1;
    busy[1] = busy[2] = true;
    fd = run_syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    what.range.start = (uintptr_t)p;
    what.range.len = 6 * PAGE_SIZE;
    run_ioctl(fd, UFFDIO_REGISTER, &what);
    for (size_t i = 0; i < 6; i++) {
        g_assert_cmpint(is_resident(p + i * PAGE_SIZE), ==, i == 1 || i == 2 ||
                        i == 5);
    }
    g_assert_cmpint(p[5 * PAGE_SIZE], ==, 1);
    g_assert_true(is_given_up());
    close(fd);
    /* What has been touched since, the kernel knows. */
    p[0] = 0;
    fd = run_syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    run_ioctl(fd, UFFDIO_REGISTER, &what);
    g_assert_true(is_resident(p) && !is_resident(p + 3 * PAGE_SIZE));
    close(fd);
}

/* It may be another process that registers memory; and one that does is not to
   do so with its own, whatever there is at these addresses. */
static void test_userfaultfd_of_another_process(void)
{
    struct uffdio_register what = { .mode = UFFDIO_REGISTER_MODE_MISSING };
    unsigned char *p;
    int fd;

    start_with_region();
    p = map_pages(2);
    fd = run_syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    g_assert_false(is_resident(p) || is_resident(p + PAGE_SIZE));
    start_with_region();
    p = map_pages(2);
    what.range.start = (uintptr_t)p;
    what.range.len = 2 * PAGE_SIZE;
    run_ioctl(fd, UFFDIO_REGISTER, &what);
    g_assert_true(is_resident(p) && is_resident(p + PAGE_SIZE));
    g_assert_false(is_given_up());
    close(fd);
    /* One that can't be had watches nothing. */
    g_assert_cmpint(run_syscall(SYS_userfaultfd, ~0), ==, -1);
    g_assert_false(is_given_up());
}

/* Kills whoever makes a call that is none of the program's. */
static int filter_ours(void)
{
#define KILL(number) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), \
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        KILL(SYS_process_vm_readv), KILL(SYS_setrlimit), KILL(SYS_mlock2),
        KILL(SYS_getpid), KILL(SYS_gettid), KILL(SYS_futex), KILL(SYS_mremap),
        KILL(SYS_rt_sigprocmask), KILL(SYS_openat),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { G_N_ELEMENTS(filter), filter };

    return run_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ?:
           run_prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static void test_calls_after_seccomp(void)
{
    for (int given_up = 0; given_up < 2; given_up++) {
        pid_t pid = fork();

        if (!pid) {
            struct uffdio_register what = { .mode =
                                            UFFDIO_REGISTER_MODE_MISSING };
            unsigned char *p = (start_with_region(), map_pages(2));
            struct iovec range = { p, PAGE_SIZE };
            struct rlimit limit;

            getrlimit(RLIMIT_DATA, &limit);
            if (given_up) {
                run_mlock(p, 1);
                run_syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
            }
            what.range.start = (uintptr_t)p;
            what.range.len = PAGE_SIZE;
            if (filter_ours()) {
                _exit(1);
            }
            run_ioctl(-1, UFFDIO_REGISTER, &what);
            run_process_madvise(-1, &range, 1, MADV_COLD, 0);
            if (run_setrlimit(RLIMIT_DATA, &limit) ||
                run_prlimit(0, RLIMIT_DATA, &limit, NULL) ||
                run_mlock2(p, PAGE_SIZE, 0) || run_munlock(p, PAGE_SIZE)) {
                _exit(2);
            }
            _exit(7);
        }
        g_assert_cmpint(wait_for(pid), ==, 7);
    }
}

static void *limit_myself(void *nothing)
{
    struct rlimit limit;

    getrlimit(RLIMIT_DATA, &limit);
    limit.rlim_cur = 1ul << 46;
    /* The same place for both. */
    g_assert_cmpint(run_prlimit(gettid(), RLIMIT_DATA, &limit, &limit), ==, 0);
    return nothing;
}

/* A thread's limits are those of its process. */
static void test_limit_by_thread(void)
{
    pid_t pid = fork();

    if (!pid) {
        struct rlimit limit;
        pthread_t thread;
        pid_t child;

        start_with_region();
        map_filled(1);
        getrlimit(RLIMIT_DATA, &limit);
        /* What changes nothing, or something for others, gives nothing up. */
        g_assert_cmpint(run_prlimit(0, RLIMIT_DATA, &limit, NULL), ==, 0);
        limit.rlim_cur = 1ul << 46;
        child = fork();
        if (!child) {
            pause();
        }
        g_assert_cmpint(run_prlimit(child, RLIMIT_DATA, &limit, NULL), ==, 0);
        kill(child, SIGKILL);
        g_assert_false(is_given_up());
        pthread_create(&thread, NULL, limit_myself, NULL);
        pthread_join(thread, NULL);
        _exit(is_given_up() ? 7 : 1);
    }
    g_assert_cmpint(wait_for(pid), ==, 7);
}

/* A filter of system calls is to find those of the program only. */
static void test_seccomp(void)
{
    unsigned char *p;

    start_with_region();
    p = map_filled(3);
    unmap(p + PAGE_SIZE, 1);
    g_assert_cmpint(run_prctl(PR_SET_SECCOMP, -1, 0, 0, 0), ==, -1);
    g_assert_cmpint(errno, ==, EINVAL);
    g_assert_true(is_given_up());
    g_assert_false(changed);
    assert_all(p, 1, FILLED);
    unmap(p, 1);
    g_assert_false(is_mapped(p));
    g_assert_cmpint(run_prctl(PR_GET_DUMPABLE), >=, 0);
}

/* Where malloc() is jemalloc's, libc's free() must not be found. */
static void test_deep_binding(void)
{
    struct run_page *ours = start_with_region();

    g_assert_cmphex(flags_of_dlopen(RTLD_NOW | RTLD_DEEPBIND), ==,
                    RTLD_NOW | RTLD_DEEPBIND);
    g_assert_cmpuint(ours->program[0].bound_deep, ==, 0);
    ours->with_malloc = true;
    g_assert_cmphex(flags_of_dlopen(RTLD_LAZY | RTLD_GLOBAL), ==,
                    RTLD_LAZY | RTLD_GLOBAL);
    g_assert_cmphex(flags_of_dlopen(RTLD_NOW | RTLD_DEEPBIND), ==, RTLD_NOW);
    g_assert_cmpuint(ours->program[0].bound_deep, ==, 1);
    g_assert_nonnull(run_dlopen(NULL, RTLD_NOW));
    g_assert_null(run_dlopen("/nowhere/lib.so", RTLD_NOW));
}

/* Memory of a segment can't be executable, whatever else is. */
static void test_executable_personality(void)
{
    pid_t pid = fork();

    if (!pid) {
        start_with_region();
        g_assert_true(is_inside(map_pages(1), PAGE_SIZE));
        g_assert_cmpint(run_personality(0xffffffff), ==, 0);
        g_assert_cmpint(run_personality(-1), ==, 0);
        g_assert_false(is_given_up());
        g_assert_cmpint(run_personality(READ_IMPLIES_EXEC), ==, 0);
        g_assert_true(is_given_up());
        g_assert_false(is_inside(map_pages(1), PAGE_SIZE));
        _exit(7);
    }
    g_assert_cmpint(wait_for(pid), ==, 7);
}

/* Told apart from a lack of contiguous memory. */
static void test_address_space(void)
{
    struct rlimit little = { 64 * MIB, 64 * MIB };
    pid_t pid = fork();

    if (!pid) {
        struct run_page *ours;

        setrlimit(RLIMIT_DATA, &little);
        largest = 4096 * MIB;
        ours = start_program((struct run_page) { .size = 512 * MIB,
            .at_least = 512 * MIB, .share = 100, .if_possible = true });
        _exit(ours->program[0].error == ENOMEM &&
              ours->program[0].may_not_map ? 7 : 1);
    }
    g_assert_cmpint(wait_for(pid), ==, 7);
    /* More than there is of memory is no matter of limits. */
    largest = 0;
    g_assert_false(start_program((struct run_page) { .size = 4096 * 1024 * MIB,
        .at_least = 4096 * 1024 * MIB, .if_possible = true
        })->program[0].may_not_map);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/maps/go-to-the-region-zeroed", test_map_in_region);
    g_test_add_func("/maps/of-other-kinds-do-not", test_other_maps);
    g_test_add_func("/maps/go-elsewhere-when-it-is-full", test_full_region);
    g_test_add_func("/maps/are-shared-out-by-percent", test_share);
    g_test_add_func("/unmapped-memory-stays-while-the-kernel-refers-to-it",
                    test_unmapped_memory_stays_as_it_is);
    g_test_add_func("/held-memory-comes-back", test_held_memory_comes_back);
    g_test_add_func("/busy-memory-is-replaced", test_busy_memory_is_replaced);
    g_test_add_func("/device-out-of-reach", test_device_is_out_of_reach);
    g_test_add_func("/unmapped-memory-comes-back-zero",
                    test_unmapped_memory_comes_back_zero);
    g_test_add_func("/advice", test_advice);
    g_test_add_func("/remap/in-the-region", test_remap);
    g_test_add_func("/remap/out-of-the-region", test_remap_out_of_region);
    g_test_add_func("/remap/to-an-address", test_remap_to_an_address);
    g_test_add_func("/remap/by-wrong-arguments-fails",
                    test_remap_by_wrong_arguments);
    g_test_add_func("/fixed/anonymous-is-zeroed", test_map_over_itself);
    g_test_add_func("/fixed/file-is-there", test_file_over_region);
    g_test_add_func("/protection-holds", test_protection);
    g_test_add_func("/protection-by-key", test_protection_by_key);
    g_test_add_func("/protection-behind-our-back",
                    test_protection_behind_our_back);
    g_test_add_func("/protection-behind-our-back-is-undone",
                    test_what_was_changed_behind_our_back);
    g_test_add_func("/locked-memory-is-the-kernels", test_locks);
    g_test_add_func("/addresses-within-a-page", test_addresses_within_a_page);
    g_test_add_func("/holes-are-not-mapped", test_holes);
    g_test_add_func("/holes-are-to-be-had-by-address", test_addresses_of_holes);
    g_test_add_func("/unknown-advice-is-an-error", test_unknown_advice);
    g_test_add_func("/across-the-ends-of-the-region", test_across_the_ends);
    g_test_add_func("/start/with-less-if-asked-to", test_smaller_region);
    g_test_add_func("/start/without-only-if-asked-to", test_no_region);
    g_test_add_func("/start/leaves-no-trace-in-the-environment",
                    test_environment);
    g_test_add_func("/start/for-the-first-program-only",
                    test_only_the_first_program);
    g_test_add_func("/start/takes-no-file-of-the-program",
                    test_file_of_the_program);
    g_test_add_func("/start/writes-to-no-file-of-others", test_page_of_another);
    g_test_add_func("/fork/child-has-a-copy-and-does-not-count", test_fork);
    g_test_add_func("/fork/while-the-region-is-given-up",
                    test_fork_while_given_up);
    g_test_add_func("/fork/child-inherits-no-file", test_files_of_a_child);
    g_test_add_func("/lock/goes-on-when-its-owner-was-killed",
                    test_death_with_the_lock);
    g_test_add_func("/fork/of-which-the-c-library-does-not-know",
                    test_raw_fork);
    g_test_add_func("/signals/handlers-may-map", test_signal_handlers);
    g_test_add_func("/signals/are-blocked-no-longer", test_signal_mask);
    g_test_add_func("/syscall", test_syscall);
    g_test_add_func("/userfaultfd", test_userfaultfd);
    g_test_add_func("/userfaultfd/untouched-memory-is-missing",
                    test_untouched_memory_is_missing);
    g_test_add_func("/userfaultfd/busy-memory-is-not-missing",
                    test_busy_memory_is_not_missing);
    g_test_add_func("/userfaultfd/of-another-process",
                    test_userfaultfd_of_another_process);
    g_test_add_func("/seccomp", test_seccomp);
    g_test_add_func("/seccomp/no-calls-of-our-own", test_calls_after_seccomp);
    g_test_add_func("/limits/by-the-number-of-a-thread", test_limit_by_thread);
    g_test_add_func("/deep-binding", test_deep_binding);
    g_test_add_func("/executable-personality", test_executable_personality);
    g_test_add_func("/start/lack-of-address-space", test_address_space);
    g_test_add_func("/threads-get-memory-of-their-own", test_threads);
    g_test_add_func("/random-requests-equal-the-model", test_equal_model);
    return g_test_run();
}
