/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the test programs of dseg-guest share
 *
 * Each program is run with the name of one of its cases. It ends with exit
 * code 0 if all of that holds, else with 1 and a line that says what does not.
 */
#ifndef REGION_H
#define REGION_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dseg-guest.h>

#define PAGE 4096ul
#define MIB (1ul << 20)

#define CHECK(condition) do {                                              \
        if (!(condition)) {                                                \
            printf("%s:%d: does not hold: %s (errno %d)\n", __FILE__,      \
                   __LINE__, #condition, errno);                           \
            fflush(stdout);                                                \
            _exit(1);                                                      \
        }                                                                  \
    } while (0)

struct test_case {
    const char *name;
    void (*run)(void);
};

/* Run the case that the command line names; returns the exit code. */
static inline int run_case(int argc, char **argv,
                           const struct test_case *cases, int count)
{
    for (int i = 0; argc > 1 && i < count; i++) {
        if (!strcmp(cases[i].name, argv[1])) {
            cases[i].run();
            return 0;
        }
    }
    printf("no such case\n");
    return 2;
}

static inline int open_device(void)
{
    int fd = open(DSEG_GUEST_DEVICE, O_RDWR | O_CLOEXEC);

    CHECK(fd >= 0);
    return fd;
}

/* The errno of a request, or 0. */
static inline int request(int fd, unsigned long number, void *argument)
{
    return ioctl(fd, number, argument) ? errno : 0;
}

/* A region of @size bytes at @hint, or anywhere; made through @fd. */
static inline void *make_region(int fd, size_t size, uint64_t hint)
{
    struct dseg_guest_create create = { .size = size, .address = hint };

    CHECK(request(fd, DSEG_GUEST_CREATE, &create) == 0);
    return (void *)create.address;
}

static inline struct dseg_guest_info region_info(int fd)
{
    struct dseg_guest_info info;

    CHECK(request(fd, DSEG_GUEST_INFO, &info) == 0);
    return info;
}

static inline bool is_active(int fd)
{
    return region_info(fd).active;
}

static inline struct dseg_guest_walks region_walks(int fd)
{
    struct dseg_guest_walks walks;

    CHECK(request(fd, DSEG_GUEST_WALKS, &walks) == 0);
    return walks;
}

/* Word @i of a pattern: different for each @seed, and in each page. */
static inline uint64_t word(uint64_t seed, size_t i)
{
    uint64_t x = (seed << 40 | i) + 0x9e3779b97f4a7c15;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    return x ^ x >> 31;
}

static inline void fill(volatile uint64_t *memory, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size / 8; i++) {
        memory[i] = word(seed, i);
    }
}

/* How many words are not as fill() has left them. */
static inline size_t wrong_words(volatile uint64_t *memory, size_t size,
                                 uint64_t seed)
{
    size_t wrong = 0;

    for (size_t i = 0; i < size / 8; i++) {
        wrong += memory[i] != word(seed, i);
    }
    return wrong;
}

/* The same, of one word in each page: many pages are touched, and few words. */
static inline size_t wrong_pages(volatile uint64_t *memory, size_t size,
                                 uint64_t seed)
{
    size_t wrong = 0;

    for (size_t i = seed % 512; i < size / 8; i += 512) {
        wrong += memory[i] != word(seed, i);
    }
    return wrong;
}

static inline void run_on(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* The exit code of a child, or -1 if a signal has killed it. */
static inline int exit_code(pid_t child)
{
    int status;

    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Whether an access to memory causes SIGSEGV; in any thread. */
static __thread sigjmp_buf on_fault;

static inline void jump_back(int signal)
{
    (void)signal;
    siglongjmp(on_fault, 1);
}

static inline bool faults(volatile uint64_t *memory, bool write)
{
    static const struct sigaction action = { .sa_handler = jump_back };

    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    if (sigsetjmp(on_fault, 1)) {
        return true;
    }
    if (write) {
        *memory = *memory;
    } else {
        (void)*memory;
    }
    return false;
}

#endif
