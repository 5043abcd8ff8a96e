/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the primary region is, and an area across its edge */
#define _GNU_SOURCE
#include "memcalls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HALF 16                 /* pages */
#define PIECES 256

char *region_start, *region_end;

/*
 * Anonymous memory that is mapped first comes from the region, which is one map
 * of the size that was asked for.
 */
void find_region(void)
{
    char *page, line[256];
    FILE *maps;

    if (!settings.region) {
        return;
    }
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof(line), maps)) {
        char *rest, *start = (char *)strtoul(line, &rest, 16),
                    *end = (char *)strtoul(rest + 1, NULL, 16);

        if (page >= start && page < end && (size_t)(end - start) == settings.region) {
            region_start = start;
            region_end = end;
        }
    }
    if (maps) {
        fclose(maps);
    }
    munmap(page, PAGE);
    if (!region_start) {
        fprintf(stderr, "memcalls: anonymous memory is not in a region of %zu bytes\n",
                settings.region);
        exit(95);
    }
}

static char *map_pages(char *at, unsigned pages, int flags)
{
    return mmap(at, (size_t)pages * PAGE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/* The HALF pages of the region that begin there, or NULL: by taking all that there are besides. */
static char *map_in_region_at(char *wanted)
{
    static const unsigned sizes[] = { 4096, 512, 64, HALF };
    static struct { char *base; size_t length; } pieces[PIECES];
    char *found = NULL;
    unsigned n = 0;

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes) && !found; ) {
        size_t length = (size_t)sizes[i] * PAGE;
        char *got = map_pages(NULL, sizes[i], 0);

        if (got == wanted && sizes[i] == HALF) {
            found = got;
        } else if (n < PIECES && got >= region_start && got < region_end &&
                   (got + length <= wanted || got >= wanted + HALF * PAGE)) {
            pieces[n].base = got;
            pieces[n++].length = length;
        } else {
            if (got != MAP_FAILED) {
                munmap(got, length);
            }
            i++;
        }
    }
    while (n--) {
        munmap(pieces[n].base, pieces[n].length);
    }
    return found;
}

void tell_of_region(void)
{
    char *page;

    if (region_start) {
        page = map_pages(NULL, 1, 0);
        dprintf(STDERR_FILENO,
                page >= region_start && page < region_end ? "region kept\n" : "region given up\n");
        munmap(page, PAGE);
    }
}

/*
 * Without a region it is one map, of which a half has been mapped over.  If the
 * place beside the region is taken, it is the same there.
 */
void add_edge(struct random *random)
{
    bool behind = random_once_in(random, 2), shared = random_once_in(random, 2);
    char *inside = NULL, *outside, *start;
    struct area *area;
    unsigned n = 0;

    if (region_start) {
        char *place = behind ? region_end : region_start - HALF * PAGE;

        outside = map_pages(place, HALF, MAP_FIXED_NOREPLACE);
        if (outside == place) {
            inside = map_in_region_at(behind ? region_end - HALF * PAGE : region_start);
            if (!inside) {
                munmap(outside, HALF * PAGE);
            }
        } else if (outside != MAP_FAILED) {
            munmap(outside, HALF * PAGE);
        }
        n = inside ? 1 : 2;
    }
    if (!inside) {
        start =
            map_apart(2 * HALF * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        inside = behind ? start : start + HALF * PAGE;
        outside = behind ? start + HALF * PAGE : start;
    }
    if (mmap(outside, HALF * PAGE, PROT_READ | PROT_WRITE,
             (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != outside) {
        say_broken("MAP_FIXED over what is ours");
    }
    say(" edge");
    area = add_area(behind ? inside : outside, 2 * HALF, MAPPED);
    if (area) {
        set_state(area, 0, 2 * HALF, HOLE_IN_REGION, 0);
    }
    if (n) {
        dprintf(STDERR_FILENO, n == 1 ? "edge\n" : "no edge\n");
    }
}
