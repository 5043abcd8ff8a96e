// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Primary regions: their pages stay
 */

#include "compat.h"
#include "fault.h"
#include "region-pages.h"

/* Writes through the segment have set no D bits: all may be dirty. */
void region_unpin_first(struct dseg_region *region, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		if (i != region->not_pinned)
			unpin_user_page_range_dirty_lock(frame(region, i), 1,
							 true);
		cond_resched();
	}
}

/*
 * Pin @nr pages from page @i on.  Returns how many of them are where they
 * ought to be, up to the first that is not; only these are pinned then.
 */
static long pin_chunk(struct dseg_region *region, unsigned long i,
		      unsigned long nr, struct scratch *scratch)
{
	long pinned, right;

	if (dseg_fault() || mmap_read_lock_killable(region->mm))
		return -EINTR;
	/* Some of them can be had, then. */
	if (dseg_fault())
		nr = (nr + 1) / 2;
	pinned = dseg_pin_pages(region->mm, address(region, i), nr,
				FOLL_WRITE | FOLL_LONGTERM, scratch->pages);
	mmap_read_unlock(region->mm);
	for (right = 0; right < pinned; right++)
		if (scratch->pages[right] != frame(region, i + right))
			break;
	if (pinned > right)
		unpin_user_pages(scratch->pages + right, pinned - right);
	return pinned < 0 ? pinned : right;
}

int region_pin_all(struct dseg_region *region, struct scratch *scratch)
{
	unsigned long i, nr;
	long right;

	for (i = 0; i < region->nr; i += nr) {
		nr = chunk_at(region, i);
		right = pin_chunk(region, i, nr, scratch);
		if (right != nr) {
			region_unpin_first(region, i + max(right, 0L));
			return right < 0 ? right : -EAGAIN;
		}
		cond_resched();
	}
	return 0;
}

bool region_pin_again(struct dseg_region *region, unsigned long i)
{
	struct page *page;
	long pinned = dseg_fault() ? -EFAULT :
		dseg_pin_pages(region->mm, address(region, i), 1,
			       FOLL_WRITE | FOLL_LONGTERM, &page);

	if (pinned == 1 && page != frame(region, i))
		unpin_user_page(page);
	return pinned == 1 && page == frame(region, i);
}
