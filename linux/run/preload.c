/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdseg-run.so: preloaded by dseg-run, puts a program's memory into its
 * primary region
 *
 * Takes the place of mmap() and what belongs to it. A map that is anonymous,
 * private, readable and writable, and at no address that the program has
 * chosen, becomes a part of the region. Page tables of the region are never
 * changed, as that would end its segment: unmapped and discarded memory is
 * overwritten with zeros, which is what the program finds there next. Where
 * a program asks for something that only page tables can do (mprotect() to
 * less, a file mapped over it), it gets that, and the segment ends.
 *
 * glibc's malloc() calls the kernel by ways of its own; jemalloc, which
 * dseg-run preloads as well, calls mmap().
 */
#define _GNU_SOURCE
#include "pages.h"
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define HUGE_PAGE (2ul << 20)
#define ALL_PROT (PROT_READ | PROT_WRITE)

/* Freed memory stays in the region: to give it back costs, and helps nobody. */
EXPORT const char *malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1";

static enum { NOT_YET, WITH_REGION, WITHOUT } state;
static int lock;                        /* of all below, and of state */
static struct run_page *page;
static struct run_program *self;        /* in page, or nobody's */
static struct run_program nobodys;
static int device = -1;
static struct pages region;

static void *kernel_mmap(void *address, size_t size, int prot, int flags,
                         int fd, off_t offset)
{
    return (void *)syscall(SYS_mmap, address, size, prot, flags, fd, offset);
}

static void acquire(void)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
        sched_yield();
    }
}

