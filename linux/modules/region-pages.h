/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_REGION_PAGES_H
#define DSEG_REGION_PAGES_H

#include <linux/minmax.h>
#include <linux/mm.h>

#include "region.h"

/* How many pages are moved, pinned or cleared at once. */
#define CHUNK 512

/* For one chunk of pages: too much for the stack. */
struct scratch {
	unsigned long src[CHUNK];
	unsigned long dst[CHUNK];
	struct page *pages[CHUNK];
};

/* The frame of page @i. */
static inline struct page *frame(struct dseg_region *region, unsigned long i)
{
	struct page *substitute = xa_load(&region->substitutes, i);

	return substitute ?: pfn_to_page(region->pfn + i);
}

static inline unsigned long address(const struct dseg_region *region,
				    unsigned long i)
{
	return region->start + (i << PAGE_SHIFT);
}

/* How many pages the chunk from page @i on has. */
static inline unsigned long chunk_at(const struct dseg_region *region,
				     unsigned long i)
{
	return min(region->nr - i, (unsigned long)CHUNK);
}

/* region-move.c: pages go to the frames of the region, or from one of them */

/**
 * region_move_all() - move all pages that can be moved
 * @region: which
 * @scratch: for us
 *
 * Return: 0, however many that were; -EFAULT: it is another kind of memory;
 * -ENOMEM: the memory cgroup has no room; -EINTR; another errno of pinning or
 * of migration.
 */
int region_move_all(struct dseg_region *region, struct scratch *scratch);

/**
 * region_move_onto() - put a page onto another frame, zeroed
 * @region: which
 * @i: which page; it is not pinned now
 * @page: the frame
 *
 * With the mm's lock.
 *
 * Return: 0: we have a reference to the frame that it has been on; -EAGAIN.
 */
int region_move_onto(struct dseg_region *region, unsigned long i,
		     struct page *page);

/* region-pin.c: pages stay where they are */

/**
 * region_pin_all() - pin all pages
 * @region: which
 * @scratch: for us
 *
 * Return: 0; -EAGAIN: some page is not on its frame; -EINTR, or another errno
 * of pinning.  On errors none is pinned.
 */
int region_pin_all(struct dseg_region *region, struct scratch *scratch);

/**
 * region_pin_again() - pin a page whose frame has changed
 * @region: which
 * @i: which page
 *
 * With the mm's lock.
 *
 * Return: it is on its frame, and pinned.
 */
bool region_pin_again(struct dseg_region *region, unsigned long i);

/**
 * region_unpin_first() - unpin pages, but for the one that is not pinned
 * @region: which
 * @nr: how many, from the first on
 */
void region_unpin_first(struct dseg_region *region, unsigned long nr);

/* region-watch.c: what happens to the page tables */

/**
 * region_watch() - have the kernel tell us of each change, from now on
 * @region: which
 *
 * Return: 0; -ENOMEM; -EINTR: the caller is being killed; -ERESTARTNOINTR: it
 * is being stopped.
 */
int region_watch(struct dseg_region *region);

/* region.c */

/**
 * region_end_locked() - end a region, if it has not ended
 * @region: which, with its lock
 */
void region_end_locked(struct dseg_region *region);

/**
 * region_release_locked() - the same, and have it released
 * @region: which, with its lock
 */
void region_release_locked(struct dseg_region *region);

#endif
