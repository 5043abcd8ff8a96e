/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What changes the memory of a primary region is seen at once, on every CPU
 *
 * A thread on another CPU uses the region all the time, so that its segment is
 * in force there when it ends.
 */
#include "region.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef MADV_COLLAPSE       /* newer than some C libraries */
#define MADV_COLLAPSE 25
#endif

#define SIZE (1 * MIB)
#define ADDRESS 0x200000000000ul
#define WORDS_OF_PAGE (PAGE / 8)
#define SEED 6

/* The page that is changed, of those in the region. */
#define CHANGED 100

/* What the other thread does: read (and write) the changed page again and again. */
struct watcher {
    pthread_t thread;
    volatile uint64_t *memory;
    volatile bool running;
    volatile bool changed;          /* the main thread has changed it */
    bool faulted;                   /* after that: the access */
    uint64_t value;                 /* or what has been read */
};

static volatile uint64_t *changed_page(volatile uint64_t *memory)
{
    return memory + CHANGED * WORDS_OF_PAGE;
}

static void *watch(void *opaque)
{
    struct watcher *watcher = opaque;
    volatile uint64_t *page = changed_page(watcher->memory);

    run_on(1);
    while (!watcher->changed) {
        if (!faults(page, false)) {
            watcher->value = *page;
        }
        watcher->running = true;
    }
    watcher->faulted = faults(page, false);
    if (!watcher->faulted) {
        watcher->value = *page;
    }
    return NULL;
}

static int fd;

/* A new region, with a pattern, and with a thread that watches it. */
static void begin(struct watcher *watcher)
{
    fd = open_device();
    run_on(0);
    *watcher = (struct watcher) { .memory = make_region(fd, SIZE, ADDRESS) };
    fill(watcher->memory, SIZE, SEED);
    CHECK(pthread_create(&watcher->thread, NULL, watch, watcher) == 0);
    while (!watcher->running) {
        sched_yield();
    }
    CHECK(is_active(fd));
}

static void end(struct watcher *watcher)
{
    watcher->changed = true;
    CHECK(pthread_join(watcher->thread, NULL) == 0);
    close(fd);
}

static void *page_of(struct watcher *watcher)
{
    return (void *)changed_page(watcher->memory);
}

/* All but the changed page are as they were. */
static void check_others(struct watcher *watcher)
{
    volatile uint64_t *memory = watcher->memory;

    for (size_t i = 0; i < SIZE / 8; i++) {
        CHECK(i / WORDS_OF_PAGE == CHANGED || memory[i] == word(SEED, i));
    }
}

static uint64_t first_word(void)
{
    return word(SEED, CHANGED * WORDS_OF_PAGE);
}

static void unmapped_page_faults(void)
{
    for (int round = 0; round < 5; round++) {
        struct watcher watcher;

        begin(&watcher);
        CHECK(munmap(page_of(&watcher), PAGE) == 0);
        CHECK(faults(page_of(&watcher), false));
        CHECK(!is_active(fd));
        end(&watcher);
        CHECK(watcher.faulted);
        check_others(&watcher);
        CHECK(munmap((void *)watcher.memory, SIZE) == 0);
    }
}

static void protected_page_faults(void)
{
    struct watcher watcher;

    begin(&watcher);
    CHECK(mprotect(page_of(&watcher), PAGE, PROT_NONE) == 0);
    CHECK(faults(page_of(&watcher), false));
    CHECK(!is_active(fd));
    end(&watcher);
    CHECK(watcher.faulted);
    CHECK(mprotect(page_of(&watcher), PAGE, PROT_READ) == 0);
    CHECK(!faults(page_of(&watcher), false));
    CHECK(faults(page_of(&watcher), true));
    CHECK(wrong_words(watcher.memory, SIZE, SEED) == 0);
}

static void dropped_page_is_zero(void)
{
    struct watcher watcher;

    begin(&watcher);
    CHECK(madvise(page_of(&watcher), PAGE, MADV_DONTNEED) == 0);
    CHECK(*changed_page(watcher.memory) == 0);
    CHECK(!is_active(fd));
    end(&watcher);
    CHECK(!watcher.faulted && watcher.value == 0);
    check_others(&watcher);
}

