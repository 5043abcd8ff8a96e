/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /dev/dseg-guest does what linux/include/dseg-guest.h says
 */
#include "region.h"

#include <grp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/uio.h>

#define SIZE (4 * MIB)
#define NOBODY 65534

static void check_create(int fd, struct dseg_guest_create create, int error)
{
    CHECK(request(fd, DSEG_GUEST_CREATE, &create) == error);
}

static void zeroed(void)
{
    int fd = open_device();
    uint64_t *memory = make_region(fd, SIZE, 0);
    struct dseg_guest_info info = region_info(fd);

    CHECK(info.address == (uintptr_t)memory && info.size == SIZE);
    CHECK(info.active == 1 && info.phys && info.phys % PAGE == 0);
    for (size_t i = 0; i < SIZE / 8; i++) {
        CHECK(memory[i] == 0);
    }
    fill(memory, SIZE, 1);
    CHECK(wrong_words(memory, SIZE, 1) == 0);
}

/* What one process has written, the next one's region does not show. */
static void zeroed_after_use(void)
{
    for (int round = 0; round < 3; round++) {
        pid_t child = fork();

        if (!child) {
            uint64_t *memory = make_region(open_device(), SIZE, 0);

            for (size_t i = 0; i < SIZE / 8; i++) {
                CHECK(memory[i] == 0);
                memory[i] = ~0ull;
            }
            _exit(0);
        }
        CHECK(exit_code(child) == 0);
    }
}

static void hint(void)
{
    int fd = open_device();
    uint64_t address = 0x200000000000;

    CHECK(make_region(fd, SIZE, address) == (void *)address);
}

/* VmPin of this process. */
static long pinned_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    CHECK(file);
    while (fgets(line, sizeof(line), file)) {
        sscanf(line, "VmPin: %ld", &kib);
    }
    fclose(file);
    return kib;
}

static void bad_arguments(void)
{
    int fd = open_device();

    check_create(fd, (struct dseg_guest_create) { .size = 0 }, EINVAL);
    check_create(fd, (struct dseg_guest_create) { .size = PAGE + 1 }, EINVAL);
    check_create(fd, (struct dseg_guest_create) {
        .size = PAGE, .address = 1 }, EINVAL);
    check_create(fd, (struct dseg_guest_create) {
        .size = PAGE, .reserved = { 1, 0 } }, EINVAL);
    check_create(fd, (struct dseg_guest_create) {
        .size = PAGE, .reserved = { 0, 1 } }, EINVAL);
    CHECK(request(fd, DSEG_GUEST_CREATE, NULL) == EFAULT);
    CHECK(request(fd, _IO('D', 0x7f), NULL) == ENOTTY);
    make_region(fd, PAGE, 0);
    CHECK(request(fd, DSEG_GUEST_INFO, NULL) == EFAULT);
    CHECK(request(fd, DSEG_GUEST_WALKS, NULL) == EFAULT);
}

static bool is_mapped(uint64_t address)
{
    unsigned char in_core;

    return mincore((void *)address, PAGE, &in_core) == 0;
}

/* Who can't be told where it is has no region, and all is as it was. */
static void unwritable_argument_makes_nothing(void)
{
    static const struct dseg_guest_create constant = {
        .size = SIZE, .address = 0x200000000000
    };
    struct dseg_guest_create *last = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct dseg_guest_info info;
    int fd = open_device();

    CHECK(last != MAP_FAILED);
    *last = constant;
    CHECK(mprotect(last, PAGE, PROT_READ) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(request(fd, DSEG_GUEST_CREATE, last) == EFAULT);
        CHECK(request(fd, DSEG_GUEST_INFO, &info) == ENOENT);
        CHECK(!is_mapped(constant.address) && pinned_kib() == 0);
    }
    make_region(fd, SIZE, 0);
}

static void no_region(void)
{
    struct dseg_guest_info info;
    struct dseg_guest_walks walks;
    struct dseg_guest_clear clear = { .size = PAGE };
    int fd = open_device();

    CHECK(request(fd, DSEG_GUEST_INFO, &info) == ENOENT);
    CHECK(request(fd, DSEG_GUEST_WALKS, &walks) == ENOENT);
    CHECK(request(fd, DSEG_GUEST_DROP, NULL) == ENOENT);
    CHECK(request(fd, DSEG_GUEST_CLEAR, &clear) == ENOENT);
}

