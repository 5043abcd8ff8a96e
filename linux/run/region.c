/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primary region of the program: its beginning, who has what of it, and
 * its end
 */
#define _GNU_SOURCE
#include "region.h"

#include "device.h"
#include "kernel.h"
#include "pages.h"
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HUGE_PAGE (2ul << 20)
#define ALL_PROT (PROT_READ | PROT_WRITE)

static enum { NOT_YET, WITH_REGION, WITHOUT } state;
static int begun;
static struct run_page *page;
static struct run_program *self;        /* in page, or nobody's */
static struct run_program nobodys;
static bool reports_itself;             /* nobody else can, at the end */
static struct pages region;

static bool is_error(long result)
{
    return result < 0 && result >= -4095;
}

static long map_some(size_t size, int flags, int fd)
{
    return kernel_call(SYS_mmap, 0, size, ALL_PROT, flags, fd, 0);
}

size_t page_align(size_t size)
{
    return (size + PAGE_SIZE - 1) & -PAGE_SIZE;
}

enum region_part region_part(const void *address, size_t size)
{
    uintptr_t begin = (uintptr_t)address, end = begin + page_align(size);
    uintptr_t limit = region.start + region.nr * PAGE_SIZE;

    if (begin % PAGE_SIZE || page_align(size) < size || end <= begin ||
        end <= region.start || begin >= limit) {
        return OUTSIDE;
    }
    return begin >= region.start && end <= limit ? INSIDE : ACROSS;
}

size_t region_overlap(const void *address, size_t size, uintptr_t *first)
{
    uintptr_t begin = (uintptr_t)address, end = begin + page_align(size);
    uintptr_t limit = region.start + region.nr * PAGE_SIZE;

    if (region_part(address, size) == OUTSIDE) {
        return 0;
    }
    *first = begin > region.start ? begin : region.start;
    return (end < limit ? end : limit) - *first;
}

/* --- The beginning --- */

/* Maps the primary region, as large as can be had. Returns 0 or errno. */
static int create(long device, struct dseg_guest_create *want)
{
    for (uint64_t size = page->size;; size = size / 2 & -RUN_SIZE_UNIT) {
        long result;

        if (size < page->at_least) {
            size = page->at_least;
        }
        *want = (struct dseg_guest_create) { .size = size };
        result = kernel_call(SYS_ioctl, device, DSEG_GUEST_CREATE, (long)want,
                             0, 0, 0);
        if (!is_error(result)) {
            return 0;
        }
        if (result != -ENOMEM || size == page->at_least) {
            return -result;
        }
    }
}

/* Whether the limits of this process allow that much, were there the memory. */
static bool may_map(size_t size)
{
    long found = map_some(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                          -1);

    if (!is_error(found)) {
        kernel_call(SYS_munmap, found, size, 0, 0, 0, 0);
    }
    return !is_error(found);
}

/* What the library needs for itself. Returns 0 or errno. */
static int make_bits(const struct dseg_guest_create *made)
{
    size_t nr = made->size / PAGE_SIZE;
    long bits = map_some(pages_bits_size(nr), MAP_PRIVATE | MAP_ANONYMOUS, -1);

    if (is_error(bits)) {
        return -bits;
    }
    pages_init(&region, made->address, nr, (void *)bits);
    return critical_init();
}

static void make_region(long device)
{
    struct dseg_guest_create want;

    self->error = device < 0 ? -device : create(device, &want);
    self->may_not_map = self->error == ENOMEM && !may_map(page->at_least);
    if (!self->error) {
        self->error = make_bits(&want);
        self->may_not_map = self->error == ENOMEM;
    }
    if (!self->error) {
        self->address = want.address;
        self->size = want.size;
    }
}

/* Maps the file if it is a page of dseg-run's. */
static struct run_page *map_page(int fd, uint64_t inode)
{
    struct stat status;
    long found = -ENOENT;

    if (!kernel_call(SYS_fstat, fd, (long)&status, 0, 0, 0, 0) &&
        status.st_ino == inode && status.st_size == sizeof(*page) &&
        kernel_call(SYS_fcntl, fd, F_GET_SEALS, 0, 0, 0, 0) == RUN_SEALS) {
        found = map_some(sizeof(*page), MAP_SHARED, fd);
    }
    return is_error(found) ? NULL : (void *)found;
}

/* Opens a file of that name and inode. Another one is not even opened, as that
   may have effects. Returns it, or -1. */
static int open_page(const char *name, uint64_t inode)
{
    struct stat status;
    long fd = -1;

    if (!kernel_call(SYS_stat, (long)name, (long)&status, 0, 0, 0, 0) &&
        S_ISREG(status.st_mode) && status.st_ino == inode) {
        fd = kernel_call(SYS_openat, AT_FDCWD, (long)name, O_RDWR | O_CLOEXEC,
                         0, 0, 0);
    }
    return fd < 0 ? -1 : fd;
}

/* The page of dseg-run, if this program has been started by it. */
static struct run_page *find_page(void)
{
    const char *where = getenv(RUN_ENVIRONMENT);
    const char *colon = where ? strrchr(where, ':') : NULL;
    char name[64] = "";
    struct run_page *found = NULL;
    uint64_t inode;
    int fd;