static void moved_page_is_elsewhere(void)
{
    struct watcher watcher;
    volatile uint64_t *moved;

    begin(&watcher);
    moved = mremap(page_of(&watcher), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                   (char *)0x300000000000);
    CHECK(moved != MAP_FAILED);
    CHECK(faults(page_of(&watcher), true));
    CHECK(!is_active(fd));
    end(&watcher);
    CHECK(watcher.faulted && *moved == first_word());
    check_others(&watcher);
}

static void replaced_page_is_new(void)
{
    struct watcher watcher;

    begin(&watcher);
    CHECK(mmap(page_of(&watcher), PAGE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          page_of(&watcher));
    CHECK(*changed_page(watcher.memory) == 0);
    CHECK(!is_active(fd));
    end(&watcher);
    CHECK(!watcher.faulted && watcher.value == 0);
    check_others(&watcher);
}

/* A larger map in the place of the region, and of what is around it. */
static void region_that_is_replaced_has_gone(void)
{
    struct watcher watcher;
    char *around;

    begin(&watcher);
    around = (char *)watcher.memory - PAGE;
    CHECK(mmap(around, SIZE + 2 * PAGE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == around);
    CHECK(*changed_page(watcher.memory) == 0 && !is_active(fd));
    end(&watcher);
    CHECK(!watcher.faulted && watcher.value == 0);
}

/* These leave the memory as it is; whether the segment stays is not their matter. */
static void advice_changes_no_data(void)
{
    static const int advices[] = {
        MADV_MERGEABLE, MADV_HUGEPAGE, MADV_COLD, MADV_PAGEOUT, MADV_DONTFORK,
        MADV_DOFORK, MADV_NOHUGEPAGE, MADV_UNMERGEABLE, MADV_WILLNEED,
        MADV_COLLAPSE, MADV_POPULATE_WRITE,
    };

    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        struct watcher watcher;

        begin(&watcher);
        madvise((void *)watcher.memory, SIZE, advices[i]);
        CHECK(wrong_words(watcher.memory, SIZE, SEED) == 0);
        fill(watcher.memory, SIZE, SEED + 1);
        CHECK(wrong_words(watcher.memory, SIZE, SEED + 1) == 0);
        end(&watcher);
        CHECK(watcher.value == word(SEED + 1, CHANGED * WORDS_OF_PAGE));
        CHECK(munmap((void *)watcher.memory, SIZE) == 0);
    }
}

static void locking_keeps_the_segment(void)
{
    struct watcher watcher;

    begin(&watcher);
    CHECK(mlock((void *)watcher.memory, SIZE) == 0);
    CHECK(munlock((void *)watcher.memory, SIZE) == 0);
    CHECK(mlockall(MCL_CURRENT | MCL_FUTURE) == 0 && munlockall() == 0);
    CHECK(is_active(fd));
    CHECK(wrong_words(watcher.memory, SIZE, SEED) == 0);
    end(&watcher);
}

/* Maps before and behind the region may come, change and go. */
static void neighbours_keep_the_segment(void)
{
    size_t size = 2 * MIB;
    char *memory, *sides[2];

    fd = open_device();
    memory = make_region(fd, size, 0);
    CHECK((uintptr_t)memory % size == 0);
    fill((void *)memory, size, SEED);
    sides[0] = memory - 16 * PAGE;
    sides[1] = memory + size;
    munmap(sides[0], 16 * PAGE);            /* if there was anything */
    for (int i = 0; i < 2; i++) {
        CHECK(mmap(sides[i], 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
                   MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == sides[i] ||
              errno == EEXIST);
        memset(sides[i], 1, 16 * PAGE);
        CHECK(mlock(sides[i] + PAGE, PAGE) == 0);
        CHECK(munlock(sides[i], 16 * PAGE) == 0);
        CHECK(mprotect(sides[i] + 4 * PAGE, PAGE, PROT_NONE) == 0);
        CHECK(madvise(sides[i], 16 * PAGE, MADV_DONTNEED) == 0);
        CHECK(munmap(sides[i], 16 * PAGE) == 0);
        CHECK(is_active(fd));
    }
    CHECK(wrong_words((void *)memory, size, SEED) == 0);
}

/* All new maps are populated then, with huge pages where they fit. */
static void region_of_locked_process(void)
{
    size_t size = 5 * MIB;
    volatile uint64_t *memory;

    CHECK(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
    fd = open_device();
    memory = make_region(fd, size, 0);
    for (size_t i = 0; i < size / 8; i++) {
        CHECK(memory[i] == 0);
    }
    fill(memory, size, SEED);
    CHECK(wrong_words(memory, size, SEED) == 0 && is_active(fd));
}

/* After a reset of the soft-dirty bits, a write sets that of its page. */
static void writes_are_soft_dirty(void)
{
    struct watcher watcher;
    uint64_t entry;
    int clear = open("/proc/self/clear_refs", O_WRONLY);
    int pagemap = open("/proc/self/pagemap", O_RDONLY);

    CHECK(clear >= 0 && pagemap >= 0);
    begin(&watcher);
    CHECK(write(clear, "4", 1) == 1);
    *(changed_page(watcher.memory) + 1) = 1;
    CHECK(pread(pagemap, &entry, 8, (uintptr_t)page_of(&watcher) / PAGE * 8)
          == 8);
    CHECK(entry >> 55 & 1);
    end(&watcher);
    check_others(&watcher);
}

/* A page that is missing is userfaultfd's business, once it has been dropped. */
static void userfaultfd_sees_dropped_page(void)
{
    struct watcher watcher;
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
    uint64_t source[WORDS_OF_PAGE] = { 1234 };
    struct uffdio_copy copy = { .src = (uintptr_t)source, .len = PAGE };
    int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

    CHECK(uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0);
    begin(&watcher);
    range.range.start = (uintptr_t)watcher.memory;
    range.range.len = SIZE;
    CHECK(ioctl(uffd, UFFDIO_REGISTER, &range) == 0);
    CHECK(wrong_words(watcher.memory, SIZE, SEED) == 0);
    CHECK(madvise(page_of(&watcher), PAGE, MADV_DONTNEED) == 0);
    copy.dst = (uintptr_t)page_of(&watcher);
    CHECK(ioctl(uffd, UFFDIO_COPY, &copy) == 0);
    end(&watcher);
    CHECK(watcher.value == 1234 && *changed_page(watcher.memory) == 1234);
    check_others(&watcher);
}

/* The kernel on behalf of another process, and by itself, reads and writes. */
static void kernel_access(void)
{
    struct watcher watcher;
    uint64_t buffer[WORDS_OF_PAGE];
    struct iovec local = { buffer, PAGE };
    struct iovec remote = { .iov_len = PAGE };
    int ends[2];
    pid_t child;

    begin(&watcher);
    remote.iov_base = page_of(&watcher);
    child = fork();
    if (!child) {
        CHECK(process_vm_readv(getppid(), &local, 1, &remote, 1, 0) == PAGE);
        CHECK(buffer[0] == first_word());
        buffer[0] = 77;
        CHECK(process_vm_writev(getppid(), &local, 1, &remote, 1, 0) == PAGE);
        _exit(0);
    }
    CHECK(exit_code(child) == 0);
    CHECK(*changed_page(watcher.memory) == 77);
    CHECK(pipe(ends) == 0);
    CHECK(write(ends[1], page_of(&watcher), PAGE) == PAGE);
    *changed_page(watcher.memory) = 0;
    CHECK(read(ends[0], page_of(&watcher), PAGE) == PAGE);
    CHECK(*changed_page(watcher.memory) == 77 && is_active(fd));
    end(&watcher);
    CHECK(watcher.value == 77);
    check_others(&watcher);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        { "unmapped-page-faults", unmapped_page_faults },
        { "protected-page-faults", protected_page_faults },
        { "dropped-page-is-zero", dropped_page_is_zero },
        { "moved-page-is-elsewhere", moved_page_is_elsewhere },
        { "replaced-page-is-new", replaced_page_is_new },
        { "region-that-is-replaced-has-gone", region_that_is_replaced_has_gone },
        { "advice-changes-no-data", advice_changes_no_data },
        { "locking-keeps-the-segment", locking_keeps_the_segment },
        { "neighbours-keep-the-segment", neighbours_keep_the_segment },
        { "region-of-locked-process", region_of_locked_process },
        { "writes-are-soft-dirty", writes_are_soft_dirty },
        { "userfaultfd-sees-dropped-page", userfaultfd_sees_dropped_page },
        { "kernel-access", kernel_access },
    };

    return run_case(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
