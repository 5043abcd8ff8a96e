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
		return !is_in_use_elsewhere(page);
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

static void give_back(const struct search *search, unsigned long end)
{
	unsigned long pfn;

	for (pfn = search->pfn; pfn < end; pfn++)
		if (!is_held(search, pfn))
			put_page(pfn_to_page(pfn));
}

/* How far a piece from @from on goes: to a held frame, or the end of its block. */
static unsigned long piece_end(const struct search *search, unsigned long from)
{
	unsigned long end = min(search->pfn + search->nr,
				ALIGN(from + 1, STEP));
	unsigned long to = from;

	while (to < end && !is_held(search, to))
		to++;
	return to;
}

/*
 * Take the range at search->pfn, all but the frames that are held, block by
 * block: alloc_contig_range() does not say what has stopped it, and to move a
 * long range out of the way once for each block before that takes for ever.
 * Returns its end, or the frame that begins the piece that cannot be had.
 */
static unsigned long take(const struct search *search)
{
	unsigned long end = search->pfn + search->nr;
	unsigned long from = search->pfn, to;

	while (from < end) {
		to = piece_end(search, from);
		if (to == from) {
			from++;		/* held */
			continue;
		}
		if (alloc_contig_range(from, to, MIGRATE_MOVABLE,
				       GFP_KERNEL | __GFP_NOWARN)) {
			give_back(search, from);
			return from;
		}
		from = to;
	}
	return end;
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

int dseg_contig_alloc(unsigned long nr, unsigned long *pfn,
		      unsigned long *displaced,
		      bool (*is_held)(unsigned long pfn))
{
	struct search search = { .nr = nr, .is_held = is_held };
	int nid, err = -ENOMEM;

	/* To take the last would have the OOM killer look for more. */
	if (nr > si_mem_available())
		return -ENOMEM;
	if (mutex_lock_killable(&search_lock))
		return -EINTR;
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

void dseg_contig_free(unsigned long pfn, unsigned long nr)
{
	free_contig_range(pfn, nr);
}
