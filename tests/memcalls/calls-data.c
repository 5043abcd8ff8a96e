/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls by which the kernel reads and writes memory, at once or later */
#define _GNU_SOURCE
#include "memcalls.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUFFER (AREA_PAGES * PAGE)
#define PIPE_PAGES 16           /* as many as a pipe holds */

int file_fd, read_only_fd, zero_fd, pipe_fds[2], disk_fd = -1;
static int data_fd, sockets[2];
static aio_context_t aio;
static char buffer[BUFFER] __attribute__((aligned(PAGE)));

static int reopened(int fd, int flags)
{
    char name[40];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    return open(name, flags | O_CLOEXEC);
}

void prepare_files(void)
{
    file_fd = memfd_create("file", MFD_CLOEXEC);
    data_fd = memfd_create("data", MFD_CLOEXEC);
    read_only_fd = reopened(file_fd, O_RDONLY);
    zero_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
    if (file_fd < 0 || data_fd < 0 || read_only_fd < 0 || zero_fd < 0 ||
        pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets)) {
        perror("memcalls: files");
        _exit(97);
    }
    if (settings.disk) {
        disk_fd = open(settings.disk, O_RDWR | O_DIRECT | O_CLOEXEC);
        if (disk_fd < 0 || syscall(SYS_io_setup, 4, &aio)) {
            perror(settings.disk);
            _exit(97);
        }
    }
}

static void make_pattern(uint64_t seed)
{
    for (size_t i = 0; i < BUFFER; i += 8) {
        uint64_t word = (seed << 32 | i) * UINT64_C(0x9e3779b97f4a7c15);

        memcpy(buffer + i, &word, 8);
    }
}

void begin_data_sequence(void)
{
    make_pattern(1);
    if (ftruncate(file_fd, 0) || ftruncate(file_fd, FILE_PAGES * PAGE) ||
        pwrite(file_fd, buffer, FILE_PAGES / 2 * PAGE, 0) < 0 || ftruncate(data_fd, 0)) {
        perror("memcalls: file");
        _exit(97);
    }
}

/* Returns a hash of all that is in a pipe or socket. */
static uint64_t drain(int fd)
{
    uint64_t hash = 0;
    ssize_t n;

    while ((n = read(fd, buffer, BUFFER)) > 0) {
        hash = hash_of(buffer, n, hash + n);
    }
    return hash;
}

void end_data_sequence(void)
{
    say(" pipe");
    say_hash(drain(pipe_fds[0]));
    say_hash(drain(sockets[1]));
}

/* A range that data can be in; what is undefined there, no call may read or write. */
static bool pick_data(struct random *random, struct range *range)
{
    if (!pick_plain_range(random, range)) {
        return false;
    }
    if (!is_accessible(range)) {
        say(" undefined");
        return false;
    }
    if (random_once_in(random, 2)) {
        unsigned before = random_below(random, PAGE);

        range->address += before;
        range->length -= before + random_below(random, PAGE - before);
        say("(%u,%zu)", before, range->length);
    }
    return true;
}

static void say_count(ssize_t n)
{
    say_result(n >= 0);
    if (n >= 0) {
        say(" %zd", n);
    }
}

static void say_area(const struct range *range)
{
    say_content(range->area, 0, range->area->pages);
}

static void call_write(struct random *random)
{
    int to = random_once_in(random, 2) ? pipe_fds[1] : sockets[0];
    struct range range;

    if (!pick_data(random, &range)) {
        return;
    }
    drain(pipe_fds[0]);
    drain(sockets[1]);
    errno = ERRNO_BEFORE;
    say_count(write(to, range.address, range.length));
    say_hash(drain(to == sockets[0] ? sockets[1] : pipe_fds[0]));
}

static void call_read(struct random *random)
{
    bool by_pipe = random_once_in(random, 2);
    struct range range;

    if (!pick_data(random, &range)) {
        return;
    }
    drain(pipe_fds[0]);
    drain(sockets[1]);
    make_pattern(call_number());
    if (write(by_pipe ? pipe_fds[1] : sockets[0], buffer, 8 * PAGE - 100) < 0) {
        say_broken("write to an empty pipe");
    }
    errno = ERRNO_BEFORE;
    say_count(read(by_pipe ? pipe_fds[0] : sockets[1], range.address, range.length));
    say_area(&range);
}

