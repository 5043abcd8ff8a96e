// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Contiguous frames: which range to take, and freeing it
 *
 * The kernel can free a range of frames by migration (alloc_contig_range), but
 * has no exported function that chooses one.
 */
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>

#include "contig.h"

/* What a range begins at a multiple of: the unit in which frames are isolated. */
#define STEP pageblock_nr_pages

/* One search at a time: two would isolate each other's ranges. */
static DEFINE_MUTEX(search_lock);

/*
 * Can the content of this frame be moved elsewhere, or is it free?  A guess
 * without any lock, to skip what is hopeless: alloc_contig_range() decides.
 */
static bool may_become_free(struct page *page, const struct zone *zone)
{
	if (page_zone(page) != zone || PageReserved(page))
		return false;
	if (!page_count(page))
		return true;
	return (PageLRU(page) || __PageMovable(page)) &&
	       !page_maybe_dma_pinned(page);
}

/*
 * The first frame of [pfn, pfn + nr) that rules the range out, or the end if
 * there is none.
 */
static unsigned long first_obstacle(unsigned long pfn, unsigned long nr)
{
	unsigned long end = pfn + nr;
	const struct zone *zone;
	struct page *page = pfn_to_online_page(pfn);

	if (!page || is_zone_movable_page(page))
		return pfn;
	zone = page_zone(page);
	for (; pfn < end; pfn++) {
		page = pfn_to_online_page(pfn);
		if (!page || !may_become_free(page, zone))
			break;
	}
	return pfn;
}

static int search_node(int nid, unsigned long nr, unsigned long *found)
{
	unsigned long end = node_end_pfn(nid);
	unsigned long pfn = ALIGN(node_start_pfn(nid), STEP);
	unsigned long obstacle;

	while (pfn + nr <= end) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		obstacle = first_obstacle(pfn, nr);
		if (obstacle < pfn + nr) {
			pfn = ALIGN(obstacle + 1, STEP);
			continue;
		}
		if (!alloc_contig_range(pfn, pfn + nr, MIGRATE_MOVABLE,
					GFP_KERNEL | __GFP_NOWARN)) {
			*found = pfn;
			return 0;
		}
		pfn += STEP;
	}
	return -ENOMEM;
}

int dseg_contig_alloc(unsigned long nr, unsigned long *pfn)
{
	int nid, err = -ENOMEM;

	/* To take the last would have the OOM killer look for more. */
	if (nr > si_mem_available())
		return -ENOMEM;
	if (mutex_lock_killable(&search_lock))
		return -EINTR;
	for_each_online_node(nid) {
		err = search_node(nid, nr, pfn);
		if (err != -ENOMEM)
			break;
	}
	mutex_unlock(&search_lock);
	return err;
}

void dseg_contig_free(unsigned long pfn, unsigned long nr)
{
	free_contig_range(pfn, nr);
}
