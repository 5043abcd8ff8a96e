// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Contiguous frames: which range to take, and freeing it
 *
 * The kernel can free a range of frames by migration (alloc_contig_range), but
 * has no exported function that chooses one.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/page_ref.h>
#include <linux/sched/signal.h>

#include "contig.h"
#include "fault.h"

/* What a range begins at a multiple of: the unit in which frames are isolated. */
#define STEP pageblock_nr_pages

/* One search at a time: two would isolate each other's ranges. */
static DEFINE_MUTEX(search_lock);

/*
 * Does anybody but page tables and the page cache use this page, as a pipe or a
 * device does?  Then it can't be moved, and it takes the kernel long to see
 * that.
 */
static bool is_in_use_elsewhere(struct page *page)
{
	struct folio *folio = page_folio(page);
	int known;

	if (folio_test_large(folio))
		return folio_maybe_dma_pinned(folio);
	known = atomic_read(&folio->_mapcount) + 1;
	if (!folio_test_anon(folio) || folio_test_swapcache(folio))
		known += 1 + folio_has_private(folio);
	return folio_ref_count(folio) > known;
}

/* A file's server (FUSE, NFS) may never send it; who moves it would wait. */
static bool is_being_read(struct page *page)
{
	return PageLocked(page) && !PageUptodate(page);
}

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
	if (PageLRU(page))
		return !is_in_use_elsewhere(page) && !is_being_read(page);
	return __PageMovable(page);
}

/* What is looked for, and what has been found. */
struct search {
	unsigned long nr;
	bool (*is_held)(unsigned long pfn);
	unsigned long pfn;
	unsigned long in_use;
};

static bool is_held(const struct search *search, unsigned long pfn)
{
	return search->is_held && search->is_held(pfn);
}

/*
 * The first frame that rules the range at search->pfn out, or its end if there
 * is none; then search->in_use is how many of the frames are in use.
 */
static unsigned long first_obstacle(struct search *search)
{
	unsigned long pfn = search->pfn, end = pfn + search->nr;
	const struct zone *zone;
	struct page *page = pfn_to_online_page(pfn);

	if (!page || is_zone_movable_page(page))
		return pfn;
	zone = page_zone(page);
	search->in_use = 0;
	for (; pfn < end; pfn++) {
		page = pfn_to_online_page(pfn);
		if (page && page_zone(page) == zone && is_held(search, pfn))
			continue;
		if (!page || !may_become_free(page, zone))
			break;
		search->in_use += page_count(page) != 0;
	}
	return pfn;
}

/*
 * Blocks with frames that we have references to
 *
 * To the kernel such a frame is unmovable, and none of its block can be had
 * beside it.  One without references that is not free either is overlooked, so
 * we take the references away meanwhile.
 */

static bool hide(unsigned long pfn)
{
	return page_ref_freeze(pfn_to_page(pfn), 1);
}

static void show(unsigned long pfn)
{
	page_ref_unfreeze(pfn_to_page(pfn), 1);
}

/* Those held of the block that is being taken; what is held may change. */
static DECLARE_BITMAP(held, STEP);

static void show_held(unsigned long block)
{
	unsigned int i;

	for_each_set_bit(i, held, STEP)
		show(block + i);
}

static bool hide_held(const struct search *search, unsigned long block)
{
	unsigned int i;

	bitmap_zero(held, STEP);
	for (i = 0; i < STEP; i++) {
		if (!is_held(search, block + i))
			continue;
		if (!hide(block + i)) {
			show_held(block);
			return false;
		}
		__set_bit(i, held);
	}
	return true;
}

/*
 * Take the frames from @from to @to of @block that are not held, and hide them;
 * returns how far that went.
 */
static unsigned long take_pieces(unsigned long block, unsigned long from,
				 unsigned long to)
{
	unsigned long begin = from - block, end, pfn;

	for_each_clear_bitrange_from(begin, end, held, to - block) {
		if (dseg_fault() ||
		    alloc_contig_range(block + begin, block + end,
				       MIGRATE_MOVABLE,
				       GFP_KERNEL | __GFP_NOWARN))
			return block + begin;
		/* Others, who scan all frames, have one for a moment. */
		for (pfn = block + begin; pfn < block + end; pfn++)
			while (!hide(pfn))
				cond_resched();
	}
	return to;
}