/* Through any file that has made none. */
static void own_region(void)
{
    int fd = open_device();
    void *memory = make_region(open_device(), SIZE, 0);
    pid_t child;

    CHECK(region_info(fd).address == (uintptr_t)memory && is_active(fd));
    region_walks(fd);
    child = fork();
    if (!child) {
        struct dseg_guest_info info;

        CHECK(request(fd, DSEG_GUEST_INFO, &info) == ENOENT);
        _exit(0);
    }
    CHECK(exit_code(child) == 0);
    CHECK(request(fd, DSEG_GUEST_DROP, NULL) == 0);
    CHECK(!is_active(fd));
}

static void check_clear(int fd, uint64_t address, uint64_t size, int error)
{
    struct dseg_guest_clear clear = { .address = address, .size = size };

    CHECK(request(fd, DSEG_GUEST_CLEAR, &clear) == error);
}

static void clear_arguments(void)
{
    int fd = open_device();
    uint64_t start = (uintptr_t)make_region(fd, SIZE, 0);
    struct dseg_guest_clear clear;
    pid_t child;

    check_clear(fd, start, SIZE, 0);
    check_clear(fd, start + SIZE, 0, 0);
    check_clear(fd, start + 1, PAGE, EINVAL);
    check_clear(fd, start, PAGE + 1, EINVAL);
    check_clear(fd, start - PAGE, PAGE, EINVAL);
    check_clear(fd, start, SIZE + PAGE, EINVAL);
    check_clear(fd, start + PAGE, SIZE, EINVAL);
    check_clear(fd, start + SIZE, PAGE, EINVAL);
    check_clear(fd, start, -PAGE, EINVAL);
    clear = (struct dseg_guest_clear) { .address = start, .flags = 2 };
    CHECK(request(fd, DSEG_GUEST_CLEAR, &clear) == EINVAL);
    clear = (struct dseg_guest_clear) { .address = start, .reserved = 1 };
    CHECK(request(fd, DSEG_GUEST_CLEAR, &clear) == EINVAL);
    CHECK(request(fd, DSEG_GUEST_CLEAR, NULL) == EFAULT);
    child = fork();
    if (!child) {       /* neither its parent's, nor any of its own */
        check_clear(fd, start, PAGE, ENOENT);
        check_clear(open_device(), start, PAGE, ENOENT);
        _exit(0);
    }
    CHECK(exit_code(child) == 0);
    CHECK(is_active(fd));
    CHECK(request(fd, DSEG_GUEST_DROP, NULL) == 0);
    check_clear(fd, start, PAGE, ENOENT);
}

/* Pages on their way to a list of the kernel's have one more reference. An
   munmap() completes that for those of its CPU. */
static void complete_lists(void)
{
    void *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(memory != MAP_FAILED && munmap(memory, PAGE) == 0);
}

/* What is in a pipe stays as it is, and so does what follows. */
static void clear_what_nobody_refers_to(void)
{
    int fd = open_device(), pipes[2];
    unsigned char *memory, in_pipe[3 * PAGE];
    struct dseg_guest_clear clear = { .size = SIZE };
    struct iovec piece = { .iov_len = sizeof(in_pipe) };

    run_on(0);
    memory = make_region(fd, SIZE, 0);
    complete_lists();
    clear.address = (uintptr_t)memory;
    piece.iov_base = memory + 600 * PAGE;
    memset(memory, 0x5a, SIZE);
    CHECK(pipe(pipes) == 0);
    CHECK(vmsplice(pipes[1], &piece, 1, 0) == sizeof(in_pipe));
    clear.flags = DSEG_GUEST_CLEAR_LOOK;
    CHECK(request(fd, DSEG_GUEST_CLEAR, &clear) == 0);
    CHECK(clear.done == 600 * PAGE && clear.busy == sizeof(in_pipe));
    CHECK(memory[0] == 0x5a);
    clear.flags = 0;
    CHECK(request(fd, DSEG_GUEST_CLEAR, &clear) == 0);
    CHECK(clear.done == 600 * PAGE && clear.busy == sizeof(in_pipe));
    for (size_t i = 0; i < SIZE; i++) {
        CHECK(memory[i] == (i < 600 * PAGE ? 0 : 0x5a));
    }
    CHECK(read(pipes[0], in_pipe, sizeof(in_pipe)) == sizeof(in_pipe));
    for (size_t i = 0; i < sizeof(in_pipe); i++) {
        CHECK(in_pipe[i] == 0x5a);
    }
    complete_lists();
    CHECK(request(fd, DSEG_GUEST_CLEAR, &clear) == 0);
    CHECK(clear.done == SIZE && clear.busy == 0);
    for (size_t i = 0; i < SIZE; i++) {
        CHECK(memory[i] == 0);
    }
    CHECK(is_active(fd));
}