    if (!colon || colon - where >= (ptrdiff_t)sizeof(name)) {
        return NULL;
    }
    memcpy(name, where, colon - where);
    inode = strtoull(colon + 1, NULL, 10);
    fd = open_page(name, inode);
    if (fd >= 0) {
        found = map_page(fd, inode);
        kernel_call(SYS_close, fd, 0, 0, 0, 0, 0);
    }
    return found;
}

/* dseg-run's file, which the process inherits in which the first program is to
   run. Others may have been there before, and have closed it. */
static bool has_inherited_device(void)
{
    return getpid() == page->first && device_is(page->device);
}

static bool begin(void)
{
    unsigned number;
    bool inherited;
    long device;

    self = &nobodys;
    page = find_page();
    if (!page) {
        return false;
    }
    number = __atomic_fetch_add(&page->programs, 1, __ATOMIC_RELAXED);
    if (number >= RUN_PROGRAMS || (number && !page->children)) {
        return false;
    }
    self = &page->program[number];
    self->pid = getpid();
    device_init(page->device_id);
    kernel_call(SYS_prctl, PR_GET_NAME, (long)self->name, 0, 0, 0, 0);
    /* dseg-run asks the first one's file for the walks, whatever ends it. */
    inherited = !number && has_inherited_device();
    device = inherited ? page->device : device_open();
    make_region(device);
    if (device >= 0) {
        kernel_call(SYS_close, device, 0, 0, 0, 0, 0);
    }
    reports_itself = !inherited && self->size;
    if (!self->size && !page->if_possible) {
        _exit(RUN_EXIT_NO_REGION);
    }
    return self->size;
}

static void begin_once(void)
{
    struct signals before;
    int error = errno;

    signals_block(&before);
    if (!__atomic_exchange_n(&begun, 1, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&state, begin() ? WITH_REGION : WITHOUT,
                         __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == NOT_YET) {
        sched_yield();
    }
    signals_restore(&before);
    errno = error;
}

static bool has_region(void)
{
    /* malloc() may be called before there is an environment. */
    if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == NOT_YET && environ) {
        begin_once();
    }
    return __atomic_load_n(&state, __ATOMIC_ACQUIRE) == WITH_REGION;
}

/* Programs that this one starts shall not find what dseg-run has set. */
static void restore_environment(void)
{
    char *preload = getenv("LD_PRELOAD");
    size_t size = preload ? strlen(preload) : 0;
    size_t ours = strlen(page->preloaded);

    unsetenv(RUN_ENVIRONMENT);
    if (size < ours || strcmp(preload + size - ours, page->preloaded)) {
        return;
    }
    if (size == ours) {
        unsetenv("LD_PRELOAD");
    } else if (preload[size - ours - 1] == ':') {
        preload[size - ours - 1] = '\0';
    }
}

void region_start(void)
{
    has_region();
    if (page && !page->children) {
        restore_environment();
    }
}

void region_end(void)
{
    struct signals before;

    if (reports_itself && region_enter(&before)) {
        self->has_walks = !device_request(DSEG_GUEST_WALKS, &self->walks);
        region_leave(&before);
    }
}

bool region_enter(struct signals *before)
{
    if (!has_region()) {
        return false;
    }
    critical_enter(before);
    if (critical_in_child() && state == WITH_REGION) {
        /* Of a copy, which neither counts nor reports. */
        self = &nobodys;
        region_give_up();
    }
    if (state != WITH_REGION) {
        critical_leave(before);
        return false;
    }
    return true;
}

void region_leave(const struct signals *before)
{
    critical_leave(before);
}

/* --- Dealing out --- */

static size_t nr_of(size_t size)
{
    return page_align(size) / PAGE_SIZE;
}

bool region_is_used(const void *address, size_t size)
{
    return pages_are_used(&region, (uintptr_t)address, nr_of(size));
}

bool region_is_unused(const void *address, size_t size)
{
    return pages_are_unused(&region, (uintptr_t)address, nr_of(size));
}

void region_free(const void *address, size_t size)
{
    pages_free(&region, (uintptr_t)address, nr_of(size));
}

/* Pages on their way to a list of the kernel's have one more reference. An
   munmap() completes that for those of its CPU. */
