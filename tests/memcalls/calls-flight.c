/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls after which the kernel goes on to read or write memory, whatever becomes of its maps */
#define _GNU_SOURCE
#include "memcalls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/errqueue.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIPE_PAGES 16           /* as many as a pipe holds */
#define ENTRIES 4               /* of a ring */
#define BEFORE (48 * 1024)      /* bytes, more than the peer takes before it is asked to */

static aio_context_t aio;
static int tcp[2];
static pid_t main_process;

/*
 * What may happen to memory while the kernel refers to it. What comes of the
 * program's own accesses is the same with and without; it is the kernel's that
 * count.
 */
enum {
    UNMAP = 1,
    SHRINK = 2,
    WRITE = 4,
    DISCARD = 8,
    MAP_OVER = 16,
    MOVE = 32,
    GROW = 64,
    ANYTHING = 127,
    NO_WRITE = ANYTHING & ~WRITE,               /* it would be a race */
    STAYS_MAPPED = WRITE | DISCARD | MAP_OVER,
    GENTLE = UNMAP | SHRINK | WRITE,            /* to memory with references */
};

/* What was in the range is wherever the kernel has moved it: an area from here on. */
static struct area *settle(struct range *range, char *got, size_t length)
{
    unsigned char state = MAPPED | (range->area->state[range->page] & HOLE_IN_REGION);

    /* First: a place for it may well be where it was. */
    set_state(range->area, range->page, range->pages, 0, MAPPED | VAGUE | UNKNOWN | HINTED);
    if (area_at(got, length)) {
        char *place = map_apart(length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        got = mremap(got, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, place);
        if (got != place) {
            say_broken("what mremap has made can't be moved");
            return NULL;
        }
    }
    return add_area(got, length / PAGE, state);
}

static struct area *move_away(struct range *range)
{
    char *place = map_apart(range->length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *got;

    errno = ERRNO_BEFORE;
    got = mremap(range->address, range->length, range->length, MREMAP_MAYMOVE | MREMAP_FIXED,
                 place);
    say_result(got == place);
    if (got != place) {
        munmap(place, range->length);
        return NULL;
    }
    return settle(range, got, range->length);
}

static struct area *grow(struct range *range)
{
    size_t length = range->length + PAGE;
    char *got = mremap(range->address, range->length, length, MREMAP_MAYMOVE);

    say_result(got != MAP_FAILED);
    return got == MAP_FAILED ? NULL : settle(range, got, length);
}

static void shrink(struct range *range)
{
    if (range->pages > 1) {
        char *got = mremap(range->address, range->length, PAGE, 0);

        say_result(got == range->address);
        if (got == range->address) {
            set_state(range->area, range->page + 1, range->pages - 1, 0,
                      MAPPED | VAGUE | UNKNOWN | HINTED);
        }
    }
}

static void unmap(struct range *range)
{
    int result = munmap(range->address, range->length);

    say_result(result == 0);
    if (result == 0) {
        set_state(range->area, range->page, range->pages, 0, MAPPED | VAGUE | UNKNOWN | HINTED);
    }
}

static unsigned pick_way(struct random *random, const struct range *range, unsigned ways)
{
    unsigned way;

    if (any_in_state(range, HINTED)) {
        ways &= ~(MOVE | GROW);
    }
    if (ways & UNMAP && random_once_in(random, 3)) {
        return UNMAP;
    }
    do {
        way = 1 << random_below(random, 7);
    } while (!(way & ways));
    return way;
}

/* One of these ways. Returns the new area if the memory is elsewhere then, or NULL. */
static struct area *disturb(struct random *random, struct range *range, unsigned ways)
{
    unsigned way = pick_way(random, range, ways);

