/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of linux/run/preload: what a program that maps memory sees, and
 * that the page tables of its region do not change
 *
 * The library is part of this program, its functions under names of their own;
 * the device is played by anonymous memory, and what goes to the kernel is
 * watched.
 */
#define _GNU_SOURCE
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int device_ioctl(int fd, unsigned long request, void *argument);
static long watched_syscall(long number, ...);

#define ioctl device_ioctl
/* As many arguments as any has. */
#define syscall(...) watched_syscall(__VA_ARGS__, 0l, 0l, 0l, 0l)
#define mmap run_mmap
#define mmap64 run_mmap64
#define munmap run_munmap
#define madvise run_madvise
#define mprotect run_mprotect
#define mremap run_mremap
#include "../../linux/run/preload.c"
#undef ioctl
#undef syscall
#undef mmap
#undef munmap

#define REGION 64u                      /* pages */
#define MIB (UINT64_C(1) << 20)
#define FILLED 0x5a
#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define PRELOADED "ours.so:jemalloc.so"

static uint64_t largest;                /* bytes that the device can have */
static bool changed;                    /* page tables of the region */

static int device_ioctl(int fd, unsigned long request, void *argument)
{
    struct dseg_guest_create *want = argument;

    (void)fd;
    if (request != DSEG_GUEST_CREATE || want->reserved[0]) {
        errno = EINVAL;
        return -1;
    }
    if (want->size > largest) {
        errno = ENOMEM;
        return -1;
    }
    /* With nothing before it. */
    want->address = (uintptr_t)mmap(NULL, PAGE_SIZE + want->size, RW, ANONYMOUS,
                                    -1, 0) + PAGE_SIZE;
    munmap((void *)(want->address - PAGE_SIZE), PAGE_SIZE);
    return 0;
}

/* Whatever takes an address and a size, and is not answered with an error. */
static long watched_syscall(long number, ...)
{
    long argument[6], result;
    uintptr_t first;
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        argument[i] = va_arg(list, long);
    }
    va_end(list);
    result = syscall(number, argument[0], argument[1], argument[2], argument[3],
                     argument[4], argument[5]);
    changed |= result != -1 && part_inside((void *)argument[0], argument[1],
                                           &first);
    return result;
}

/* As dseg-run, and the start of a program. */
static struct run_page *start_program(struct run_page wanted)
{
    int fd = memfd_create("page", 0);
    char name[64];
    struct run_page *ours;

    g_assert_cmpint(ftruncate(fd, sizeof(*ours)), ==, 0);
    ours = mmap(NULL, sizeof(*ours), RW, MAP_SHARED, fd, 0);
    *ours = wanted;
    ours->device = dup(fd);
    strcpy(ours->preloaded, PRELOADED);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    setenv(RUN_ENVIRONMENT, name, 1);
    state = NOT_YET;
    page = NULL;
    start();
    changed = false;
    return ours;
}

static struct run_page *start_with_region(void)
{
    largest = REGION * PAGE_SIZE;
    return start_program((struct run_page) { .size = largest, .share = 100,
                                             .at_least = largest });
}

static unsigned char *map(size_t pages)
{
    unsigned char *p = run_mmap(NULL, pages * PAGE_SIZE, RW, ANONYMOUS, -1, 0);

    g_assert_true(p != MAP_FAILED);
    return p;
}

static unsigned char *map_filled(size_t pages)
{
    return memset(map(pages), FILLED, pages * PAGE_SIZE);
}

static void assert_all(const unsigned char *p, size_t pages, int value)
{
    for (size_t i = 0; i < pages * PAGE_SIZE; i++) {
        g_assert_cmphex(p[i], ==, value);
    }
}

static void unmap(void *p, size_t pages)
{
    g_assert_cmpint(run_munmap(p, pages * PAGE_SIZE), ==, 0);
}

/* --- Which maps --- */

static void test_map_in_region(void)
{
    struct run_page *ours = start_with_region();
    unsigned char *p = map(3), *q = map(2);

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
    g_assert_true(map(1) == all + PAGE_SIZE);
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
        map(1);
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
    g_assert_true(map(4) == p + 3 * PAGE_SIZE);
    assert_all(p + 3 * PAGE_SIZE, 4, 0);
    g_assert_false(changed);
}

