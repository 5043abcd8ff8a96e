/* SPDX-License-Identifier: GPL-2.0-or-later */
/* malloc() and its like */
#define _GNU_SOURCE
#include "memcalls.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 24

static struct block {
    unsigned char *bytes;
    size_t size;
    unsigned char first;        /* of its content */
} blocks[BLOCKS];

static void fill(struct block *block)
{
    block->first = call_number();
    for (size_t i = 0; i < block->size; i++) {
        block->bytes[i] = block->first + i * 7;
    }
}

static void check(const struct block *block, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (block->bytes[i] != (unsigned char)(block->first + i * 7)) {
            say_broken("what was allocated has another content");
            return;
        }
    }
}

static size_t pick_size(struct random *random)
{
    static const size_t edges[] = { 0, 1, 8, 15, 16, 17, 24, 4095, 4096, 4097, 131071, 131072 };

    switch (random_below(random, 8)) {
    case 0:
        return random_of(random, edges);
    case 1:
        return random_below(random, 400000);
    default:
        return random_below(random, 1u << random_below(random, 14));
    }
}

static struct block *pick_block(struct random *random)
{
    struct block *block = &blocks[random_below(random, BLOCKS)];

    say(" %d", (int)(block - blocks));
    return block;
}

static void let_go(struct block *block)
{
    check(block, block->size);
    errno = ERRNO_BEFORE;
    free(block->bytes);
    say_result(true);
    *block = (struct block) { 0 };
}

/* @aligned: what its address must be a multiple of. */
static void take(struct block *block, void *bytes, size_t size, size_t aligned)
{
    say_result(bytes);
    if (!bytes) {
        return;
    }
    if (size && (uintptr_t)bytes % aligned) {
        say_broken("misaligned");
    }
    if (malloc_usable_size(bytes) < size) {
        say_broken("less is usable than was asked for");
    }
    block->bytes = bytes;
    block->size = size;
    fill(block);
}

static void call_allocate(struct random *random)
{
    struct block *block = pick_block(random);
    size_t size = pick_size(random), aligned;
    void *bytes = NULL;

    if (block->bytes) {
        let_go(block);
        return;
    }
    say(" %zu", size);
    aligned = (size_t)1 << (4 + random_below(random, 10));
    errno = ERRNO_BEFORE;
    switch (random_below(random, 12)) {
    case 0:
        say(" aligned_alloc %zu", aligned);
        size = (size + aligned - 1) & -aligned;
        take(block, aligned_alloc(aligned, size), size, aligned);
        break;
    case 1:
        say(" posix_memalign %zu -> %d", aligned, posix_memalign(&bytes, aligned, size));
        take(block, bytes, size, aligned);
        break;
    case 2:
        say(" memalign %zu", aligned);
        take(block, memalign(aligned, size), size, aligned);
        break;
    case 3:
        say(" valloc");
        take(block, valloc(size), size, PAGE);
        break;
    case 4:
        say(" pvalloc");
        take(block, pvalloc(size), size, PAGE);
        break;
    case 5:
    case 6:
        say(" calloc");
        bytes = calloc(size, 1);
        for (size_t i = 0; bytes && i < size; i++) {
            if (((char *)bytes)[i]) {
                say_broken("calloc: not zero");
                break;
            }
        }
        take(block, bytes, size, size < 16 ? 8 : 16);
        break;
    default:
        say(" malloc");
        take(block, malloc(size), size, size < 16 ? 8 : 16);
    }
}

static void call_realloc(struct random *random)
{
    struct block *block = pick_block(random);
    size_t size = pick_size(random) + 1, old = block->size;
    unsigned char *bytes;

    say(" %zu", size);
    errno = ERRNO_BEFORE;
    bytes = random_once_in(random, 2) ? realloc(block->bytes, size)
                                      : reallocarray(block->bytes, size, 1);
    if (bytes) {
        block->bytes = bytes;
        check(block, old < size ? old : size);
    }
    take(block, bytes, size, size < 16 ? 8 : 16);
}

/* What must fail. */
static void call_refused(struct random *random)
{
    volatile size_t huge = (size_t)1 << 62;
    void *bytes = (void *)1;

    errno = ERRNO_BEFORE;
    switch (random_below(random, 6)) {
    case 0:
        say_result(malloc(huge));
        break;
    case 1:
        say_result(calloc(huge, 8));
        break;
    case 2:
        say_result(realloc(NULL, huge));
        break;
    case 3:
        say_result(reallocarray(NULL, huge, 8));
        break;
    case 4:
        say(" %d", posix_memalign(&bytes, 24, 100));
        say(bytes == (void *)1 ? "" : " changed");
        break;
    default:
        say(" %d", posix_memalign(&bytes, 64, huge));
    }
}

/* What the C library allocates, and the program frees. */
static void call_from_libc(struct random *random)
{
    char *text = NULL;
    size_t size = 0;

    errno = ERRNO_BEFORE;
    switch (random_below(random, 4)) {
    case 0:
        text = strdup("strdup");
        break;
    case 1:
        say(" %d", asprintf(&text, "%d is the number", (int)call_number()));
        break;
    case 2: {
        FILE *file = open_memstream(&text, &size);

        fprintf(file, "%0200d", 7);
        fclose(file);
        break;
    }
    default:
        text = realpath("/proc/./self/..", NULL);
    }
    say(" %s", text);
    free(text);
}

static void call_trim(struct random *random)
{
    (void)random;
    malloc_trim(0);             /* its result is the allocator's affair */
}

void end_malloc_sequence(void)
{
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (blocks[i].bytes) {
            check(&blocks[i], blocks[i].size);
            free(blocks[i].bytes);
            blocks[i] = (struct block) { 0 };
        }
    }
}

const struct call malloc_calls[] = {
    { "allocate", 30, 30, call_allocate },
    { "realloc", 10, 10, call_realloc },
    { "refused", 2, 2, call_refused },
    { "from-libc", 3, 3, call_from_libc },
    { "trim", 1, 1, call_trim },
    { 0 },
};