/* Three ranges at once, to or from a file in memory. */
static void call_vector(struct random *random)
{
    bool writes = random_once_in(random, 2);
    struct iovec vectors[3];
    struct range ranges[3];
    ssize_t n;

    for (unsigned i = 0; i < 3; i++) {
        if (!pick_data(random, &ranges[i])) {
            return;
        }
        vectors[i] = (struct iovec) { ranges[i].address, ranges[i].length };
    }
    make_pattern(call_number());
    if (pwrite(data_fd, buffer, BUFFER, 0) != BUFFER) {
        say_broken("pwrite");
    }
    errno = ERRNO_BEFORE;
    n = writes ? pwritev(data_fd, vectors, 3, 100) : preadv(data_fd, vectors, 3, 100);
    say_count(n);
    if (writes) {
        n = pread(data_fd, buffer, BUFFER, 0);
        say_hash(hash_of(buffer, n, 0));
    } else {
        for (unsigned i = 0; i < 3; i++) {
            say_area(&ranges[i]);
        }
    }
}

static void call_process_vm(struct random *random)
{
    bool writes = random_once_in(random, 2);
    struct iovec local = { buffer, BUFFER }, remote;
    struct range range;
    ssize_t n;

    if (!pick_data(random, &range)) {
        return;
    }
    make_pattern(call_number());
    local.iov_len = range.length;
    remote = (struct iovec) { range.address, range.length };
    errno = ERRNO_BEFORE;
    n = writes ? process_vm_writev(getpid(), &local, 1, &remote, 1, 0) :
        process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    say_count(n);
    if (writes) {
        say_area(&range);
    } else {
        say_hash(hash_of(buffer, n < 0 ? 0 : n, 0));
    }
}

static void call_proc_mem(struct random *random)
{
    bool writes = random_once_in(random, 2);
    struct range range;
    int memory;
    ssize_t n;

    if (!pick_data(random, &range)) {
        return;
    }
    make_pattern(call_number());
    memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);        /* in a child it's another */
    errno = ERRNO_BEFORE;
    n = writes ? pwrite(memory, buffer, range.length, (off_t)range.address) :
        pread(memory, buffer, range.length, (off_t)range.address);
    say_count(n);
    close(memory);
    if (writes) {
        say_area(&range);
    } else {
        say_hash(hash_of(buffer, n < 0 ? 0 : n, 0));
    }
}

/*
 * What may happen to memory while the kernel refers to it. What comes of the
 * program's own accesses is the same with and without; it is the kernel's that
 * count.
 */
