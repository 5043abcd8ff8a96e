// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Primary regions: their pages move
 */
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/migrate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "fault.h"
#include "region-pages.h"

/*
 * The frame for page @i if its content can be moved there now, locked, else 0.
 * A frame takes a page once: PG_uptodate stays set until it is freed, and so
 * tells one that has had a page, even if that has been unmapped since.
 */
static unsigned long destination(struct dseg_region *region,
				 unsigned long i, unsigned long src)
{
	struct page *from = migrate_pfn_to_page(src);
	struct page *to = frame(region, i);

	if (!(src & MIGRATE_PFN_MIGRATE) || PageUptodate(to))
		return 0;
	if (from)
		copy_highpage(to, from);
	else
		clear_highpage(to);
	get_page(to);
	lock_page(to);
	return migrate_pfn(page_to_pfn(to));
}

/*
 * Bring @nr pages in, and end their sharing with a child or by KSM: a frame of
 * ours must not become a shared one.
 */
static int make_private(struct dseg_region *region, unsigned long i,
			unsigned long nr, struct scratch *scratch)
{
	long pinned = dseg_fault() ? -EFAULT :
		dseg_pin_pages(region->mm, address(region, i), nr, FOLL_WRITE,
			       scratch->pages);

	if (pinned < 0)
		return pinned;
	unpin_user_pages(scratch->pages, pinned);
	return 0;
}

/*
 * Is it private anonymous memory that may be written to?  args->end becomes
 * where that map of it ends, if this is before.
 */
static bool is_suitable(struct migrate_vma *args)
{
	struct vm_area_struct *vma = args->vma;

	if (!vma || vma->vm_start > args->start)
		return false;
	args->end = min(args->end, vma->vm_end);
	return vma_is_anonymous(vma) &&
	       (vma->vm_flags & (VM_SHARED | VM_WRITE)) == VM_WRITE;
}

/*
 * Move what can be moved of @nr pages from page @i on, or of fewer that are in
 * one map.  Returns how many that were.
 */
static long move_chunk(struct dseg_region *region, unsigned long i,
		       unsigned long nr, struct scratch *scratch)
{
	struct migrate_vma args = {
		.vma = find_vma(region->mm, address(region, i)),
		.src = scratch->src,
		.dst = scratch->dst,
		.start = address(region, i),
		.end = address(region, i + nr),
		.pgmap_owner = region,
		.flags = MIGRATE_VMA_SELECT_SYSTEM,
	};
	unsigned long k;
	int err;

	if (dseg_fault() || !is_suitable(&args))
		return -EFAULT;
	nr = (args.end - args.start) >> PAGE_SHIFT;
	if (region->touched) {
		err = make_private(region, i, nr, scratch);
		if (err)
			return err;
	}
	memset(scratch->src, 0, sizeof(scratch->src));
	memset(scratch->dst, 0, sizeof(scratch->dst));
	err = dseg_fault() ? -EINVAL : migrate_vma_setup(&args);
	if (err)
		return err;
	for (k = 0; k < nr; k++)
		scratch->dst[k] = destination(region, i + k, scratch->src[k]);
	migrate_vma_pages(&args);
	for (k = 0; k < nr; k++)
		if ((scratch->src[k] & MIGRATE_PFN_MIGRATE) &&
		    migrate_pfn_to_page(scratch->src[k]))
			region->moved++;
	migrate_vma_finalize(&args);
	return nr;
}

/*
 * To exceed the limit of a memory cgroup invokes the OOM killer.  So charge for
 * @nr pages, for a moment, in a way that may fail, and has others reclaimed:
 * that cgroup which the pages of @mm are charged to, whoever asks.
 */
static int make_room(struct mm_struct *mm, unsigned long nr)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(mm);
	struct mem_cgroup *before = set_active_memcg(memcg);
	void *room = dseg_fault() ? NULL :
		     __vmalloc(nr << PAGE_SHIFT, GFP_KERNEL_ACCOUNT |
			       __GFP_RETRY_MAYFAIL | __GFP_NOWARN);

	set_active_memcg(before);
	mem_cgroup_put(memcg);
	vfree(room);
	return room ? 0 : -ENOMEM;
}

int region_move_all(struct dseg_region *region, struct scratch *scratch)
{
	unsigned long i, nr;
	long done;
	int err;

	for (i = 0; i < region->nr; i += done) {
		nr = chunk_at(region, i);
		if (fatal_signal_pending(current))
			return -EINTR;
		err = make_room(region->mm, nr);
		if (err)
			return err;
		if (dseg_fault() || mmap_read_lock_killable(region->mm))
			return -EINTR;
		done = move_chunk(region, i, nr, scratch);
		mmap_read_unlock(region->mm);
		if (done < 0)
			return done;
		cond_resched();
	}
	return 0;
}

int region_move_onto(struct dseg_region *region, unsigned long i,
		     struct page *page)
{
	unsigned long src = 0, dst = 0;
	struct migrate_vma args = {
		.vma = find_vma(region->mm, address(region, i)),
		.src = &src,
		.dst = &dst,
		.start = address(region, i),
		.end = address(region, i + 1),
		.pgmap_owner = region,
		.flags = MIGRATE_VMA_SELECT_SYSTEM,
	};
	struct page *old = frame(region, i);
	int err = -EAGAIN;

	if (dseg_fault() || !is_suitable(&args) || migrate_vma_setup(&args))
		return -EAGAIN;
	if ((src & MIGRATE_PFN_MIGRATE) && migrate_pfn_to_page(src) == old) {
		clear_highpage(page);
		get_page(page);
		lock_page(page);
		dst = migrate_pfn(page_to_pfn(page));
	}
	migrate_vma_pages(&args);
	if (dst && (src & MIGRATE_PFN_MIGRATE)) {
		get_page(old);
		err = 0;
	}
	migrate_vma_finalize(&args);
	return err;
}