static void complete_lists(void)
{
    long found = map_some(PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

    if (!is_error(found)) {
        kernel_call(SYS_munmap, found, PAGE_SIZE, 0, 0, 0, 0);
    }
}

static bool clear_all(const void *address, size_t size, uint64_t flags)
{
    struct dseg_guest_clear clear = {
        .address = (uintptr_t)address, .size = page_align(size), .flags = flags,
    };

    if (!device_request(DSEG_GUEST_CLEAR, &clear) && clear.busy) {
        complete_lists();
        device_request(DSEG_GUEST_CLEAR, &clear);
    }
    return clear.done == clear.size;
}

bool region_zero(const void *address, size_t size)
{
    return clear_all(address, size, 0);
}

bool region_can_zero(const void *address, size_t size)
{
    return clear_all(address, size, DSEG_GUEST_CLEAR_LOOK);
}

/* Zeroes what is stale of @nr free pages. Returns 0; EBUSY: some are held back
   now; another errno: it can't be done. */
static int make_clean(uintptr_t address, size_t nr)
{
    uintptr_t at = address, end = address + nr * PAGE_SIZE;
    size_t run;

    while ((run = pages_run(&region, region.stale, true, &at,
                            (end - at) / PAGE_SIZE))) {
        struct dseg_guest_clear clear = {
            .address = at, .size = run * PAGE_SIZE,
        };
        int error = device_request(DSEG_GUEST_CLEAR, &clear);

        if (error) {
            return error;
        }
        if (clear.busy) {
            pages_hold(&region, at + clear.done, clear.busy / PAGE_SIZE);
            return EBUSY;
        }
        at += clear.size;
    }
    return 0;
}

static uintptr_t find_clean(size_t nr, size_t align)
{
    uintptr_t address;
    int error = EBUSY;

    while (error == EBUSY) {
        address = pages_find(&region, nr, align);
        error = address ? make_clean(address, nr) : 0;
    }
    if (error == ENOENT) {
        region_give_up();       /* the segment has ended, by other means */
    }
    return error ? 0 : address;
}

uintptr_t region_take(size_t size)
{
    /* Large maps as the kernel aligns them: allocators like that. */
    size_t align = size >= HUGE_PAGE ? HUGE_PAGE : PAGE_SIZE;
    uintptr_t address;

    self->asked += size;
    if ((self->given + size) * 100.0 > (double)self->asked * page->share) {
        return 0;
    }
    address = find_clean(nr_of(size), align);
    if (!address && state == WITH_REGION && pages_release(&region)) {
        address = find_clean(nr_of(size), align);
    }
    if (address) {
        pages_use(&region, address, nr_of(size));
        self->given += size;
        self->most_in_use = region.most_in_use * PAGE_SIZE;
    }
    return address;
}

bool region_take_at(const void *address, size_t size)
{
    if (!region_zero(address, size)) {
        return false;
    }
    pages_use(&region, (uintptr_t)address, nr_of(size));
    self->most_in_use = region.most_in_use * PAGE_SIZE;
    return true;
}

/* --- The end --- */

void region_stand_aside(void)
{
    device_forget_killed();
    __atomic_store_n(&state, WITHOUT, __ATOMIC_RELEASE);
}

void region_give_up(void)
{
    uintptr_t at = region.start, end = at + region.nr * PAGE_SIZE;
    size_t run;

    while ((run = pages_run(&region, region.used, false, &at,
                            (end - at) / PAGE_SIZE))) {
        /* Before others can map something there: whoever goes on with a copy of
           the bits, or after us, must not take that for the region's. */
        pages_leave(&region, at, run);
        kernel_call(SYS_munmap, at, run * PAGE_SIZE, 0, 0, 0, 0);
        at += run * PAGE_SIZE;
    }
    region_stand_aside();
}

/* Holds back, of pages in use, those to which the kernel refers. */
static bool hold_busy(uintptr_t at, uintptr_t end)
{
    complete_lists();
    while (at < end) {
        struct dseg_guest_clear clear = {
            .address = at, .size = end - at, .flags = DSEG_GUEST_CLEAR_LOOK,
        };

        if (device_request(DSEG_GUEST_CLEAR, &clear)) {
            return false;
        }
        pages_hold(&region, at + clear.done, clear.busy / PAGE_SIZE);
        at += clear.done + clear.busy;
    }
    return true;
}

/* All at once: the first visit may change page tables. */
static bool hold_all_busy(void)
{
    uintptr_t at = region.start, end = at + region.nr * PAGE_SIZE;
    size_t run;

    pages_release(&region);
    while ((run = pages_run(&region, region.used, true, &at,
                            (end - at) / PAGE_SIZE))) {
        if (!hold_busy(at, at + run * PAGE_SIZE)) {
            return false;
        }
        at += run * PAGE_SIZE;
    }
    return true;
}

static void visit_run(uintptr_t at, uintptr_t end, void (*visit)(void *page))
{
    size_t run;

    while ((run = pages_run(&region, region.held, false, &at,
                            (end - at) / PAGE_SIZE))) {
        for (size_t i = 0; i < run; i++, at += PAGE_SIZE) {
            visit((void *)at);
        }
    }
}

bool region_give_up_by(void (*visit)(void *page))
{
    uintptr_t at = region.start, end = at + region.nr * PAGE_SIZE;
    bool known = hold_all_busy();
    size_t run;

    while (known && (run = pages_run(&region, region.used, true, &at,
                                     (end - at) / PAGE_SIZE))) {
        visit_run(at, at + run * PAGE_SIZE, visit);
        at += run * PAGE_SIZE;
    }
    region_give_up();
    return known;
}

bool region_is_there(void)
{
    return __atomic_load_n(&state, __ATOMIC_ACQUIRE) == WITH_REGION;
}

bool region_has_been(void)
{
    return region.nr;
}

bool region_may_bind_deep(void)
{
    if (!page || !page->with_malloc) {
        return true;
    }
    self->bound_deep++;
    return false;
}
