/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls by which the kernel reads and writes memory, at once */
#define _GNU_SOURCE
#include "memcalls.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

int file_fd, read_only_fd, zero_fd, data_fd, disk_fd = -1, pipe_fds[2], sockets[2];
char data_buffer[DATA_BUFFER] __attribute__((aligned(PAGE)));

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
        if (disk_fd < 0) {
            perror(settings.disk);
            _exit(97);
        }
    }
}

void make_pattern(uint64_t seed)
{
    for (size_t i = 0; i < DATA_BUFFER; i += 8) {
        uint64_t word = (seed << 32 | i) * UINT64_C(0x9e3779b97f4a7c15);

        memcpy(data_buffer + i, &word, 8);
    }
}

void begin_data_sequence(void)
{
    make_pattern(1);
    if (ftruncate(file_fd, 0) || ftruncate(file_fd, FILE_PAGES * PAGE) ||
        pwrite(file_fd, data_buffer, FILE_PAGES / 2 * PAGE, 0) < 0 || ftruncate(data_fd, 0)) {
        perror("memcalls: file");
        _exit(97);
    }
}

uint64_t drain(int fd)
{
    uint64_t hash = 0;
    ssize_t n;

    while ((n = read(fd, data_buffer, DATA_BUFFER)) > 0) {
        hash = hash_of(data_buffer, n, hash + n);
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

void say_count(ssize_t n)
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
    if (write(by_pipe ? pipe_fds[1] : sockets[0], data_buffer, 8 * PAGE - 100) < 0) {
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
    if (pwrite(data_fd, data_buffer, DATA_BUFFER, 0) != DATA_BUFFER) {
        say_broken("pwrite");
    }
    errno = ERRNO_BEFORE;
    n = writes ? pwritev(data_fd, vectors, 3, 100) : preadv(data_fd, vectors, 3, 100);
    say_count(n);
    if (writes) {
        n = pread(data_fd, data_buffer, DATA_BUFFER, 0);
        say_hash(hash_of(data_buffer, n, 0));
    } else {
        for (unsigned i = 0; i < 3; i++) {
            say_area(&ranges[i]);
        }
    }
}

static void call_process_vm(struct random *random)
{
    bool writes = random_once_in(random, 2);
    struct iovec local = { data_buffer, DATA_BUFFER }, remote;
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
        say_hash(hash_of(data_buffer, n < 0 ? 0 : n, 0));
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
    n = writes ? pwrite(memory, data_buffer, range.length, (off_t)range.address) :
        pread(memory, data_buffer, range.length, (off_t)range.address);
    say_count(n);
    close(memory);
    if (writes) {
        say_area(&range);
    } else {
        say_hash(hash_of(data_buffer, n < 0 ? 0 : n, 0));
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
    if (write(pipe_fds[1], data_buffer, 3 * PAGE) < 0) {
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
    if (pwrite(disk_fd, data_buffer, DATA_BUFFER, 0) != DATA_BUFFER) {
        say_broken("pwrite to the disk");
    }
    errno = ERRNO_BEFORE;
    n = writes ? pwrite(disk_fd, range.address, range.length, 0) :
        pread(disk_fd, range.address, range.length, 0);
    say_count(n);
    if (writes) {
        n = pread(disk_fd, data_buffer, range.length, 0);
        say_hash(hash_of(data_buffer, n < 0 ? 0 : n, 0));
    } else {
        say_area(&range);
    }
}

const struct call data_calls[] = {
    { "write", 3, 3, call_write },
    { "read", 3, 3, call_read },
    { "vector", 3, 3, call_vector },
    { "process_vm", 3, 3, call_process_vm },
    { "proc-mem", 2, 2, call_proc_mem },
    { "vmsplice-in", 2, 2, call_vmsplice_in },
    { "direct", 3, 3, call_direct },
    { 0 },
};