    errno = ERRNO_BEFORE;
    switch (way) {
    case UNMAP:
        say(" then munmap");
        unmap(range);
        break;
    case DISCARD:
        say(" then discard");
        say_result(madvise(range->address, range->length, MADV_DONTNEED) == 0);
        break;
    case MOVE:
        say(" then move");
        return move_away(range);
    case MAP_OVER:
        say(" then map over");
        say_result(mmap(range->address, range->length, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == range->address);
        break;
    case SHRINK:
        say(" then shrink");
        shrink(range);
        break;
    case GROW:
        say(" then grow");
        return grow(range);
    default:
        say(" then write");
        fill_content(range->area, range->page, range->pages, call_number() + 1000);
    }
    return NULL;
}

/* To memory that the kernel refers to. */
static unsigned if_gentle(unsigned ways)
{
    return gentle ? ways & GENTLE : ways;
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

/* The kernel is done with it. */
static void look_at_all(struct range *range, struct area *new)
{
    reuse(range);
    say_content(range->area, 0, range->area->pages);
    drop_empty(range->area);
    if (new) {
        say_content(new, 0, new->pages);
    }
}

static void prepare_data(int fd)
{
    make_pattern(call_number());
    if (pwrite(fd, data_buffer, DATA_BUFFER, 0) != DATA_BUFFER) {
        say_broken("pwrite");
    }
}

static void say_written(int fd, size_t length)
{
    ssize_t n = pread(fd, data_buffer, length, 0);

    say_hash(hash_of(data_buffer, n < 0 ? 0 : n, 0));
}

static void call_vmsplice(struct random *random)
{
    int flags = random_once_in(random, 3) ? SPLICE_F_GIFT : 0;
    struct iovec vector;
    struct range range;
    struct area *new;

    if (!pick_referred(random, &range, PIPE_PAGES)) {
        return;
    }
    drain(pipe_fds[0]);
    vector = (struct iovec) { range.address, range.length };
    errno = ERRNO_BEFORE;
    say_count(vmsplice(pipe_fds[1], &vector, 1, flags | SPLICE_F_NONBLOCK));
    new = disturb(random, &range, if_gentle(ANYTHING));
    reuse(&range);
    say(" pipe");
    say_hash(drain(pipe_fds[0]));
    look_at_all(&range, new);
}

/* The disk reads or writes memory while something happens to that. */
static void call_aio(struct random *random)
{
    bool writes = random_once_in(random, 2);
    struct iocb block = { 0 }, *blocks[1] = { &block };
    struct io_event event;
    struct range range;
    struct area *new;
    ssize_t n;

    if (disk_fd < 0 || !pick_referred(random, &range, AREA_PAGES)) {
        return;
    }
    prepare_data(disk_fd);
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
    new = disturb(random, &range, if_gentle(NO_WRITE));
    reuse(&range);
    do {
        n = syscall(SYS_io_getevents, aio, 1, 1, &event, NULL);
    } while (n < 0 && errno == EINTR);
    say(" %zd: %lld", n, (long long)event.res);
    if (writes) {
        say_written(disk_fd, range.length);
    }
    look_at_all(&range, new);
}

/*
 * io_uring
 */
struct ring {
    int fd;
    struct io_uring_params params;
    char *memory;               /* both queues */
    size_t size;
    struct io_uring_sqe *requests;
    unsigned added;
};

/* A word of it that the kernel knows by its offset. */
static unsigned *word(struct ring *ring, unsigned offset)
{
    return (unsigned *)(ring->memory + offset);
}

static char *map_ring(struct ring *ring, size_t size, off_t what)
{
    return map_apart(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, what);
}

static bool open_ring(struct ring *ring)
{
    struct io_uring_params *params = &ring->params;
    size_t submissions, completions;

    *ring = (struct ring) { 0 };
    errno = ERRNO_BEFORE;
    ring->fd = syscall(SYS_io_uring_setup, ENTRIES, params);
    say_result(ring->fd >= 0);
    if (ring->fd < 0) {
        return false;
    }
    submissions = params->sq_off.array + params->sq_entries * sizeof(unsigned);
    completions = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
    ring->size = submissions > completions ? submissions : completions;
    ring->memory = map_ring(ring, ring->size, IORING_OFF_SQ_RING);
    ring->requests = (void *)map_ring(ring, params->sq_entries * sizeof(*ring->requests),
                                      IORING_OFF_SQES);
    if (ring->memory == MAP_FAILED || (void *)ring->requests == MAP_FAILED) {
        say_broken("a ring that can't be mapped");
        close(ring->fd);
        return false;
    }
    return true;
}

static void close_ring(struct ring *ring)
{
    munmap(ring->requests, ring->params.sq_entries * sizeof(*ring->requests));
    munmap(ring->memory, ring->size);
    close(ring->fd);
}

static void add_request(struct ring *ring, const struct io_uring_sqe *request)
{
    unsigned *tail = word(ring, ring->params.sq_off.tail), at = *tail % ENTRIES;

    ring->requests[at] = *request;
    word(ring, ring->params.sq_off.array)[at] = at;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    ring->added++;
}

/* All that have been added. */
static void submit(struct ring *ring)
{
    int n;

    do {
        n = syscall(SYS_io_uring_enter, ring->fd, ring->added, 0, 0, NULL, 0);
    } while (n < 0 && errno == EINTR);
    if (n != (int)ring->added) {
        say_broken("io_uring_enter");
    }
    ring->added = 0;
}

/* Says what comes of so many requests. */
static void await(struct ring *ring, unsigned n)
{
    unsigned *head = word(ring, ring->params.cq_off.head);
    struct io_uring_cqe *all = (void *)(ring->memory + ring->params.cq_off.cqes);

    for (; n; n--) {
        while (__atomic_load_n(word(ring, ring->params.cq_off.tail), __ATOMIC_ACQUIRE) == *head) {
            syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
        }
        say(" : %d", all[*head % ring->params.cq_entries].res);
        __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    }
}

static bool register_buffer(struct ring *ring, const struct range *range)
{
    struct iovec vector = { range->address, range->length };
    bool done;

    errno = ERRNO_BEFORE;
    done = !syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &vector, 1);
    say_result(done);
    return done;
}

/* What is added next begins only when open_gate() is called. */
static void add_gate(struct ring *ring)
{
    struct io_uring_sqe gate = {
        .opcode = IORING_OP_POLL_ADD,
        .flags = IOSQE_IO_LINK,
        .fd = sockets[1],
        .poll32_events = POLLIN,
    };

    drain(sockets[1]);
    add_request(ring, &gate);
}

static void open_gate(void)
{
    if (write(sockets[0], "", 1) != 1) {
        say_broken("write to an empty socket");
    }
}

/* A request for a buffer that is registered, or for memory by its address. */
static void add_transfer(struct ring *ring, bool writes, bool registered, int fd,
                         const struct range *range)
{
    static const int opcodes[2][2] = { { IORING_OP_READ, IORING_OP_READ_FIXED },
                                       { IORING_OP_WRITE, IORING_OP_WRITE_FIXED } };
    struct io_uring_sqe request = {
        .opcode = opcodes[writes][registered],
        .fd = fd,
        .addr = (uintptr_t)range->address,
        .len = range->length,
    };

    add_request(ring, &request);
}

/*
 * Of a disk past the page cache, or of a file in memory. It is under way when
 * something happens to its memory, or it begins after that; then the kernel has
 * a reference only if that is registered.
 */
static void transfer(struct random *random)
{
    bool writes = random_once_in(random, 2), registered = random_once_in(random, 2);
    int fd = disk_fd >= 0 && random_once_in(random, 2) ? disk_fd : data_fd;
    bool waits = fd == data_fd || random_once_in(random, 2);
    struct range range;
    struct ring ring;
    struct area *new;

    if (!pick_referred(random, &range, AREA_PAGES)) {
        return;
    }
    prepare_data(fd);
    say("%s%s%s of %s", writes ? " write" : " read", registered ? " registered" : "",
        waits ? " later" : "", fd == disk_fd ? "disk" : "file");
    if (!open_ring(&ring)) {
        return;
    }
    if (registered && !register_buffer(&ring, &range)) {
        close_ring(&ring);
        return;
    }
    if (waits) {
        add_gate(&ring);
    }
    add_transfer(&ring, writes, registered, fd, &range);
    submit(&ring);
    new = disturb(random, &range, !waits ? if_gentle(NO_WRITE) :
                  registered ? if_gentle(ANYTHING) : STAYS_MAPPED);
    reuse(&range);
    if (waits) {
        open_gate();
    }
    await(&ring, 1 + waits);
    if (writes) {
        say_written(fd, range.length);
    }
    close_ring(&ring);
    look_at_all(&range, new);
}

/* A buffer that stays registered, until the sequence ends. */
static struct {
    struct ring ring;
    struct range range;
    bool is;
} kept;

static void keep(struct random *random)
{
    if (kept.is || getpid() != main_process) {
        say(" is");
        return;
    }
    if (pick_referred(random, &kept.range, AREA_PAGES) && open_ring(&kept.ring)) {
        kept.is = register_buffer(&kept.ring, &kept.range);
        if (!kept.is) {
            close_ring(&kept.ring);
        }
    }
}

static void end_kept(void)
{
    say(" kept");
    prepare_data(data_fd);
    add_transfer(&kept.ring, true, true, data_fd, &kept.range);
    submit(&kept.ring);
    await(&kept.ring, 1);
    say_written(data_fd, kept.range.length);
    close_ring(&kept.ring);
    kept.is = false;
}

/* An advice that no function of the C library gives. */
static void advise(struct random *random)
{
    static const int advices[] = { MADV_DONTNEED, MADV_DONTNEED, MADV_WILLNEED, MADV_COLD, 99 };
    struct io_uring_sqe request = { .opcode = IORING_OP_MADVISE };
    struct range range;
    struct ring ring;

    request.fadvise_advice = random_of(random, advices);
    if (!pick_plain_range(random, &range) || !is_definite(&range)) {
        say(" indefinite");
        return;
    }
    say(" advice %u", request.fadvise_advice);
    if (!open_ring(&ring)) {
        return;
    }
    request.addr = (uintptr_t)range.address;
    request.len = range.length;
    add_request(&ring, &request);
    submit(&ring);
    await(&ring, 1);
    close_ring(&ring);
    set_state(range.area, range.page, range.pages, HINTED, 0);
    say_content(range.area, 0, range.area->pages);
}

/*
 * MSG_ZEROCOPY
 */
static bool is_readable(const struct range *range)
{
    unsigned char value;

    for (unsigned i = 0; i < range->pages; i++) {
        if (try_read(range->address + (size_t)i * PAGE, &value)) {
            return false;
        }
    }
    return true;
}

/* Fills what the peer takes unasked, so that what is sent then stays here. */
static void stop_up(void)
{
    make_pattern(call_number());
    if (send(tcp[0], data_buffer, BEFORE, 0) != BEFORE) {
        say_broken("send");
    }
}

/* Returns a hash of so much, however it comes. */
static uint64_t receive(size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t n = recv(tcp[1], data_buffer + done, length - done, 0);

        if (n <= 0 && errno != EINTR) {
            say_broken("recv");
            break;
        }
        done += n > 0 ? n : 0;
    }
    return hash_of(data_buffer, done, 0);
}

/* The kernel tells when it no longer needs the memory. */
static void await_release(void)
{
    char control[256];
    struct msghdr message = { .msg_control = control, .msg_controllen = sizeof(control) };

    while (recvmsg(tcp[0], &message, MSG_ERRQUEUE) < 0) {
        struct pollfd error = { .fd = tcp[0] };

        if (errno != EAGAIN && errno != EINTR) {
            say_broken("recvmsg");
            return;
        }
        poll(&error, 1, 1000);
        message.msg_controllen = sizeof(control);
    }
}

static void call_zerocopy(struct random *random)
{
    struct range range;
    struct area *new;
    ssize_t n;

    if (!pick_referred(random, &range, AREA_PAGES)) {
        return;
    }
    if (!is_readable(&range)) {
        say(" not readable");
        return;
    }
    stop_up();
    errno = ERRNO_BEFORE;
    n = send(tcp[0], range.address, range.length, MSG_ZEROCOPY);
    say_count(n);
    new = disturb(random, &range, if_gentle(NO_WRITE));
    reuse(&range);
    receive(BEFORE);
    if (n > 0) {
        say(" received");
        say_hash(receive(n));
        await_release();
    }
    look_at_all(&range, new);
}

/* The same by a ring: what it says first is the result, and then that it is done. */
static void send_by_ring(struct random *random)
{
    bool registered = random_once_in(random, 2);
    struct io_uring_sqe request = { .opcode = IORING_OP_SEND_ZC, .fd = tcp[0] };
    struct range range;
    struct ring ring;
    struct area *new;

    if (!pick_referred(random, &range, AREA_PAGES)) {
        return;
    }
    if (!is_readable(&range) || !open_ring(&ring)) {
        say(" not readable");
        return;
    }
    say(registered ? " registered" : "");
    if (!registered || register_buffer(&ring, &range)) {
        request.addr = (uintptr_t)range.address;
        request.len = range.length;
        request.msg_flags = MSG_WAITALL;
        request.ioprio = registered ? IORING_RECVSEND_FIXED_BUF : 0;
        stop_up();
        add_request(&ring, &request);
        submit(&ring);
        await(&ring, 1);
        new = disturb(random, &range, if_gentle(NO_WRITE));
        reuse(&range);
        receive(BEFORE);
        say(" received");
        say_hash(receive(range.length));
        await(&ring, 1);
        look_at_all(&range, new);
    }
    close_ring(&ring);
}

/* With signals the kernel may give up starting a thread of its own for a request. */
static void uninterrupted(call_function *run, struct random *random)
{
    sigset_t before;

    hold_interrupts(&before);
    run(random);
    release_interrupts(&before);
}

static void call_uring(struct random *random)
{
    uninterrupted(transfer, random);
}

static void call_uring_keep(struct random *random)
{
    uninterrupted(keep, random);
}

static void call_uring_madvise(struct random *random)
{
    uninterrupted(advise, random);
}

static void call_uring_zerocopy(struct random *random)
{
    uninterrupted(send_by_ring, random);
}

static void fail(const char *what)
{
    perror(what);
    _exit(97);
}

/* A connection to ourselves whose receiver has little room, and whose sender has much. */
static void connect_tcp(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int little = 8 * 1024, much = 4 * 1024 * 1024, on = 1;

    tcp[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
    setsockopt(tcp[0], SOL_SOCKET, SO_SNDBUFFORCE, &much, sizeof(much));
    if (bind(listener, (void *)&address, size) || listen(listener, 1) ||
        getsockname(listener, (void *)&address, &size) ||
        connect(tcp[0], (void *)&address, size)) {
        fail("memcalls: TCP");
    }
    tcp[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (tcp[1] < 0 || setsockopt(tcp[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on))) {
        fail("memcalls: TCP without copies");
    }
    close(listener);
}

void prepare_flight(void)
{
    main_process = getpid();
    if (settings.disk && syscall(SYS_io_setup, 4, &aio)) {
        fail("memcalls: AIO");
    }
    connect_tcp();
}

void end_flight_sequence(void)
{
    if (kept.is) {
        end_kept();
    }
}

const struct call flight_calls[] = {
    { "vmsplice", 6, 6, call_vmsplice },
    { "aio", 5, 5, call_aio },
    { "uring", 8, 8, call_uring },
    { "uring-keep", 1, 1, call_uring_keep },
    { "uring-madvise", 2, 0, call_uring_madvise },
    { "zerocopy", 3, 3, call_zerocopy },
    { "uring-zerocopy", 2, 2, call_uring_zerocopy },
    { 0 },
};
