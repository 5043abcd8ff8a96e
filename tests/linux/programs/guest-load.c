/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Uses one primary region after another, until SIGTERM, and checks all data
 *
 *     guest-load [MIB]
 *
 * Two threads write and read their halves. Where there is no device, memory is
 * ordinary memory. Prints how many regions it has had; the exit code is 1 if a
 * word was wrong.
 */
#include "region.h"

#include <pthread.h>

#define ROUNDS 4

static volatile sig_atomic_t stop;

static void on_term(int signal)
{
    (void)signal;
    stop = 1;
}

struct half {
    pthread_t thread;
    volatile uint64_t *memory;
    size_t size;
    uint64_t seed;
};

static void *use(void *opaque)
{
    struct half *half = opaque;

    for (int round = 0; round < ROUNDS; round++) {
        fill(half->memory, half->size, half->seed + round);
        usleep(1);
        CHECK(wrong_words(half->memory, half->size, half->seed + round) == 0);
    }
    return NULL;
}

/* A region if there can be one, else ordinary memory. */
static void *get_memory(size_t size, int *regions)
{
    struct dseg_guest_create create = { .size = size };
    int fd = open(DSEG_GUEST_DEVICE, O_RDWR | O_CLOEXEC);
    int error = fd < 0 ? errno : request(fd, DSEG_GUEST_CREATE, &create);
    void *memory = (void *)create.address;

    if (fd >= 0) {
        close(fd);
    }
    if (!error) {
        ++*regions;
        return memory;
    }
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

int main(int argc, char **argv)
{
    size_t size = (argc > 1 ? atoi(argv[1]) : 2) * MIB;
    int rounds = 0, regions = 0;

    signal(SIGTERM, on_term);
    while (!stop) {
        char *memory = get_memory(size, &regions);
        struct half halves[2];

        for (int i = 0; i < 2; i++) {
            halves[i] = (struct half) {
                .memory = (void *)(memory + i * size / 2), .size = size / 2,
                .seed = 100 * ++rounds,
            };
            CHECK(pthread_create(&halves[i].thread, NULL, use, &halves[i])
                  == 0);
        }
        for (int i = 0; i < 2; i++) {
            CHECK(pthread_join(halves[i].thread, NULL) == 0);
        }
        CHECK(munmap(memory, size) == 0);
    }
    printf("regions: %d\n", regions);
    return 0;
}