/* A reference to each frame from @from to @to, all of one block, or to none. */
static bool take_in_block(const struct search *search, unsigned long from,
			  unsigned long to)
{
	unsigned long block = ALIGN_DOWN(from, STEP), reached, pfn;

	if (!hide_held(search, block))
		return false;
	reached = take_pieces(block, from, to);
	show_held(block);
	for (pfn = from; pfn < reached; pfn++) {
		if (test_bit(pfn - block, held))
			get_page(pfn_to_page(pfn));
		else
			show(pfn);
	}
	if (reached < to)
		dseg_contig_free(from, reached - from);
	return reached == to;
}

/*
 * Take a reference to each frame of the range at search->pfn, block by block:
 * alloc_contig_range() does not say what has stopped it, and to move a long
 * range out of the way once for each block before that takes for ever.
 * Returns its end, or where the block begins that cannot be had.
 */
static unsigned long take(const struct search *search)
{
	unsigned long end = search->pfn + search->nr;
	unsigned long from, to;

	for (from = search->pfn; from < end; from = to) {
		to = min(end, ALIGN(from + 1, STEP));
		if (!take_in_block(search, from, to)) {
			dseg_contig_free(search->pfn, from - search->pfn);
			break;
		}
	}
	return from;
}

static int search_node(int nid, struct search *search)
{
	unsigned long end = node_end_pfn(nid);
	unsigned long obstacle;

	search->pfn = ALIGN(node_start_pfn(nid), STEP);
	while (search->pfn + search->nr <= end) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		obstacle = first_obstacle(search);
		if (obstacle == search->pfn + search->nr)
			obstacle = take(search);
		if (obstacle == search->pfn + search->nr)
			return 0;
		search->pfn = ALIGN(obstacle + 1, STEP);
	}
	return -ENOMEM;
}

/*
 * A page that came into use, or left it, a moment ago is on a list of its CPU,
 * and seems to be in use elsewhere.  To take any frame has the kernel empty
 * these lists.
 */
static void put_all_on_lru(void)
{
	struct search any = { .nr = 1 };

	if (!search_node(numa_node_id(), &any))
		dseg_contig_free(any.pfn, any.nr);
}

int dseg_contig_alloc(unsigned long nr, unsigned long *pfn,
		      unsigned long *displaced,
		      bool (*is_held)(unsigned long pfn))
{
	struct search search = { .nr = nr, .is_held = is_held };
	int nid, err = -ENOMEM;

	/* To take the last would have the OOM killer look for more. */
	if (nr > si_mem_available() || dseg_fault())
		return -ENOMEM;
	if (dseg_fault() || mutex_lock_killable(&search_lock))
		return -EINTR;
	put_all_on_lru();
	for_each_online_node(nid) {
		err = search_node(nid, &search);
		if (err != -ENOMEM)
			break;
	}
	mutex_unlock(&search_lock);
	*pfn = search.pfn;
	if (displaced)
		*displaced = search.in_use;
	return err;
}

int dseg_contig_take(unsigned long pfn, unsigned long nr,
		     bool (*is_held)(unsigned long pfn))
{
	struct search search = { .pfn = pfn, .nr = nr, .is_held = is_held };
	unsigned long end;

	mutex_lock(&search_lock);
	put_all_on_lru();
	end = take(&search);
	mutex_unlock(&search_lock);
	return end == pfn + nr ? 0 : -EBUSY;
}

void dseg_contig_free(unsigned long pfn, unsigned long nr)
{
	for (; nr; pfn++, nr--)
		put_page(pfn_to_page(pfn));
}

void dseg_contig_release(unsigned long pfn)
{
	mutex_lock(&search_lock);
	put_page(pfn_to_page(pfn));
	mutex_unlock(&search_lock);
}
