/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program sees that does what dseg-run's library has to be careful with:
 * by itself and under dseg-run it is the same
 */
#include "region.h"

#include <dlfcn.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

#define PIECE (16 * PAGE)       /* as much as a pipe holds */
#define RW (PROT_READ | PROT_WRITE)

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(memory != MAP_FAILED);
    return memory;
}

static void *map_filled(size_t size, uint64_t seed)
{
    void *memory = map(size);

    fill(memory, size, seed);
    return memory;
}

static bool is_zero(const uint64_t *memory, size_t size)
{
    for (size_t i = 0; i < size / 8; i++) {
        if (memory[i]) {
            return false;
        }
    }
    return true;
}

/* Whether this program has a region whose segment is there. */
static bool has_segment(void)
{
    struct dseg_guest_info info;
    int fd = open(DSEG_GUEST_DEVICE, O_RDWR | O_CLOEXEC);
    bool has = fd >= 0 && request(fd, DSEG_GUEST_INFO, &info) == 0 &&
               info.active;

    close(fd);
    return has;
}

static bool keeps_segment;      /* it has one, and is to have it at the end */

/* By ways of which no library knows. */
static long raw(long number, long a, long b, long c)
{
    long result;

    __asm__ volatile("syscall" : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

/* --- What the kernel refers to --- */

static int splice_into_pipe(void *memory, size_t size)
{
    struct iovec piece = { memory, size };
    int pipes[2];

    CHECK(pipe(pipes) == 0);
    CHECK(vmsplice(pipes[1], &piece, 1, 0) == (ssize_t)size);
    CHECK(close(pipes[1]) == 0);
    return pipes[0];
}

static void check_pipe(int fd, size_t size, uint64_t seed)
{
    uint64_t *found = malloc(size);
    size_t have = 0;

    while (have < size) {
        ssize_t part = read(fd, (char *)found + have, size - have);

        CHECK(part > 0);
        have += part;
    }
    CHECK(wrong_words(found, size, seed) == 0);
    free(found);
    close(fd);
}

/* As a program goes on: its memory is taken again, and written to. */
static void use_much_memory(void)
{
    void *pieces[64];

    for (int i = 0; i < 64; i++) {
        pieces[i] = map(PIECE);
        CHECK(is_zero(pieces[i], PIECE));
        memset(pieces[i], 0xff, PIECE);
    }
    for (int i = 0; i < 64; i++) {
        CHECK(munmap(pieces[i], PIECE) == 0);
    }
}

static void pipe_after_munmap(void)
{
    void *memory = map_filled(PIECE, 1);
    int fd = splice_into_pipe(memory, PIECE);

    CHECK(munmap(memory, PIECE) == 0);
    use_much_memory();
    check_pipe(fd, PIECE, 1);
    use_much_memory();
}

static void pipe_after_dontneed(void)
{
    void *memory = map_filled(PIECE, 2);
    int fd = splice_into_pipe(memory, PIECE);

    CHECK(madvise(memory, PIECE, MADV_DONTNEED) == 0);
    CHECK(is_zero(memory, PIECE));
    check_pipe(fd, PIECE, 2);
}

static void pipe_after_fixed_map(void)
{
    void *memory = map_filled(PIECE, 3);
    int fd = splice_into_pipe(memory, PIECE);

    CHECK(mmap(memory, PIECE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
               0) == memory);
    CHECK(is_zero(memory, PIECE));
    check_pipe(fd, PIECE, 3);
}

/* The pages move: what is written to them then is in the pipe. */
static void pipe_after_mremap(void)
{
    void *memory = map_filled(PIECE, 4), *wall = map(PAGE), *new;
    int fd = splice_into_pipe(memory, PIECE);

    new = mremap(memory, PIECE, 64 * PIECE, MREMAP_MAYMOVE);
    CHECK(new != MAP_FAILED);
    fill(new, PIECE, 5);
    check_pipe(fd, PIECE, 5);
    munmap(wall, PAGE);
}

/* A disk that is slow: memory is written to it when it has been unmapped. */
static void direct_write_after_munmap(void)
{
    const size_t size = MIB;
    void *memory = map_filled(size, 6), *found;
    int fd = open("/dev/disk-for-tests", O_RDWR | O_DIRECT);
    aio_context_t context = 0;
    struct io_event event;
    struct iocb block = {
        .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd,
        .aio_buf = (uintptr_t)memory, .aio_nbytes = size,
    }, *blocks = &block;

    CHECK(fd >= 0);
    CHECK(syscall(SYS_io_setup, 1, &context) == 0);
    CHECK(syscall(SYS_io_submit, context, 1, &blocks) == 1);
    CHECK(munmap(memory, size) == 0);
    use_much_memory();
    CHECK(syscall(SYS_io_getevents, context, 1, 1, &event, NULL) == 1);
    CHECK(event.res == (int64_t)size);
    found = map(size);
    CHECK(pread(fd, found, size, 0) == (ssize_t)size);
    CHECK(wrong_words(found, size, 6) == 0);
    close(fd);
}

/* ... and read from it into memory that has been moved. */
static void direct_read_while_moved(void)
{
    const size_t size = MIB;
    void *memory = map_filled(size, 7), *wall = map(PAGE);
    int fd = open("/dev/disk-for-tests", O_RDWR | O_DIRECT);
    aio_context_t context = 0;
    struct io_event event;
    struct iocb block = {
        .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = fd, .aio_nbytes = size,
    }, *blocks = &block;

    CHECK(fd >= 0);
    CHECK(pwrite(fd, memory, size, 0) == (ssize_t)size);
    memset(memory, 0, size);
    block.aio_buf = (uintptr_t)memory;
    CHECK(syscall(SYS_io_setup, 1, &context) == 0);
    CHECK(syscall(SYS_io_submit, context, 1, &blocks) == 1);
    memory = mremap(memory, size, 2 * size, MREMAP_MAYMOVE);
    CHECK(memory != MAP_FAILED);
    CHECK(syscall(SYS_io_getevents, context, 1, 1, &event, NULL) == 1);
    CHECK(event.res == (int64_t)size);
    CHECK(wrong_words(memory, size, 7) == 0);
    munmap(wall, PAGE);
    close(fd);
}

/* --- Signals and processes --- */

static volatile unsigned handled;

static void handle(int number)
{
    char *memory = map(2 * PAGE);

    (void)number;
    memory[PAGE] = 1;
    CHECK(munmap(memory, 2 * PAGE) == 0);
    handled++;
}

static void signal_handlers_map(void)
{
    const struct sigaction action = { .sa_handler = handle };
    const struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { 0 };

    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    while (handled < 50) {
        CHECK(munmap(map_filled(PAGE, 8), PAGE) == 0);
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

static volatile bool has_to_end;

static void *map_until_the_end(void *nothing)
{
    while (!has_to_end) {
        CHECK(munmap(map(PAGE), PAGE) == 0);
    }
    return nothing;
}

static void children_by_raw_fork(void)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, map_until_the_end, NULL) == 0);
    for (int i = 0; i < 6; i++) {
        pid_t child = i % 2 ? _Fork() : (pid_t)syscall(SYS_fork);

        if (!child) {
            alarm(10);
            CHECK(munmap(map_filled(PAGE, 9), PAGE) == 0);
            _exit(0);
        }
        CHECK(exit_code(child) == 0);
    }
    has_to_end = true;
    CHECK(pthread_join(thread, NULL) == 0);
}

static int map_for_ever(void *nothing)
{
    while (munmap(map_filled(PAGE, 9), PAGE) == 0) {
        ;
    }
    return nothing != NULL;
}

/* Which share all memory, and are killed whatever they are at. */
static void children_with_our_memory(void)
{
    static char stack[65536] __attribute__((aligned(16)));

    for (int i = 0; i < 20; i++) {
        pid_t child = clone(map_for_ever, stack + sizeof(stack),
                            CLONE_VM | SIGCHLD, NULL);

        CHECK(child > 0);
        usleep(3000 + 777 * i);
        CHECK(kill(child, SIGKILL) == 0);
        CHECK(munmap(map_filled(PAGE, 9), PAGE) == 0);
        CHECK(exit_code(child) == -1);
    }
}

static void *map_filled_until_the_end(void *nothing)
{
    while (!has_to_end) {
        CHECK(munmap(map_filled(PAGE, 8), PAGE) == 0);
    }
    return nothing;
}

static void children_have_no_more_files(void)
{
    int lowest = dup(1);
    pthread_t thread;

    close(lowest);
    CHECK(pthread_create(&thread, NULL, map_filled_until_the_end, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();

        if (!child) {
            _exit(dup(1) == lowest && dup(1) == lowest + 1 ? 0 : 1);
        }
        CHECK(exit_code(child) == 0);
    }
    has_to_end = true;
    CHECK(pthread_join(thread, NULL) == 0);
}

/* --- Protection and watching --- */

static void protection_by_key(void)
{
    char *memory = map_filled(4 * PAGE, 10);

    if (pkey_mprotect(memory, 2 * PAGE, PROT_NONE, 0)) {
        CHECK(pkey_mprotect(memory, 2 * PAGE, PROT_NONE, -1) == 0);
    }
    CHECK(faults((uint64_t *)memory, false));
    CHECK(munmap(memory, 2 * PAGE) == 0);
    CHECK(mmap(memory, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
          == memory);
    CHECK(is_zero((uint64_t *)memory, PAGE));
}

static void protection_by_raw_call(void)
{
    char *memory = map_filled(8 * PAGE, 11);

    CHECK(raw(SYS_mprotect, (long)memory, 4 * PAGE, PROT_NONE) == 0);
    CHECK(munmap(memory, 2 * PAGE) == 0);
    CHECK(madvise(memory + 2 * PAGE, PAGE, MADV_DONTNEED) == 0);
    CHECK(mremap(memory + 3 * PAGE, PAGE, 100 * PAGE, MREMAP_MAYMOVE)
          != MAP_FAILED);
    use_much_memory();
    CHECK(munmap(memory + 4 * PAGE, 4 * PAGE) == 0);
}

static void protection_is_undone(void)
{
    char *memory = map_filled(8 * PAGE, 11);

    CHECK(raw(SYS_mprotect, (long)memory, 4 * PAGE, PROT_READ) == 0);
    CHECK(faults((uint64_t *)memory, true));
    CHECK(mprotect(memory, 8 * PAGE, RW) == 0);
    CHECK(!faults((uint64_t *)memory, true));
    CHECK(wrong_words((uint64_t *)memory, 8 * PAGE, 11) == 0);
}

static void lock_from_within_a_page(void)
{
    char *memory = map_filled(2 * MIB, 12);

    CHECK(mlock(memory + 5, MIB) == 0);
    CHECK(madvise(memory, PAGE, MADV_DONTNEED) == -1 && errno == EINVAL);
    CHECK(munmap(memory + MIB, 2 * PAGE) == 0);
    CHECK(mlock(memory + 5, MIB) == -1 && errno == ENOMEM);
    CHECK(munlock(memory + 5, MIB) == -1 && errno == ENOMEM);
    CHECK(wrong_words((uint64_t *)memory, MIB, 12) == 0);
}

struct watcher {
    int fd;
    unsigned events;
};

/* Fills each page that is missing with ones. */
static void *fill_missing(void *opaque)
{
    struct watcher *watcher = opaque;
    static char ones[PAGE] __attribute__((aligned(4096)));
    struct uffd_msg event;

    memset(ones, 1, PAGE);
    while (read(watcher->fd, &event, sizeof(event)) == sizeof(event)) {
        struct uffdio_copy copy = {
            .dst = event.arg.pagefault.address & -PAGE,
            .src = (uintptr_t)ones, .len = PAGE,
        };

        watcher->events++;
        CHECK(ioctl(watcher->fd, UFFDIO_COPY, &copy) == 0);
        if (watcher->events == 7) {
            break;
        }
    }
    return NULL;
}

/* Eight pages, of which one has been written to. */
static void watch(bool opened_before)
{
    struct uffdio_api api = { .api = UFFD_API };
    struct watcher watcher = { .fd = -1 };
    struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
    volatile char *memory = opened_before ? NULL : map(8 * PAGE);
    pthread_t thread;

    watcher.fd = syscall(SYS_userfaultfd, O_CLOEXEC);
    CHECK(watcher.fd >= 0 && ioctl(watcher.fd, UFFDIO_API, &api) == 0);
    memory = memory ?: map(8 * PAGE);
    memory[3 * PAGE] = 2;
    range.range.start = (uintptr_t)memory;
    range.range.len = 8 * PAGE;
    CHECK(ioctl(watcher.fd, UFFDIO_REGISTER, &range) == 0);
    CHECK(pthread_create(&thread, NULL, fill_missing, &watcher) == 0);
    for (int i = 0; i < 8; i++) {
        CHECK(memory[i * PAGE] == (i == 3 ? 2 : 1));
        CHECK(memory[i * PAGE + 1] == (i == 3 ? 0 : 1));
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(watcher.events == 7);
}

static void userfaultfd_then_map(void)
{
    watch(true);
}

static void map_then_userfaultfd(void)
{
    watch(false);
}

/* The watcher is another process, to which the memory does not belong. */
static void userfaultfd_for_another_process(void)
{
    struct uffdio_api api = { .api = UFFD_API };
    struct watcher watcher = { .fd = -1 };
    struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
    volatile char *memory = map(8 * PAGE);
    char ready[2];
    pid_t child;
    int pipes[2];

    memory[3 * PAGE] = 2;
    watcher.fd = syscall(SYS_userfaultfd, O_CLOEXEC);
    CHECK(watcher.fd >= 0 && pipe(pipes) == 0);
    child = fork();
    if (!child) {
        alarm(30);
        range.range.start = (uintptr_t)memory;
        range.range.len = 8 * PAGE;
        CHECK(ioctl(watcher.fd, UFFDIO_API, &api) == 0);
        CHECK(ioctl(watcher.fd, UFFDIO_REGISTER, &range) == 0);
        CHECK(write(pipes[1], "r", 1) == 1);
        fill_missing(&watcher);
        _exit(watcher.events == 7 ? 0 : 1);
    }
    CHECK(read(pipes[0], ready, 1) == 1);
    for (int i = 0; i < 8; i++) {
        CHECK(memory[i * PAGE] == (i == 3 ? 2 : 1));
    }
    CHECK(exit_code(child) == 0);
}

/* One read from a file into memory that the kernel has been told of before. */
static void read_fixed(int ring, const struct io_uring_params *p, int fd,
                       void *memory, size_t size)
{
    char *sq = mmap(NULL, MIB, RW, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char *cq = mmap(NULL, MIB, RW, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *entry = mmap(NULL, PAGE, RW, MAP_SHARED, ring,
                                      IORING_OFF_SQES);
    struct io_uring_cqe *done = (void *)(cq + p->cq_off.cqes);

    CHECK(sq != MAP_FAILED && cq != MAP_FAILED && entry != MAP_FAILED);
    *entry = (struct io_uring_sqe) {
        .opcode = IORING_OP_READ_FIXED, .fd = fd, .addr = (uintptr_t)memory,
        .len = size,
    };
    *(unsigned *)(sq + p->sq_off.array) = 0;
    __atomic_store_n((unsigned *)(sq + p->sq_off.tail), 1, __ATOMIC_RELEASE);
    CHECK(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL,
                  0) == 1);
    CHECK(done->res == (int)size);
}

/* Memory of a ring's, which is zero, is watched for pages that are missing. */
static void userfaultfd_over_buffers(void)
{
    const size_t size = 4 * PAGE;
    struct io_uring_params p = { 0 };
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
    void *source = map_filled(size, 13), *memory = map(size);
    struct iovec buffer = { memory, size };
    int ring = syscall(SYS_io_uring_setup, 1, &p);
    int watcher, file = memfd_create("source", 0);

    CHECK(ring >= 0 && write(file, source, size) == (ssize_t)size);
    CHECK(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer,
                  1) == 0);
    watcher = syscall(SYS_userfaultfd, O_CLOEXEC);
    CHECK(watcher >= 0 && ioctl(watcher, UFFDIO_API, &api) == 0);
    range.range.start = (uintptr_t)memory;
    range.range.len = size;
    CHECK(ioctl(watcher, UFFDIO_REGISTER, &range) == 0);
    read_fixed(ring, &p, file, memory, size);
    alarm(30);                  /* nobody would answer */
    CHECK(wrong_words(memory, size, 13) == 0);
}

/* --- Files and libraries --- */

/* What numbers they have, and that all may be closed. */
static void numbers_of_files(void)
{
    int lowest = dup(1);

    use_much_memory();
    CHECK(lowest == 3);
    CHECK(close_range(3, ~0u, 0) == 0);
    use_much_memory();
    use_much_memory();
    CHECK(dup(1) == 3 && dup(1) == 4);
}

static void library_bound_deep(void)
{
    void *library = dlopen("/tmp/run-deep", RTLD_NOW | RTLD_DEEPBIND);
    void (*free_it)(char *);

    if (!library) {
        printf("%s\n", dlerror());
    }
    CHECK(library);
    free_it = (void (*)(char *))dlsym(library, "free_it");
    CHECK(free_it);
    for (int i = 0; i < 1000; i++) {
        free_it(strdup("what libc has allocated"));
    }
}

static void allocators(void)
{
    for (size_t size = 0; size < 20000; size += 777) {
        char *memory[] = { pvalloc(size), valloc(size), memalign(64, size),
                           aligned_alloc(32, size), malloc(size) };

        for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
            CHECK(memory[i]);
            CHECK(malloc_usable_size(memory[i]) >= size);
            memset(memory[i], 1, size);
        }
        CHECK((uintptr_t)memory[0] % PAGE == 0);
        CHECK(malloc_usable_size(memory[0]) >= (size + PAGE - 1) / PAGE * PAGE);
        for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
            free(memory[i]);
        }
    }
}

/* --- What is about the process --- */

static void no_more_than_a_limit(int resource)
{
    struct rlimit limit = { PAGE, RLIM_INFINITY };
    void *memory = map_filled(PIECE, resource);

    CHECK(setrlimit(resource, &limit) == 0);
    CHECK(mmap(NULL, PIECE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
          MAP_FAILED);
    CHECK(errno == ENOMEM);
    limit.rlim_cur = RLIM_INFINITY;
    CHECK(setrlimit(resource, &limit) == 0);
    CHECK(wrong_words(memory, PIECE, resource) == 0);
    CHECK(munmap(memory, PIECE) == 0);
}

static void limit_of_memory(void)
{
    no_more_than_a_limit(RLIMIT_DATA);
    no_more_than_a_limit(RLIMIT_AS);
}

static void advice_by_process(void)
{
    char *memory = map_filled(PIECE, 1);
    struct iovec range = { memory, PIECE };
    int self = syscall(SYS_pidfd_open, getpid(), 0);

    CHECK(process_madvise(self, &range, 1, MADV_COLD, 0) == PIECE);
    CHECK(munmap(memory + PAGE, PAGE) == 0);
    CHECK(process_madvise(self, &range, 1, MADV_COLD, 0) == -1);
    CHECK(errno == ENOMEM);
    close(self);
}

/* All calls but a few end the program. */
static void filter_of_calls(void)
{
#define ALLOW(number) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), \
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_prlimit64), ALLOW(SYS_process_madvise), ALLOW(SYS_mlock),
        ALLOW(SYS_mprotect), ALLOW(SYS_munmap), ALLOW(SYS_exit_group),
        ALLOW(SYS_write),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };
    struct rlimit limit;
    void *memory = map_filled(PIECE, 14);
    struct iovec range = { memory, PIECE };

    CHECK(getrlimit(RLIMIT_DATA, &limit) == 0);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
    CHECK(prlimit(0, RLIMIT_DATA, &limit, &limit) == 0);
    CHECK(process_madvise(-1, &range, 1, MADV_COLD, 0) == -1);
    CHECK(mlock2(memory, PAGE, 0) == 0);
    CHECK(mprotect(memory, PIECE, RW) == 0);
    CHECK(wrong_words(memory, PIECE, 14) == 0);
    CHECK(munmap(memory, PIECE) == 0);
    _exit(0);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        { "pipe-after-munmap", pipe_after_munmap },
        { "direct-write-after-munmap", direct_write_after_munmap },
        { "signal-handlers-map", signal_handlers_map },
        { "children-by-raw-fork", children_by_raw_fork },
        { "children-with-our-memory", children_with_our_memory },
        { "children-have-no-more-files", children_have_no_more_files },
        { "numbers-of-files", numbers_of_files },
        { "library-bound-deep", library_bound_deep },
        { "allocators", allocators },
        { "pipe-after-dontneed", pipe_after_dontneed },
        { "pipe-after-fixed-map", pipe_after_fixed_map },
        { "pipe-after-mremap", pipe_after_mremap },
        { "direct-read-while-moved", direct_read_while_moved },
        { "protection-by-key", protection_by_key },
        { "protection-by-raw-call", protection_by_raw_call },
        { "userfaultfd-then-map", userfaultfd_then_map },
        { "map-then-userfaultfd", map_then_userfaultfd },
        { "limit-of-memory", limit_of_memory },
        { "advice-by-process", advice_by_process },
        { "protection-is-undone", protection_is_undone },
        { "lock-from-within-a-page", lock_from_within_a_page },
        { "userfaultfd-for-another-process", userfaultfd_for_another_process },
        { "userfaultfd-over-buffers", userfaultfd_over_buffers },
        { "filter-of-calls", filter_of_calls },
    };

    /* The first ones leave the segment in force. */
    for (int i = 0; i < 9 && argc > 1; i++) {
        keeps_segment |= !strcmp(argv[1], cases[i].name) && has_segment();
    }
    if (run_case(argc, argv, cases, sizeof(cases) / sizeof(cases[0]))) {
        return 2;
    }
    CHECK(has_segment() || !keeps_segment);
    return 0;
}
