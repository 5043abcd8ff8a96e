/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is outside of the TLB: RAM, and the translation of an address by page
 * tables and segments, with all that an entry of a TLB has of it.
 */
#ifndef TLB_WORLD_H
#define TLB_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../differential/reference.h"
#include "hierarchy.h"
#include "trace.h"

#define MAX_PHYSICAL_BITS 40

struct world {
    uint8_t *ram;               /* hPA 0 to ram_size - 1 */
    uint64_t ram_size;
    struct trace_state state;   /* of now */
    struct trace_state host;    /* of the host; differs in guest mode */
    struct ref_hash hash;
};

#define MAX_LEVELS 5

/* A gPA on the way to a page, and how it was translated. */
struct gpa {
    uint64_t gpa;
    bool by_segment;
    unsigned top, leaf;         /* levels of the nested walk */
    uint64_t entry[MAX_LEVELS]; /* hPAs of what it reads, from the root's on */
};

struct translation {
    bool faults;
    bool by_segments_alone;     /* native-direct, dual-direct */
    enum pages pages;
    enum pages mapping;         /* that of the first dimension's tables */
    bool global, store;
    uint64_t hpa;
    struct ref_result result;
    /* The walk of the guest's tables, or the host's; top 0: there is none. */
    unsigned top, leaf;
    uint64_t entry[MAX_LEVELS]; /* hPAs: [i] that of the entry of top - i */
    /* In a guest: [i] that of the entry of level top - i; then the page's. */
    unsigned gpas;
    struct gpa gpa[MAX_LEVELS + 1];
};

void world_init(struct world *world, uint64_t ram_size);
void world_free(struct world *world);

/* Copy bytes into RAM; false if there is none. */
bool world_write(struct world *world, uint64_t hpa, const void *bytes,
                 size_t size);

/* Whether accesses use the TLB at all now. */
bool world_uses_tlb(const struct world *world);

/* ASID and PCID of now. */
unsigned world_asid(const struct world *world);
unsigned world_pcid(const struct world *world);

/* Translate, and change nothing. */
void world_translate(struct world *world, uint64_t address, enum kind kind,
                     struct translation *translation);

/* Set the accessed and dirty bits that this translation sets in RAM. */
void world_set_bits(struct world *world, const struct translation *translation);

#endif
