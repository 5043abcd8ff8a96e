/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of the primary region are in use: bits, found a word at a time
 */
#include "pages.h"

#define BITS 64u

static size_t words(size_t nr)
{
    return (nr + BITS - 1) / BITS;
}

static bool test(const uint64_t *bits, size_t i)
{
    return bits[i / BITS] >> i % BITS & 1;
}

static void set(uint64_t *bits, size_t i)
{
    bits[i / BITS] |= UINT64_C(1) << i % BITS;
}

static void clear(uint64_t *bits, size_t i)
{
    bits[i / BITS] &= ~(UINT64_C(1) << i % BITS);
}

static size_t index_of(const struct pages *p, uintptr_t address)
{
    return (address - p->start) / PAGE_SIZE;
}

/* The first page from @i on that has one of both bits, or none of them, as
   @wanted; or @end. */
static size_t find(const uint64_t *a, const uint64_t *b, size_t i, size_t end,
                   bool wanted)
{
    while (i < end) {
        uint64_t word = a[i / BITS] | b[i / BITS];

        word = (wanted ? word : ~word) >> i % BITS;
        if (word) {
            i += __builtin_ctzll(word);
            return i < end ? i : end;
        }
        i += BITS - i % BITS;
    }
    return end;
}

size_t pages_bits_size(size_t nr)
{
    return 3 * words(nr) * sizeof(uint64_t);
}

void pages_init(struct pages *p, uintptr_t start, size_t nr, void *bits)
{
    *p = (struct pages) { .start = start, .nr = nr, .used = bits };
    p->held = p->used + words(nr);
    p->stale = p->held + words(nr);
}

uintptr_t pages_find(const struct pages *p, size_t nr, size_t align)
{
    size_t first = 0;

    while ((first = find(p->used, p->held, first, p->nr, false)) < p->nr) {
        uintptr_t address = p->start + first * PAGE_SIZE;
        size_t end;

        /* By addresses: the region need not begin at a multiple. */
        first += (-address & (align - 1)) / PAGE_SIZE;
        if (first >= p->nr || nr > p->nr - first) {
            return 0;
        }
        end = find(p->used, p->held, first, first + nr, true);
        if (end == first + nr) {
            return p->start + first * PAGE_SIZE;
        }
        first = end;
    }
    return 0;
}

void pages_use(struct pages *p, uintptr_t address, size_t nr)
{
    size_t first = index_of(p, address);

    for (size_t i = first; i < first + nr; i++) {
        p->in_use += !test(p->used, i);
        set(p->used, i);
        clear(p->held, i);
        clear(p->stale, i);
    }
    if (p->in_use > p->most_in_use) {
        p->most_in_use = p->in_use;
    }
}

void pages_free(struct pages *p, uintptr_t address, size_t nr)
{
    size_t first = index_of(p, address);

    for (size_t i = first; i < first + nr; i++) {
        if (test(p->used, i)) {
            set(p->stale, i);
            clear(p->used, i);
            p->in_use--;
        }
    }
}

void pages_leave(struct pages *p, uintptr_t address, size_t nr)
{
    size_t first = index_of(p, address);

    for (size_t i = first; i < first + nr; i++) {
        set(p->used, i);
    }
}

void pages_hold(struct pages *p, uintptr_t address, size_t nr)
{
    size_t first = index_of(p, address);

    for (size_t i = first; i < first + nr; i++) {
        set(p->held, i);
    }
}

bool pages_release(struct pages *p)
{
    bool any = false;

    for (size_t i = 0; i < words(p->nr); i++) {
        any |= p->held[i] != 0;
        p->held[i] = 0;
    }
    return any;
}

bool pages_are_used(const struct pages *p, uintptr_t address, size_t nr)
{
    size_t first = index_of(p, address);

    return find(p->used, p->used, first, first + nr, false) == first + nr;
}

bool pages_are_unused(const struct pages *p, uintptr_t address, size_t nr)
{
    size_t first = index_of(p, address);

    return find(p->used, p->used, first, first + nr, true) == first + nr;
}

size_t pages_run(const struct pages *p, const uint64_t *bits, bool wanted,
                 uintptr_t *address, size_t nr)
{
    size_t end = index_of(p, *address) + nr;
    size_t first = find(bits, bits, index_of(p, *address), end, wanted);

    *address = p->start + first * PAGE_SIZE;
    return find(bits, bits, first, end, !wanted) - first;
}
