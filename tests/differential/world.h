/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random world: the state of a CPU and its guest, page tables, segments and
 * the filter.
 *
 * All memory of the test lies in a window of 16 MiB. What is linear here maps
 * an address to that in the window whose low 30 bits are the same, so that
 * pages of any size, and segments, can stand for each other; and only a few
 * pages of each 2 MiB are in use ("hot"): the last and the first ones, so that
 * neighbours meet where a table ends. So tables need few entries, and what is
 * random about them is still likely to be met.
 */
#ifndef DIFFERENTIAL_WORLD_H
#define DIFFERENTIAL_WORLD_H

#include "lib/memory.h"
#include "random.h"
#include "reference.h"

#define WINDOW (32 * MiB)                   /* hPA; the guest's tables first */
#define WINDOW_END (48 * MiB)
#define DATA (WINDOW + 6 * MiB)             /* hPA of data, and code to fetch */
#define NESTED_TABLES (48 * MiB)            /* hPA */
#define NESTED_TABLES_END (NESTED_TABLES + NESTED_TABLE_COUNT * PAGE)
/*
 * What should be in the tables: a copy of all that is below DATA, and of the
 * nested ones; moved a little, so that a table and its shadow don't compete for
 * a place in QEMU's TLB.
 */
#define SHADOW (56 * MiB + 32 * PAGE)
/* No device is there, and no memory: it reads as 0. */
#define HOLE (8 * GiB)

#define GUEST_TABLES 18
#define NESTED_TABLE_COUNT 18
#define TABLES (GUEST_TABLES + NESTED_TABLE_COUNT)

/*
 * The guest's code, where paging maps it for the kernel and for users, and its
 * gPA.
 */
#define CODE_KERNEL (2 * GiB + WINDOW)
#define CODE_USER (CODE_KERNEL + PAGE)
#define CODE_HPA (WINDOW + 4 * MiB + PAGE)
#define CODE_SLOT (2 * GiB)
#define CODE_GPA (CODE_SLOT + CODE_HPA)

enum mode { MODE_LONG, MODE_COMPATIBILITY, MODE_PAE, MODE_UNPAGED };

#define MAX_ADDED 300

struct world {
    struct ref_state state;
    enum mode mode;
    /* L1's own guest segment; nothing of L1 is in it. */
    struct ref_segment host_segment;
    bool without_guest;                     /* L1 itself makes the accesses */
    /* All of the guest's memory is in the 1 GiB where its code is. */
    bool one_slot;
    uint64_t added[MAX_ADDED];
    bool writes_filter;                     /* after adding those pages */
    /* One entry in so many has something wrong with it; 0: none. */
    unsigned anomalies;
};

struct try {
    struct ref_access ref;
    unsigned size;                          /* bytes: 1, 2 or 4 */
    unsigned cpl;                           /* 0 or 3 */
    bool after_load;                        /* a store, of the same bytes */
};

static inline bool straddles(const struct try *access)
{
    return access->ref.gva % PAGE + access->size > PAGE;
}

/* Fill the data pages and the guest's code, once. */
void world_init(void);

/*
 * Make a world. The host has that many levels of page tables. Writes tables and
 * their shadow, but no registers.
 */
void world_make(struct world *world, struct random *random,
                const struct ref_hash *hash, unsigned host_levels,
                unsigned maxphyaddr);

/* Make up an access. */
void world_access(const struct world *world, struct random *random,
                  struct try *access);

/* The hPA of a table, by number. */
uint64_t table_hpa(unsigned number);

static inline bool in_data(uint64_t hpa)
{
    return hpa >= DATA && hpa < WINDOW_END;
}

static inline bool in_tables(uint64_t hpa)
{
    return (hpa >= WINDOW && hpa < DATA && (hpa & -PAGE) != CODE_HPA) ||
           (hpa >= NESTED_TABLES && hpa < NESTED_TABLES_END);
}

/* What an entry of a table, at this hPA, should be. */
static inline uint64_t *shadow_of(uint64_t hpa)
{
    uint64_t offset = hpa < DATA ? hpa - WINDOW
                                 : hpa - NESTED_TABLES + DATA - WINDOW;

    return (uint64_t *)(SHADOW + offset);
}

#endif
