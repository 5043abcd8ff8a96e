/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primary region of the program: its beginning, and who has what of it
 */
#define _GNU_SOURCE
#include "device.h"
#include "kernel.h"
#include "page.h"
#include "region-own.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HUGE_PAGE (2ul << 20)

enum region_state region_state;
struct pages region;
static int begun;
static struct run_page *page;
static struct run_program *self;        /* in page, or nobody's */
static struct run_program nobodys;
static bool reports_itself;             /* nobody else can, at the end */

static long map_some(size_t size, int flags)
{
    return kernel_call(SYS_mmap, 0, size, ALL_PROT, flags, -1, 0);
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
        if (!kernel_error(result)) {
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
    long found = map_some(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);

    if (!kernel_error(found)) {
        kernel_call(SYS_munmap, found, size, 0, 0, 0, 0);
    }
    return !kernel_error(found);
}

/* What the library needs for itself. Returns 0 or errno. */
static int make_bits(const struct dseg_guest_create *made)
{
    size_t nr = made->size / PAGE_SIZE;
    long bits = map_some(pages_bits_size(nr), MAP_PRIVATE | MAP_ANONYMOUS);

    if (kernel_error(bits)) {
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
    page = page_find();
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
        __atomic_store_n(&region_state, begin() ? WITH_REGION : WITHOUT,
                         __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&region_state, __ATOMIC_ACQUIRE) == NOT_YET) {
        sched_yield();
    }
    signals_restore(&before);
    errno = error;
}

static bool has_region(void)
{
    /* malloc() may be called before there is an environment. */
    if (environ && __atomic_load_n(&region_state, __ATOMIC_ACQUIRE) == NOT_YET) {
        begin_once();
    }
    return __atomic_load_n(&region_state, __ATOMIC_ACQUIRE) == WITH_REGION;
}

void region_start(void)
{
    has_region();
    if (page && !page->children) {
        page_leave_environment(page);
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
    if (critical_in_child() && region_state == WITH_REGION) {
        /* Of a copy, which neither counts nor reports. */
        self = &nobodys;
        region_give_up();
    }
    if (region_state != WITH_REGION) {
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

void region_complete_lists(void)
{
    /* An munmap() completes them. */
    long found = map_some(PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS);

    if (!kernel_error(found)) {
        kernel_call(SYS_munmap, found, PAGE_SIZE, 0, 0, 0, 0);
    }
}

static bool clear_all(const void *address, size_t size, uint64_t flags)
{
    struct dseg_guest_clear clear = {
        .address = (uintptr_t)address, .size = page_align(size), .flags = flags,
    };

    if (!device_request(DSEG_GUEST_CLEAR, &clear) && clear.busy) {
        region_complete_lists();
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
    if (!address && region_state == WITH_REGION && pages_release(&region)) {
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

bool region_is_there(void)
{
    return __atomic_load_n(&region_state, __ATOMIC_ACQUIRE) == WITH_REGION;
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
