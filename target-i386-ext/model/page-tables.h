/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the shapes of x86 page tables
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_PAGE_TABLES_H
#define DSEG_MODEL_PAGE_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#define DSEG_PAGE_BITS 12
#define DSEG_PAGE_SIZE (UINT64_C(1) << DSEG_PAGE_BITS)
#define DSEG_PAGE_MASK (~(DSEG_PAGE_SIZE - 1))

/* Whether bits 63 to @virt_bits - 1 of @addr are all the same. */
static inline bool dseg_canonical(uint64_t addr, unsigned virt_bits)
{
    uint64_t top = addr >> (virt_bits - 1);

    return top == 0 || top == UINT64_MAX >> (virt_bits - 1);
}

/*
 * The paging modes of the AMD64 Architecture (APM volume 2, chapter 5), in the
 * order of their levels: see dseg_paging_levels().
 */
typedef enum DsegPagingMode {
    DSEG_PAGING_NONE,   /* CR0.PG = 0: addresses are not translated */
    DSEG_PAGING_LEGACY, /* 2 levels of 32-bit entries: 4 KiB and 4 MiB pages */
    DSEG_PAGING_PAE,    /* 3 levels: 4 KiB and 2 MiB pages */
    DSEG_PAGING_LONG4,  /* 4 levels: 4 KiB, 2 MiB and 1 GiB pages */
    DSEG_PAGING_LONG5,  /* 5 levels: the same page sizes */
} DsegPagingMode;

/* The kind of mapping that ended a translation in one dimension. */
typedef enum DsegPageKind {
    DSEG_PAGE_4K,
    DSEG_PAGE_2M,
    DSEG_PAGE_4M,
    DSEG_PAGE_1G,
    DSEG_PAGE_SEGMENT,  /* no page: a segment translated it */
    DSEG_PAGE_NONE,     /* that dimension has no paging */
    DSEG_PAGE__MAX,
} DsegPageKind;

/* The most levels that a mode has. */
#define DSEG_MAX_LEVELS 5

/* How many levels @mode has: 0, 2, 3, 4 or 5. */
static inline unsigned dseg_paging_levels(DsegPagingMode mode)
{
    return mode == DSEG_PAGING_NONE ? 0 : mode + 1;
}

/* The level of the table that maps pages of 2^@lg_size bytes; 1 is the lowest. */
static inline unsigned dseg_leaf_level(unsigned lg_size)
{
    return lg_size < 21 ? 1 : lg_size < 30 ? 2 : 3;
}

/*
 * How many page-table entries a walk in @mode reads until it finds a page of
 * 2^@lg_size bytes.  0 for DSEG_PAGING_NONE.  @lg_size is one of 12, 21, 22
 * and 30, as far as @mode has such pages.
 */
static inline unsigned dseg_paging_refs(DsegPagingMode mode, unsigned lg_size)
{
    return mode == DSEG_PAGING_NONE ? 0 :
           dseg_paging_levels(mode) - dseg_leaf_level(lg_size) + 1;
}

/*
 * How many address bits level @level of @mode leaves untranslated: a page that
 * an entry there maps has 2^that bytes.  1 is the lowest level.
 */
unsigned dseg_paging_shift(DsegPagingMode mode, unsigned level);

/* The kind of a page of 2^@lg_size bytes; DSEG_PAGE_NONE for other sizes. */
static inline DsegPageKind dseg_page_kind(unsigned lg_size)
{
    switch (lg_size) {
    case 12:
        return DSEG_PAGE_4K;
    case 21:
        return DSEG_PAGE_2M;
    case 22:
        return DSEG_PAGE_4M;
    case 30:
        return DSEG_PAGE_1G;
    default:
        return DSEG_PAGE_NONE;
    }
}

/*
 * Loads the page-table entry of @size (4 or 8) bytes at @addr, an address in
 * the space that the tables live in, into *@value.  Returns false if nothing
 * can be read there.  Must not change anything.
 */
typedef bool DsegLoad(void *opaque, uint64_t addr, unsigned size,
                      uint64_t *value);

/* Page tables, ready to be read: all that their reader has to know. */
typedef struct DsegTables {
    DsegPagingMode mode;
    uint64_t root;      /* CR3 or nCR3, with its flag bits */
    bool large_pages;   /* CR4.PSE: 4 MiB pages; only DSEG_PAGING_LEGACY asks */
    bool no_execute;    /* EFER.NXE */
    unsigned phys_bits; /* MAXPHYADDR */
    DsegLoad *load;
    void *opaque;
} DsegTables;

typedef enum DsegLookup {
    DSEG_LOOKUP_MAPPED,
    DSEG_LOOKUP_NOT_PRESENT,
    DSEG_LOOKUP_RESERVED,   /* an entry has a reserved bit set */
    DSEG_LOOKUP_UNREADABLE, /* an entry could not be loaded */
} DsegLookup;

/* What page tables say of one address. */
typedef struct DsegMapping {
    uint64_t addr;      /* the address that it maps to */
    unsigned lg_size;   /* of the page, or of the hole if there is none */
    bool writable;      /* R/W in every entry */
    bool user;          /* U/S in every entry */
    bool executable;    /* NX in no entry */
} DsegMapping;

/*
 * Reads what @tables say of @addr, the way a debugger does: no accessed or
 * dirty bit is set and no permission is asked for.  With DSEG_PAGING_NONE
 * every address maps to itself.  @out->lg_size is always set, by what the entry
 * covers that ended the lookup; the rest for DSEG_LOOKUP_MAPPED only.
 */
DsegLookup dseg_tables_lookup(const DsegTables *tables, uint64_t addr,
                              DsegMapping *out);

#endif
