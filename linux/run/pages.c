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

static size_t index_of(const struct pages *p, uintptr_t address)
{
    return (address - p->start) / PAGE_SIZE;
}

/* The first page from @i on whose bit is @wanted, or @end. */
static size_t find(const uint64_t *bits, size_t i, size_t end, bool wanted)
{
    while (i < end) {
        uint64_t word = bits[i / BITS];

        word = (wanted ? word : ~word) >> i % BITS;
        if (word) {
            i += __builtin_ctzll(word);
            return i < end ? i : end;
        }
        i += BITS - i % BITS;
    }
    return end;
}

static void take(struct pages *p, size_t first, size_t nr)
{
    for (size_t i = first; i < first + nr; i++) {
        if (!test(p->used, i)) {
            p->used[i / BITS] |= UINT64_C(1) << i % BITS;
            p->in_use++;
        }
    }
    if (p->in_use > p->most_in_use) {
        p->most_in_use = p->in_use;
    }
}

size_t pages_bits_size(size_t nr)
{
    return 2 * words(nr) * sizeof(uint64_t);
}

void pages_init(struct pages *p, uintptr_t start, size_t nr, void *bits)
{
    *p = (struct pages) { .start = start, .nr = nr, .used = bits };
    p->foreign = p->used + words(nr);
}

uintptr_t pages_take(struct pages *p, size_t nr, size_t align)
{
    size_t first = 0;

    while ((first = find(p->used, first, p->nr, false)) < p->nr) {
        uintptr_t address = p->start + first * PAGE_SIZE;
        size_t end;

        /* By addresses: the region need not begin at a multiple. */
        first += (-address & (align - 1)) / PAGE_SIZE;
        if (first >= p->nr || nr > p->nr - first) {
            return 0;
        }
        end = find(p->used, first, first + nr, true);
        if (end == first + nr) {
            take(p, first, nr);
            return p->start + first * PAGE_SIZE;
        }
        first = end;
    }
    return 0;
}

bool pages_take_at(struct pages *p, uintptr_t address, size_t nr)
{
    size_t first = index_of(p, address);

    if (first > p->nr || nr > p->nr - first ||
        find(p->used, first, first + nr, true) != first + nr) {
        return false;
    }
    take(p, first, nr);
    return true;
}

void pages_use(struct pages *p, uintptr_t address, size_t nr)
{
    take(p, index_of(p, address), nr);
}

void pages_free(struct pages *p, uintptr_t address, size_t nr)
{
    size_t first = index_of(p, address);

    for (size_t i = first; i < first + nr; i++) {
        if (test(p->used, i) && !test(p->foreign, i)) {
            p->used[i / BITS] &= ~(UINT64_C(1) << i % BITS);
            p->in_use--;
        }
    }
}

void pages_make_foreign(struct pages *p, uintptr_t address, size_t nr)
{
    size_t first = index_of(p, address);

    take(p, first, nr);
    for (size_t i = first; i < first + nr; i++) {
        p->foreign[i / BITS] |= UINT64_C(1) << i % BITS;
    }
}

bool pages_are_foreign(const struct pages *p, uintptr_t address)
{
    return test(p->foreign, index_of(p, address));
}

size_t pages_alike(const struct pages *p, uintptr_t address, size_t nr)
{
    size_t first = index_of(p, address);
    bool foreign = test(p->foreign, first);

    return find(p->foreign, first, first + nr, !foreign) - first;
}