static void busy(void)
{
    int fd = open_device();
    pid_t child;

    make_region(fd, PAGE, 0);
    check_create(fd, (struct dseg_guest_create) { .size = PAGE }, EBUSY);
    check_create(open_device(), (struct dseg_guest_create) { .size = PAGE },
                 EBUSY);
    child = fork();
    if (!child) {
        check_create(fd, (struct dseg_guest_create) { .size = PAGE }, EBUSY);
        make_region(open_device(), PAGE, 0);
        _exit(0);
    }
    CHECK(exit_code(child) == 0);
    CHECK(is_active(fd));
}

static void drop(void)
{
    int fd = open_device();
    uint64_t *memory = make_region(fd, SIZE, 0);

    fill(memory, SIZE, 2);
    CHECK(request(fd, DSEG_GUEST_DROP, NULL) == 0);
    CHECK(!is_active(fd));
    CHECK(wrong_words(memory, SIZE, 2) == 0);
    CHECK(request(fd, DSEG_GUEST_DROP, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        uint64_t *next = make_region(fd, SIZE, 0);

        CHECK(next != memory && is_active(fd));
        CHECK(request(fd, DSEG_GUEST_DROP, NULL) == 0);
        CHECK(munmap(next, SIZE) == 0);
    }
    CHECK(wrong_words(memory, SIZE, 2) == 0);
}

/* The region stays when the file has gone. */
static void closed_file(void)
{
    int fd = open_device();
    uint64_t *memory = make_region(fd, SIZE, 0);

    close(fd);
    fill(memory, SIZE, 3);
    CHECK(wrong_words(memory, SIZE, 3) == 0);
    check_create(open_device(), (struct dseg_guest_create) { .size = PAGE },
                 EBUSY);
}

static void too_large(void)
{
    int fd = open_device();
    struct rlimit limit = { .rlim_cur = 64 * MIB, .rlim_max = 64 * MIB };

    check_create(fd, (struct dseg_guest_create) { .size = 1ul << 46 }, ENOMEM);
    check_create(fd, (struct dseg_guest_create) { .size = -PAGE }, ENOMEM);
    /* All of memory, and a little less than that. */
    for (int part = 10; part > 8; part--) {
        size_t size = sysconf(_SC_PHYS_PAGES) / 10 * part * PAGE;

        check_create(fd, (struct dseg_guest_create) { .size = size }, ENOMEM);
    }
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    check_create(fd, (struct dseg_guest_create) { .size = 65 * MIB }, ENOMEM);
    make_region(fd, SIZE, 0);
}

static void become_nobody(void)
{
    struct rlimit limit = { .rlim_cur = 8 * MIB, .rlim_max = 8 * MIB };

    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 &&
          setuid(NOBODY) == 0);
}

/* What it has locked counts, too. */
static void locked_memory_counts(void)
{
    static char locked[8 * MIB];

    become_nobody();
    CHECK(mlock(locked, 4 * MIB) == 0);
    check_create(open_device(), (struct dseg_guest_create) {
        .size = 4 * MIB + PAGE }, EPERM);
    CHECK(pinned_kib() == 0);
    CHECK(munlock(locked, sizeof(locked)) == 0);
    make_region(open_device(), 8 * MIB, 0);
}