static void release(void)
{
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static size_t page_align(size_t size)
{
    return (size + PAGE_SIZE - 1) & -PAGE_SIZE;
}

/* Sizes that page_align() would wrap are none. */
static bool is_range(const void *address, size_t size)
{
    return (uintptr_t)address % PAGE_SIZE == 0 && size &&
           page_align(size) >= size &&
           (uintptr_t)address + page_align(size) >= (uintptr_t)address;
}

/* The part of a range that is in the region: returns its size, or 0. */
static size_t part_inside(const void *address, size_t size, uintptr_t *first)
{
    uintptr_t begin = (uintptr_t)address, end = begin + page_align(size);
    uintptr_t limit = region.start + region.nr * PAGE_SIZE;

    if (state != WITH_REGION || !is_range(address, size)) {
        return 0;
    }
    *first = begin > region.start ? begin : region.start;
    end = end < limit ? end : limit;
    return end > *first ? end - *first : 0;
}

static bool is_inside(const void *address, size_t size)
{
    uintptr_t first;

    return part_inside(address, size, &first) == page_align(size);
}

/* --- The beginning --- */

/* Maps the primary region, as large as can be had. Returns 0 or errno. */
static int create(struct dseg_guest_create *want)
{
    for (uint64_t size = page->size;; size = size / 2 & -RUN_SIZE_UNIT) {
        if (size < page->at_least) {
            size = page->at_least;
        }
        *want = (struct dseg_guest_create) { .size = size };
        if (ioctl(device, DSEG_GUEST_CREATE, want) == 0) {
            return 0;
        }
        if (errno != ENOMEM || size == page->at_least) {
            return errno;
        }
    }
}

static void make_region(void)
{
    struct dseg_guest_create want;
    size_t nr;
    void *bits;

    self->error = create(&want);
    if (self->error) {
        return;
    }
    nr = want.size / PAGE_SIZE;
    bits = kernel_mmap(NULL, pages_bits_size(nr), ALL_PROT,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bits == MAP_FAILED) {
        self->error = errno;
        return;
    }
    pages_init(&region, want.address, nr, bits);
    self->address = want.address;
    self->size = want.size;
    state = WITH_REGION;
}

/* The page of dseg-run, if this program has been started by it. */
static struct run_page *find_page(void)
{
    const char *name = getenv(RUN_ENVIRONMENT);
    int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void *found;

    if (fd < 0) {
        return NULL;
    }
    found = kernel_mmap(NULL, sizeof(*page), ALL_PROT, MAP_SHARED, fd, 0);
    close(fd);
    return found == MAP_FAILED ? NULL : found;
}

static void begin(void)
{
    unsigned number;

    state = WITHOUT;
    self = &nobodys;
    page = find_page();
    if (!page) {
        return;
    }
    number = __atomic_fetch_add(&page->programs, 1, __ATOMIC_RELAXED);
    if (number >= RUN_PROGRAMS || (number && !page->children)) {
        return;
    }
    self = &page->program[number];
    self->pid = getpid();
    prctl(PR_GET_NAME, self->name);
    /* dseg-run asks the first one's file for the walks, whatever ends it. */
    device = number ? open(DSEG_GUEST_DEVICE, O_RDWR | O_CLOEXEC)
                    : page->device;
    make_region();
    if (state != WITH_REGION && !page->if_possible) {
        _exit(RUN_EXIT_NO_REGION);
    }
}

/* Returns whether there is a region; makes it at the first call. */
static bool has_region(void)
{
    /* malloc() may be called before there is an environment. */
    if (state == NOT_YET && environ) {
        int error = errno;

        acquire();
        if (state == NOT_YET) {
            begin();
        }
        release();
        errno = error;
    }
    return state == WITH_REGION;
}

/* Programs that this one starts shall not find what dseg-run has set. */
static void restore_environment(void)
{
    char *preload = getenv("LD_PRELOAD");
    size_t ours = strlen(page->preloaded);

    unsetenv(RUN_ENVIRONMENT);
    if (preload && !strncmp(preload, page->preloaded, ours)) {
        if (preload[ours] == ':') {
            memmove(preload, preload + ours + 1, strlen(preload + ours));
        } else {
            unsetenv("LD_PRELOAD");
        }
    }
}

/* A forked child's region is a copy. It neither counts nor reports. */
static void after_fork_in_child(void)
{
    lock = 0;       /* whoever held it is not in this process */
    self = &nobodys;
}

__attribute__((constructor)) static void start(void)
{
    has_region();
    if (!page) {
        return;
    }
    pthread_atfork(NULL, NULL, after_fork_in_child);
    if (!page->children) {
        restore_environment();
    }
    if (device == page->device) {
        close(device);
        device = -1;
    }
}

__attribute__((destructor)) static void end(void)
{
    if (device >= 0 && self != &nobodys &&
        ioctl(device, DSEG_GUEST_WALKS, &self->walks) == 0) {
        self->has_walks = true;
    }
}

/* --- Maps --- */

/* With the lock. Returns an address in the region, or 0. */
static uintptr_t take(size_t size)
{
    uintptr_t address;

    self->asked += size;
    if ((self->given + size) * 100.0 > (double)self->asked * page->share) {
        return 0;
    }
    /* Large maps as the kernel aligns them: allocators like that. */
    address = pages_take(&region, size / PAGE_SIZE,
                         size >= HUGE_PAGE ? HUGE_PAGE : PAGE_SIZE);
    if (address) {
        self->given += size;
        self->most_in_use = region.most_in_use * PAGE_SIZE;
    }
    return address;
}

static bool may_move_in(const void *address, size_t size, int prot, int flags)
{
    const int allowed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
                        MAP_POPULATE;

    return !address && is_range(address, size) && prot == ALL_PROT &&
           !(flags & ~allowed) && (flags & MAP_PRIVATE) &&
           (flags & MAP_ANONYMOUS);
}

/* Gives what is in the region of a range to the kernel: its segment ends. */
static void leave_to_kernel(void *address, size_t size)
{
    uintptr_t first;
    size_t inside = part_inside(address, size, &first);

    if (inside) {
        acquire();
        pages_make_foreign(&region, first, inside / PAGE_SIZE);
        release();
    }
}

/* Does what @own does for each run of pages that are the region's own, and
   what @kernel does for all others. Returns 0, or -1 with errno. */
static int for_parts(void *address, size_t size, void (*own)(uintptr_t, size_t),
                     int (*kernel)(uintptr_t, size_t, int), int argument)
{
    uintptr_t at = (uintptr_t)address, end = at + page_align(size);
    uintptr_t first = end;
    size_t inside = part_inside(address, size, &first);

    while (at < end) {
        size_t part = at < first ? first - at : end - at;
        bool is_own = false;

        if (at >= first && at < first + inside) {
            acquire();
            part = PAGE_SIZE * pages_alike(&region, at,
                                           (first + inside - at) / PAGE_SIZE);
            is_own = !pages_are_foreign(&region, at);
            release();
        }
        if (is_own) {
            own(at, part);
        } else if (kernel(at, part, argument)) {
            return -1;
        }
        at += part;
    }
    return 0;
}

static void zero(uintptr_t address, size_t size)
{
    memset((void *)address, 0, size);
}

static void zero_and_free(uintptr_t address, size_t size)
{
    zero(address, size);
    acquire();
    pages_free(&region, address, size / PAGE_SIZE);
    release();
}

static void ignore(uintptr_t address, size_t size)
{
    (void)address;
    (void)size;
}

static int kernel_munmap(uintptr_t address, size_t size, int unused)
{
    (void)unused;
    return syscall(SYS_munmap, address, size);
}

static int kernel_madvise(uintptr_t address, size_t size, int advice)
{
    return syscall(SYS_madvise, address, size, advice);
}

static int kernel_mprotect(uintptr_t address, size_t size, int prot)
{
    return syscall(SYS_mprotect, address, size, prot);
}

/* Whether all of a range is the region's own. */
static bool is_own(void *address, size_t size)
{
    bool own = false;

    if (is_inside(address, size)) {
        size_t nr = page_align(size) / PAGE_SIZE;

        acquire();
        own = !pages_are_foreign(&region, (uintptr_t)address) &&
              pages_alike(&region, (uintptr_t)address, nr) == nr;
        release();
    }
    return own;
}

/* A map at an address within the region that the program has chosen. */
static void *map_over(void *address, size_t size, int prot, int flags, int fd,
                      off_t offset)
{
    if (is_own(address, size) &&
        may_move_in(NULL, size, prot, flags & ~MAP_FIXED)) {
        acquire();
        pages_use(&region, (uintptr_t)address, page_align(size) / PAGE_SIZE);
        release();
        zero((uintptr_t)address, page_align(size));
        return address;
    }
    leave_to_kernel(address, size);
    return kernel_mmap(address, size, prot, flags, fd, offset);
}

EXPORT void *mmap(void *address, size_t size, int prot, int flags, int fd,
                  off_t offset)
{
    uintptr_t given = 0;

    if (has_region()) {
        if (flags & MAP_FIXED && part_inside(address, size, &given)) {
            return map_over(address, size, prot, flags, fd, offset);
        }
        given = 0;
        if (may_move_in(address, size, prot, flags)) {
            acquire();
            given = take(page_align(size));
            release();
        }
    }
    return given ? (void *)given
                 : kernel_mmap(address, size, prot, flags, fd, offset);
}

EXPORT void *mmap64(void *address, size_t size, int prot, int flags, int fd,
                    off_t offset)
{
    return mmap(address, size, prot, flags, fd, offset);
}

EXPORT int munmap(void *address, size_t size)
{
    uintptr_t first;

    if (has_region() && part_inside(address, size, &first)) {
        return for_parts(address, size, zero_and_free, kernel_munmap, 0);
    }
    return kernel_munmap((uintptr_t)address, size, 0);
}

EXPORT int madvise(void *address, size_t size, int advice)
{
    uintptr_t first;

    if (!has_region() || !part_inside(address, size, &first)) {
        return kernel_madvise((uintptr_t)address, size, advice);
    }
    switch (advice) {
    case MADV_DONTNEED:
        return for_parts(address, size, zero, kernel_madvise, advice);
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
    case MADV_REMOVE:
    case MADV_HWPOISON:
        leave_to_kernel(address, size);
        return kernel_madvise((uintptr_t)address, size, advice);
    default:    /* no more than hints */
        return for_parts(address, size, ignore, kernel_madvise, advice);
    }
}

EXPORT int mprotect(void *address, size_t size, int prot)
{
    uintptr_t first;

    if (!has_region() || !part_inside(address, size, &first)) {
        return kernel_mprotect((uintptr_t)address, size, prot);
    }
    if (prot != ALL_PROT) {
        leave_to_kernel(address, size);
    }
    return for_parts(address, size, ignore, kernel_mprotect, prot);
}

static bool overlap(const void *a, size_t a_size, const void *b, size_t b_size)
{
    return (uintptr_t)a < (uintptr_t)b + b_size &&
           (uintptr_t)b < (uintptr_t)a + a_size;
}

/* As mremap() of a range within the region. */
static void *move(void *old, size_t old_size, size_t new_size, int flags,
                  void *fixed)
{
    const size_t have = page_align(old_size), want = page_align(new_size);
    void *new;
    bool grown;

    if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
        if (want <= have) {
            if (want < have) {
                zero_and_free((uintptr_t)old + want, have - want);
            }
            return old;
        }
        acquire();
        grown = pages_take_at(&region, (uintptr_t)old + have,
                              (want - have) / PAGE_SIZE);
        release();
        if (grown) {
            return old;
        }
    }
    if (!(flags & MREMAP_MAYMOVE)) {
        errno = flags ? EINVAL : ENOMEM;
        return MAP_FAILED;
    }
    new = mmap(fixed, want, ALL_PROT,
               MAP_PRIVATE | MAP_ANONYMOUS | (fixed ? MAP_FIXED : 0), -1, 0);
    if (new == MAP_FAILED) {
        return new;
    }
    memcpy(new, old, have < want ? have : want);
    if (flags & MREMAP_DONTUNMAP) {
        zero((uintptr_t)old, have);
    } else {
        zero_and_free((uintptr_t)old, have);
    }
    return new;
}

EXPORT void *mremap(void *old, size_t old_size, size_t new_size, int flags, ...)
{
    void *fixed = NULL;

    if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
        va_list arguments;

        va_start(arguments, flags);
        fixed = va_arg(arguments, void *);
        va_end(arguments);
    }
    if (has_region()) {
        if (is_own(old, old_size) && is_range(fixed, new_size) &&
            !(flags & MREMAP_FIXED &&
              overlap(old, old_size, fixed, new_size))) {
            return move(old, old_size, new_size, flags,
                        flags & MREMAP_FIXED ? fixed : NULL);
        }
        leave_to_kernel(old, old_size);
        if (flags & MREMAP_FIXED) {
            leave_to_kernel(fixed, new_size);
        }
    }
    return (void *)syscall(SYS_mremap, old, old_size, new_size, flags, fixed);
}
