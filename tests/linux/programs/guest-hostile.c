/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A segment translates for its own process only
 *
 * Others have memory of their own at the same virtual addresses and take turns
 * on the same CPU as often as they can: each must see nothing but its own.
 */
#include "region.h"

#include <pthread.h>

#define SIZE (1 * MIB)
#define ADDRESS 0x200000000000ul
#define ROUNDS 300

/* Ordinary memory at the address of the regions. */
static void *map_ordinary(void)
{
    void *memory = mmap((void *)ADDRESS, SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    CHECK(memory == (void *)ADDRESS);
    return memory;
}

/* Write and read own memory, and let the others run in between. */
static void take_turns(volatile uint64_t *memory, uint64_t seed, int rounds)
{
    fill(memory, SIZE, seed);
    for (int round = 0; round < rounds; round++) {
        usleep(1);              /* a yield may come back at once */
        CHECK(wrong_pages(memory, SIZE, seed) == 0);
        memory[round * 512 % (SIZE / 8)] = word(seed, round * 512 % (SIZE / 8));
    }
    CHECK(wrong_words(memory, SIZE, seed) == 0);
}

static pid_t start(void (*run)(int number), int number, int cpu)
{
    pid_t child = fork();

    if (!child) {
        run_on(cpu);
        run(number);
        _exit(0);
    }
    return child;
}

static void with_region(int number)
{
    int fd = open_device();

    take_turns(make_region(fd, SIZE, ADDRESS), number, ROUNDS);
    CHECK(is_active(fd));
}

static void without_region(int number)
{
    take_turns(map_ordinary(), number, ROUNDS);
}

/* Two with a region, two without, all at one address, on each of two CPUs. */
static void same_address(void)
{
    pid_t children[8];

    for (int i = 0; i < 8; i++) {
        children[i] = start(i % 4 < 2 ? with_region : without_region, i + 1,
                            i / 4);
    }
    for (int i = 0; i < 8; i++) {
        CHECK(exit_code(children[i]) == 0);
    }
}

/* What runs in a new program whose stack is at the address of the region. */
static void *on_stack(void *unused)
{
    volatile uint64_t local[8192];

    CHECK((uintptr_t)local - ADDRESS < SIZE);
    (void)unused;
    for (int round = 0; round < ROUNDS / 3; round++) {
        for (size_t i = 0; i < 8192; i++) {
            local[i] = word(round, i);
        }
        usleep(1);
        CHECK(wrong_words(local, sizeof(local), round) == 0);
    }
    return NULL;
}

static void occupant(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    map_ordinary();
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstack(&attributes, (void *)ADDRESS, SIZE) == 0);
    CHECK(pthread_create(&thread, &attributes, on_stack, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    take_turns((void *)ADDRESS, 99, ROUNDS / 3);
}

/* vfork: a child in the parent's address space, and then in one of its own. */
static void vfork_and_exec(void)
{
    int fd = open_device();
    volatile uint64_t *memory = make_region(fd, SIZE, ADDRESS);

    run_on(0);
    fill(memory, SIZE, 7);
    for (int round = 0; round < 5; round++) {
        pid_t child = vfork();

        if (!child) {
            memory[round] = word(7, round) + 1;     /* the parent's memory */
            execl("/proc/self/exe", "guest-hostile", "occupant", NULL);
            _exit(3);
        }
        CHECK(memory[round] == word(7, round) + 1);
        memory[round] = word(7, round);
        for (int turn = 0; turn < ROUNDS; turn++) {
            usleep(1);
            CHECK(wrong_pages(memory, SIZE, 7) == 0);
        }
        CHECK(exit_code(child) == 0);
        CHECK(wrong_words(memory, SIZE, 7) == 0);
    }
    CHECK(is_active(fd));
}

/* exec: what was a region is not there in the next program. */
static void exec_leaves_nothing(void)
{
    pid_t child = fork();

    if (!child) {
        fill(make_region(open_device(), SIZE, ADDRESS), SIZE, 8);
        execl("/proc/self/exe", "guest-hostile", "successor", NULL);
        _exit(3);
    }
    CHECK(exit_code(child) == 0);
}

static void successor(void)
{
    CHECK(faults((void *)ADDRESS, false));
    CHECK(faults((void *)ADDRESS, true));
    volatile uint64_t *memory = map_ordinary();

    for (size_t i = 0; i < SIZE / 8; i++) {
        CHECK(memory[i] == 0);
    }
    take_turns((void *)ADDRESS, 9, ROUNDS / 3);
}

/* A thread that goes on changing one half of the region while others fork. */
struct writer {
    volatile uint64_t *memory;
    volatile bool stop;
};

static void *keep_writing(void *opaque)
{
    struct writer *writer = opaque;

    run_on(1);
    while (!writer->stop) {
        fill(writer->memory + SIZE / 16, SIZE / 2, 11);
    }
    return NULL;
}

static void forked(int number)
{
    volatile uint64_t *memory = (void *)ADDRESS;

    CHECK(wrong_words(memory, SIZE / 2, 10) == 0);
    take_turns(memory, 20 + number, ROUNDS / 3);
}

/* fork: children have a copy, and change it; the parent keeps its own. */
static void forked_children(void)
{
    int fd = open_device();
    struct writer writer = { .memory = make_region(fd, SIZE, ADDRESS) };
    pthread_t thread;
    pid_t children[6];

    run_on(0);
    fill(writer.memory, SIZE / 2, 10);
    CHECK(pthread_create(&thread, NULL, keep_writing, &writer) == 0);
    for (int i = 0; i < 6; i++) {
        children[i] = start(forked, i, i % 2);
    }
    for (int turn = 0; turn < ROUNDS; turn++) {
        usleep(1);
        CHECK(wrong_pages(writer.memory, SIZE / 2, 10) == 0);
    }
    for (int i = 0; i < 6; i++) {
        CHECK(exit_code(children[i]) == 0);
    }
    writer.stop = true;
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(wrong_words(writer.memory, SIZE / 2, 10) == 0);
    CHECK(wrong_words(writer.memory + SIZE / 16, SIZE / 2, 11) == 0);
    CHECK(is_active(fd));
}

/* Threads of one process make regions, fork and change maps at the same time. */
static void *make_and_drop(void *unused)
{
    (void)unused;
    for (int round = 0; round < 10; round++) {
        int fd = open_device();
        struct dseg_guest_create create = { .size = SIZE, .address = ADDRESS };
        int error = request(fd, DSEG_GUEST_CREATE, &create);
        volatile uint64_t *memory = (void *)create.address;

        CHECK(error == 0 || error == EBUSY || error == EAGAIN);
        if (!error) {
            fill(memory, SIZE, round);
            usleep(1);
            CHECK(wrong_words(memory, SIZE, round) == 0);
            CHECK(munmap((void *)memory, SIZE) == 0);
        }
        close(fd);
    }
    return NULL;
}

static void *fork_often(void *unused)
{
    (void)unused;
    for (int round = 0; round < 20; round++) {
        pid_t child = fork();

        if (!child) {
            _exit(0);
        }
        CHECK(exit_code(child) == 0);
    }
    return NULL;
}

static void threads_at_once(void)
{
    void *(*const runs[])(void *) = {
        make_and_drop, make_and_drop, fork_often
    };
    pthread_t threads[3];

    for (int i = 0; i < 3; i++) {
        CHECK(pthread_create(&threads[i], NULL, runs[i], NULL) == 0);
    }
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

/* What a thread does to a region that is being made, once and again. */
struct disturbance {
    void (*run)(void);
    volatile bool stop;
};

static void drop_pages(void)
{
    for (size_t i = 0; i < SIZE; i += 16 * PAGE) {
        madvise((void *)(ADDRESS + i), PAGE, MADV_DONTNEED);
        faults((void *)(ADDRESS + i), true);
    }
}

static void protect_page(void)
{
    mprotect((void *)(ADDRESS + SIZE / 2), PAGE, PROT_READ);
}

static void unmap_page(void)
{
    munmap((void *)(ADDRESS + SIZE / 2), PAGE);
}

static void map_page(void)
{
    mmap((void *)(ADDRESS + SIZE / 2), PAGE, PROT_READ | PROT_WRITE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void *disturb(void *opaque)
{
    struct disturbance *disturbance = opaque;

    run_on(1);
    while (!disturbance->stop) {
        disturbance->run();
        usleep(100);
    }
    return NULL;
}

static void disturbed_while_made(void)
{
    void (*const runs[])(void) = {
        drop_pages, protect_page, unmap_page, map_page
    };
    struct dseg_guest_create create = { .size = SIZE, .address = ADDRESS };
    int fd = open_device(), error;

    run_on(0);
    for (int i = 0; i < 4; i++) {
        struct disturbance disturbance = { .run = runs[i] };
        pthread_t thread;

        CHECK(pthread_create(&thread, NULL, disturb, &disturbance) == 0);
        error = request(fd, DSEG_GUEST_CREATE, &create);
        CHECK(error == 0 || error == EAGAIN);
        disturbance.stop = true;
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(error || request(fd, DSEG_GUEST_DROP, NULL) == 0);
        munmap((void *)ADDRESS, SIZE);
    }
}

/* Processes that are killed at any moment of CREATE, and after it. */
static void killed(void)
{
    for (int round = 0; round < 15; round++) {
        pid_t child = fork();

        if (!child) {
            fill(make_region(open_device(), 64 * MIB, ADDRESS), 64 * MIB, 12);
            pause();
        }
        usleep(round * 40000);
        CHECK(kill(child, SIGKILL) == 0);
        CHECK(exit_code(child) == -1);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        { "same-address", same_address },
        { "vfork-and-exec", vfork_and_exec },
        { "exec-leaves-nothing", exec_leaves_nothing },
        { "forked-children", forked_children },
        { "threads-at-once", threads_at_once },
        { "disturbed-while-made", disturbed_while_made },
        { "killed", killed },
        /* What those above exec. */
        { "occupant", occupant },
        { "successor", successor },
    };

    return run_case(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