/* So does what is locked as it is mapped: the same error, in whatever way. */
static void locked_future_counts(void)
{
    become_nobody();
    CHECK(mlockall(MCL_FUTURE) == 0);
    check_create(open_device(), (struct dseg_guest_create) {
        .size = 16 * MIB }, EPERM);
    CHECK(pinned_kib() == 0);
}

/* As much as it may lock; again, when that has been given back; no address. */
static void unprivileged(void)
{
    int fd;

    become_nobody();
    fd = open_device();
    check_create(fd, (struct dseg_guest_create) { .size = 8 * MIB + PAGE },
                 EPERM);
    for (int i = 0; i < 10; i++) {
        uint64_t *memory = make_region(fd, 8 * MIB, 0);

        CHECK(region_info(fd).phys == 0);
        CHECK(pinned_kib() == 8 * 1024);
        CHECK(i % 2 || request(fd, DSEG_GUEST_DROP, NULL) == 0);
        CHECK(munmap(memory, 8 * MIB) == 0);
    }
}

static bool same(struct dseg_guest_walks a, struct dseg_guest_walks b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

/* A parent asks about the region of its child; how: what ends that. */
static void ask_about_child(void (*end)(void))
{
    struct dseg_guest_walks before, after;
    int fd = open_device(), ready[2], go_on[2];
    pid_t child;
    char byte;

    CHECK(pipe2(ready, O_CLOEXEC) == 0 && pipe2(go_on, O_CLOEXEC) == 0);
    child = fork();
    if (!child) {
        fill(make_region(fd, SIZE, 0), SIZE, 4);
        CHECK(write(ready[1], "", 1) == 1);
        CHECK(read(go_on[0], &byte, 1) == 1);
        end();
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    CHECK(is_active(fd));
    before = region_walks(fd);
    CHECK(before.checks >= SIZE / PAGE);
    CHECK(write(go_on[1], "", 1) == 1);
    exit_code(child);
    CHECK(!is_active(fd));
    after = region_walks(fd);
    CHECK(after.checks >= before.checks);
    usleep(50000);
    CHECK(same(region_walks(fd), after));
    make_region(fd, PAGE, 0);
    CHECK(is_active(fd) && !same(region_walks(fd), after));
}

static void end_by_exit(void)
{
    _exit(0);
}

static void end_by_signal(void)
{
    raise(SIGKILL);
}

static void end_by_exec(void)
{
    execl("/bin/busybox", "busybox", "true", NULL);
}

static void ask_after_exit(void)
{
    ask_about_child(end_by_exit);
}

static void ask_after_signal(void)
{
    ask_about_child(end_by_signal);
}

static void ask_after_exec(void)
{
    ask_about_child(end_by_exec);
}

static uint64_t direct_walks(int fd)
{
    struct dseg_guest_walks walks = region_walks(fd);

    return walks.walks[DSEG_REGIME_NATIVE_DIRECT] +
           walks.walks[DSEG_REGIME_GUEST_DIRECT] +
           walks.walks[DSEG_REGIME_DUAL_DIRECT];
}

struct reader {
    pthread_t thread;
    int cpu;
    volatile uint64_t *memory;
};

static void *read_all_pages(void *opaque)
{
    struct reader *reader = opaque;

    run_on(reader->cpu);
    for (size_t i = 0; i < SIZE / 8; i += PAGE / 8) {
        CHECK(reader->memory[i] == 0);
    }
    return NULL;
}

/* Each CPU that has not seen the region walks once for each page, at least. */
static void all_threads_on_all_cpus(void)
{
    int fd = open_device();
    struct reader reader = { .memory = make_region(fd, SIZE, 0) };

    for (reader.cpu = 0; reader.cpu < sysconf(_SC_NPROCESSORS_ONLN);
         reader.cpu++) {
        uint64_t before = direct_walks(fd);

        CHECK(pthread_create(&reader.thread, NULL, read_all_pages, &reader)
              == 0);
        CHECK(pthread_join(reader.thread, NULL) == 0);
        CHECK(direct_walks(fd) - before >= SIZE / PAGE);
    }
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
    (void)signal;
    signals++;
}

/* A signal that is not the end of the process does not interrupt a request. */
static void signals_interrupt_nothing(void)
{
    const struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { 0 };
    const struct sigaction action = { .sa_handler = count_signal };

    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    for (int round = 0; round < 10; round++) {
        pid_t child = fork();

        if (!child) {
            CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
            make_region(open_device(), SIZE, 0);
            CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
            CHECK(signals > 0);
            _exit(0);
        }
        CHECK(exit_code(child) == 0);
    }
}

struct asker {
    pthread_t thread;
    volatile bool ends;
    unsigned half_made;     /* answers about what had no address yet */
};

static void *ask_all_the_time(void *opaque)
{
    struct asker *asker = opaque;
    int fd = open_device();

    while (!asker->ends) {
        struct dseg_guest_info info;

        if (ioctl(fd, DSEG_GUEST_INFO, &info) == 0) {
            asker->half_made += !info.address || info.size != SIZE;
        } else {
            CHECK(errno == ENOENT);
        }
    }
    close(fd);
    return NULL;
}

/* Nobody finds a region before it is there as a whole. */
static void asked_while_made(void)
{
    struct asker asker = { .ends = false };
    int fd = open_device();

    CHECK(pthread_create(&asker.thread, NULL, ask_all_the_time, &asker) == 0);
    for (int i = 0; i < 50; i++) {
        uint64_t *memory = make_region(fd, SIZE, 0);

        CHECK(request(fd, DSEG_GUEST_DROP, NULL) == 0);
        CHECK(munmap(memory, SIZE) == 0);
    }
    asker.ends = true;
    CHECK(pthread_join(asker.thread, NULL) == 0);
    CHECK(asker.half_made == 0);
}

/*
 * In a memory cgroup of 16 MiB, with swap: ordinary memory is swapped out, the
 * region is not.
 */
static void swapping(void)
{
    int fd = open_device();
    volatile uint64_t *region = make_region(fd, 4 * MIB, 0);
    volatile uint64_t *ordinary = mmap(NULL, 20 * MIB, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(ordinary != MAP_FAILED);
    fill(region, 4 * MIB, 6);
    fill(ordinary, 20 * MIB, 7);
    CHECK(wrong_words(region, 4 * MIB, 6) == 0);
    CHECK(wrong_words(ordinary, 20 * MIB, 7) == 0);
    CHECK(is_active(fd));
    CHECK(request(fd, DSEG_GUEST_DROP, NULL) == 0);
    fill(ordinary, 20 * MIB, 8);            /* now the region may go */
    CHECK(wrong_words(region, 4 * MIB, 6) == 0);
    CHECK(wrong_words(ordinary, 20 * MIB, 8) == 0);
}

/*
 * In a memory cgroup of 32 MiB: what does not fit is an error, is given back,
 * and nobody is killed.
 */
static void cgroup(void)
{
    int fd = open_device();

    for (int i = 0; i < 3; i++) {
        check_create(fd, (struct dseg_guest_create) { .size = 64 * MIB },
                     ENOMEM);
    }
    fill(make_region(fd, 16 * MIB, 0), 16 * MIB, 5);
    CHECK(is_active(fd));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        { "zeroed", zeroed },
        { "zeroed-after-use", zeroed_after_use },
        { "hint", hint },
        { "bad-arguments", bad_arguments },
        { "unwritable-argument", unwritable_argument_makes_nothing },
        { "no-region", no_region },
        { "own-region", own_region },
        { "clear-arguments", clear_arguments },
        { "clear-what-nobody-refers-to", clear_what_nobody_refers_to },
        { "busy", busy },
        { "drop", drop },
        { "closed-file", closed_file },
        { "too-large", too_large },
        { "unprivileged", unprivileged },
        { "locked-memory-counts", locked_memory_counts },
        { "locked-future-counts", locked_future_counts },
        { "ask-after-exit", ask_after_exit },
        { "ask-after-signal", ask_after_signal },
        { "ask-after-exec", ask_after_exec },
        { "all-threads-on-all-cpus", all_threads_on_all_cpus },
        { "signals-interrupt-nothing", signals_interrupt_nothing },
        { "asked-while-made", asked_while_made },
        { "cgroup", cgroup },
        { "swapping", swapping },
    };

    return run_case(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