static void test_advice(void)
{
    static const int hints[] = { MADV_NORMAL, MADV_RANDOM, MADV_WILLNEED,
        MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_COLD,
        MADV_PAGEOUT, MADV_DONTDUMP };
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
    q = map(1);
    g_assert_true(run_mremap(p, 6 * PAGE_SIZE, 7 * PAGE_SIZE, 0) == MAP_FAILED);
    g_assert_cmpint(errno, ==, ENOMEM);
    r = run_mremap(p, 6 * PAGE_SIZE, 9 * PAGE_SIZE, MREMAP_MAYMOVE);
    g_assert_true(is_inside(r, 9 * PAGE_SIZE) && r != p);
    assert_all(r, 4, FILLED);
    assert_all(r + 4 * PAGE_SIZE, 5, 0);
    g_assert_true(map(6) == p);
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

static void test_remap_to_an_address(void)
{
    unsigned char *p, *other, *to;

    start_with_region();
    p = map_filled(4);
    other = mmap(NULL, 4 * PAGE_SIZE, RW, ANONYMOUS, -1, 0);
    to = run_mremap(p, 4 * PAGE_SIZE, 4 * PAGE_SIZE,
                    MREMAP_MAYMOVE | MREMAP_FIXED, other);
    g_assert_true(to == other);
    assert_all(to, 4, FILLED);
    g_assert_cmpuint(region.in_use, ==, 0);
    p = map_filled(4);
    to = run_mremap(p, 4 * PAGE_SIZE, 4 * PAGE_SIZE,
                    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    assert_all(to, 4, FILLED);
    assert_all(p, 4, 0);
    g_assert_cmpuint(region.in_use, ==, 8);
    g_assert_false(changed);
    /* Within itself is an error, and nothing is lost. */
    g_assert_true(run_mremap(to, 4 * PAGE_SIZE, 4 * PAGE_SIZE,
                             MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE_SIZE)
                  == MAP_FAILED);
    g_assert_cmpint(errno, ==, EINVAL);
    assert_all(to, 4, FILLED);
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
    g_assert_true(changed);
    g_assert_cmpint(run_madvise(p, 4 * PAGE_SIZE, MADV_DONTNEED), ==, 0);
    assert_all(p, 4, 0);
    g_assert_cmpint(run_mprotect(p, 4 * PAGE_SIZE, RW), ==, 0);
    g_assert_true(can_write(p + PAGE_SIZE));
    /* That page has gone with it: nobody may have it again. */
    unmap(p, 4);
    g_assert_true(map(1) == p);
    g_assert_true(map(2) == p + 2 * PAGE_SIZE);
    g_assert_false(can_write(p + PAGE_SIZE));
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
    unmap(p, 3);
    g_assert_cmpuint(region.in_use, ==, 1);
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
    unmap(around, 3);
    g_assert_false(can_write(around));
    g_assert_cmpuint(region.in_use, ==, REGION - 2);
    g_assert_false(changed);
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
    setenv("LD_PRELOAD", PRELOADED ":theirs.so", 1);
    start_with_region();
    g_assert_cmpstr(getenv("LD_PRELOAD"), ==, "theirs.so");
    g_assert_null(getenv(RUN_ENVIRONMENT));
    setenv("LD_PRELOAD", PRELOADED, 1);
    start_with_region();
    g_assert_null(getenv("LD_PRELOAD"));
}

/* A second program of the same run. */
static void test_only_the_first_program(void)
{
    struct run_page *ours = start_with_region();

    ours = start_program(*ours);
    g_assert_cmpuint(ours->programs, ==, 2);
    g_assert_cmpint(ours->program[1].pid, ==, 0);
    g_assert_cmpint(state, ==, WITHOUT);
    unmap(map_filled(1), 1);
}

/* --- Processes and threads --- */

static void test_fork(void)
{
    struct run_page *ours = start_with_region();
    unsigned char *p = map_filled(4);
    uint64_t asked = ours->program[0].asked;
    int status;
    pid_t pid;

    lock = 1;           /* as if another thread were at it */
    pid = fork();
    if (!pid) {
        assert_all(p, 4, FILLED);
        unmap(p, 4);
        g_assert_true(map_filled(2) == p);
        _exit(7);
    }
    lock = 0;
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(WEXITSTATUS(status), ==, 7);
    assert_all(p, 4, FILLED);
    g_assert_cmpuint(ours->program[0].asked, ==, asked);
}

static void *map_and_check(void *value)
{
    for (unsigned i = 0; i < 2000; i++) {
        size_t pages = 1 + i % 5;
        unsigned char *p = map(pages);

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
        m->p = map(pages = MAX(pages, 1));
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/maps/go-to-the-region-zeroed", test_map_in_region);
    g_test_add_func("/maps/of-other-kinds-do-not", test_other_maps);
    g_test_add_func("/maps/go-elsewhere-when-it-is-full", test_full_region);
    g_test_add_func("/maps/are-shared-out-by-percent", test_share);
    g_test_add_func("/unmapped-memory-comes-back-zero",
                    test_unmapped_memory_comes_back_zero);
    g_test_add_func("/advice", test_advice);
    g_test_add_func("/remap/in-the-region", test_remap);
    g_test_add_func("/remap/out-of-the-region", test_remap_out_of_region);
    g_test_add_func("/remap/to-an-address", test_remap_to_an_address);
    g_test_add_func("/fixed/anonymous-is-zeroed", test_map_over_itself);
    g_test_add_func("/fixed/file-is-there", test_file_over_region);
    g_test_add_func("/protection-holds", test_protection);
    g_test_add_func("/across-the-ends-of-the-region", test_across_the_ends);
    g_test_add_func("/start/with-less-if-asked-to", test_smaller_region);
    g_test_add_func("/start/without-only-if-asked-to", test_no_region);
    g_test_add_func("/start/leaves-no-trace-in-the-environment",
                    test_environment);
    g_test_add_func("/start/for-the-first-program-only",
                    test_only_the_first_program);
    g_test_add_func("/fork/child-has-a-copy-and-does-not-count", test_fork);
    g_test_add_func("/threads-get-memory-of-their-own", test_threads);
    g_test_add_func("/random-requests-equal-the-model", test_equal_model);
    return g_test_run();
}