static void disturb(struct random *random, struct range *range)
{
    static const unsigned gentle_ways[] = { 0, 0, 5, 6 };
    int result = 0;

    errno = ERRNO_BEFORE;
    switch (gentle ? random_of(random, gentle_ways) : random_below(random, 7)) {
    case 0:
    case 1:
        say(" then munmap");
        result = munmap(range->address, range->length);
        set_state(range->area, range->page, range->pages, 0, MAPPED | VAGUE | UNKNOWN);
        break;
    case 2:
        say(" then discard");
        result = madvise(range->address, range->length, MADV_DONTNEED);
        break;
    case 3: {
        char *place = map_apart(range->length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        say(" then move");
        result = mremap(range->address, range->length, range->length, MREMAP_MAYMOVE | MREMAP_FIXED,
                        place) != place;
        if (!result) {
            munmap(place, range->length);
            set_state(range->area, range->page, range->pages, 0, MAPPED | VAGUE | UNKNOWN);
        } else {
            munmap(place, range->length);
        }
        break;
    }
    case 4:
        say(" then map over");
        result = mmap(range->address, range->length, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != range->address;
        break;
    case 5:
        say(" then shrink");
        if (range->pages > 1) {
            result = mremap(range->address, range->length, PAGE, 0) != range->address;
            if (!result) {
                set_state(range->area, range->page + 1, range->pages - 1, 0,
                          MAPPED | VAGUE | UNKNOWN);
            }
        }
        break;
    default:
        say(" then write");
        fill_content(range->area, range->page, range->pages, call_number() + 1000);
    }
    say_result(result == 0);
}

/* Memory of our own, each page of it written, for the kernel to refer to. */
static bool pick_referred(struct random *random, struct range *range, unsigned most)
{
    if (!pick_plain_range(random, range)) {
        return false;
    }
    if (range->pages > most) {
        range->pages = most;
        range->length = (size_t)most * PAGE;
    }
    if (!is_definite(range)) {
        say(" indefinite");
        return false;
    }
    fill_content(range->area, range->page, range->pages, call_number());
    return true;
}

/* What is mapped where this was, by others who look for zeros. */
static void reuse(struct range *range)
{
    char *got =
        map_apart(range->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (got == MAP_FAILED) {
        say_broken("no memory");
        return;
    }
    say(" new");
    say_hash(hash_of(got, range->length, 0));
    memset(got, 0x5a, range->length);
    munmap(got, range->length);
}

static void call_vmsplice(struct random *random)
{
    int flags = random_once_in(random, 3) ? SPLICE_F_GIFT : 0;
    struct iovec vector;
    struct range range;

    if (!pick_referred(random, &range, PIPE_PAGES)) {
        return;
    }
    drain(pipe_fds[0]);
    vector = (struct iovec) { range.address, range.length };
    errno = ERRNO_BEFORE;
    say_count(vmsplice(pipe_fds[1], &vector, 1, flags | SPLICE_F_NONBLOCK));
    disturb(random, &range);
    reuse(&range);
    say(" pipe");
    say_hash(drain(pipe_fds[0]));
    if (range.area->base) {
        say_area(&range);
        drop_empty(range.area);
    }
}

/* From the pipe into memory: that is a copy. */
static void call_vmsplice_in(struct random *random)
{
    struct iovec vector;
    struct range range;

    if (!pick_data(random, &range)) {
        return;
    }
    drain(pipe_fds[0]);
    make_pattern(call_number());
    if (write(pipe_fds[1], buffer, 3 * PAGE) < 0) {
        say_broken("write to an empty pipe");
    }
    vector = (struct iovec) { range.address, range.length };
    errno = ERRNO_BEFORE;
    say_count(vmsplice(pipe_fds[0], &vector, 1, SPLICE_F_NONBLOCK));
    say_area(&range);
}

static void call_direct(struct random *random)
{
    bool writes = random_once_in(random, 2);
    struct range range;
    ssize_t n;

    if (disk_fd < 0 || !pick_plain_range(random, &range) || !is_accessible(&range)) {
        return;
    }
    make_pattern(call_number());
    if (pwrite(disk_fd, buffer, BUFFER, 0) != BUFFER) {
        say_broken("pwrite to the disk");
    }
    errno = ERRNO_BEFORE;
    n = writes ? pwrite(disk_fd, range.address, range.length, 0) :
        pread(disk_fd, range.address, range.length, 0);
    say_count(n);
    if (writes) {
        n = pread(disk_fd, buffer, range.length, 0);
        say_hash(hash_of(buffer, n < 0 ? 0 : n, 0));
    } else {
        say_area(&range);
    }
}

/* The disk reads or writes memory while something happens to that. */
static void call_aio(struct random *random)
{
    bool writes = random_once_in(random, 2);
    struct iocb block = { 0 }, *blocks[1] = { &block };
    struct io_event event;
    struct range range;
    ssize_t n;

    if (disk_fd < 0 || !pick_referred(random, &range, AREA_PAGES)) {
        return;
    }
    make_pattern(call_number());
    if (pwrite(disk_fd, buffer, BUFFER, 0) != BUFFER) {
        say_broken("pwrite to the disk");
    }
    say(writes ? " write" : " read");
    block.aio_fildes = disk_fd;
    block.aio_lio_opcode = writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
    block.aio_buf = (uintptr_t)range.address;
    block.aio_nbytes = range.length;
    errno = ERRNO_BEFORE;
    n = syscall(SYS_io_submit, aio, 1, blocks);
    say_result(n == 1);
    if (n != 1) {
        return;
    }
    /* A write of the program to what is on its way would be a race. */
    say(" then munmap");
    if (munmap(range.address, range.length)) {
        say_broken("munmap");
    }
    set_state(range.area, range.page, range.pages, 0, MAPPED | VAGUE | UNKNOWN);
    reuse(&range);
    do {
        n = syscall(SYS_io_getevents, aio, 1, 1, &event, NULL);
    } while (n < 0 && errno == EINTR);
    say(" %zd: %lld", n, (long long)event.res);
    if (writes) {
        n = pread(disk_fd, buffer, range.length, 0);
        say_hash(hash_of(buffer, n < 0 ? 0 : n, 0));
    }
    reuse(&range);
    drop_empty(range.area);
}

const struct call data_calls[] = {
    { "write", 3, 3, call_write },
    { "read", 3, 3, call_read },
    { "vector", 3, 3, call_vector },
    { "process_vm", 3, 3, call_process_vm },
    { "proc-mem", 2, 2, call_proc_mem },
    { "vmsplice", 6, 6, call_vmsplice },
    { "vmsplice-in", 2, 2, call_vmsplice_in },
    { "direct", 3, 3, call_direct },
    { "aio", 5, 5, call_aio },
    { 0 },
};
