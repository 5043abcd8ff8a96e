// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Primary regions: ordinary memory that is contiguous, and stays so
 *
 * A segment is to the page tables what the page tables of KVM are: a second
 * translation of the same memory.  So it lives by the same rule: the kernel
 * tells us before it changes a page table (mmu_notifier), and then it is no
 * longer in force.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "fault.h"
#include "region-pages.h"

#define PASSES 4	/* over all of the range, to move its pages */
#define TRIES 3		/* with other frames each time */
#define LOCK_TRIES 100	/* for an mmap lock that others have */
#define LOCK_WAIT 10	/* ms between two of them */

/* Ordered: a region is unpinned, which frees memory, before it is released. */
static struct workqueue_struct *queue;

/*
 * The limit of locked memory
 *
 * pinned_vm is atomic.  locked_vm needs the mmap lock, which the process may
 * keep for ever, and with it everybody who waits for the queue.
 */

static void uncharge(struct dseg_region *region, unsigned long nr)
{
	atomic64_sub(nr, &region->mm->pinned_vm);
}

static int charge(struct dseg_region *region)
{
	struct mm_struct *mm = region->mm;
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	u64 all = atomic64_add_return(region->nr, &mm->pinned_vm) +
		  READ_ONCE(mm->locked_vm);

	if (!dseg_fault() && (all <= limit || capable(CAP_IPC_LOCK)))
		return 0;
	uncharge(region, region->nr);
	return -EPERM;
}

/*
 * Ending
 */

void region_end_locked(struct dseg_region *region)
{
	if (!region->live)
		return;
	WRITE_ONCE(region->live, false);
	region->stop(region);
	queue_work(queue, &region->unpin_work);
}

void region_release_locked(struct dseg_region *region)
{
	region_end_locked(region);
	if (!region->gone)
		queue_work(queue, &region->release_work);
	WRITE_ONCE(region->gone, true);
}

static void unpin_region(struct work_struct *work)
{
	struct dseg_region *region =
		container_of(work, struct dseg_region, unpin_work);

	mutex_lock(&region->pins);
	region_unpin_first(region, region->nr);
	mutex_unlock(&region->pins);
	uncharge(region, region->nr);
}

static void release_region_work(struct work_struct *work)
{
	struct dseg_region *region =
		container_of(work, struct dseg_region, release_work);

	mmu_interval_notifier_remove(&region->notifier);
	xa_destroy(&region->substitutes);
	region->release(region);
}

bool dseg_region_end(struct dseg_region *region)
{
	bool was_live;

	mutex_lock(&region->lock);
	was_live = region->live;
	region_end_locked(region);
	mutex_unlock(&region->lock);
	return was_live;
}

void dseg_region_remove(struct dseg_region *region)
{
	mutex_lock(&region->lock);
	region_release_locked(region);
	mutex_unlock(&region->lock);
}

/*
 * Making
 */

/* Pinning faults pages in and makes them private, so that the next pass can. */
static int move_and_pin(struct dseg_region *region)
{
	struct scratch *scratch = dseg_fault() ? NULL :
				  kvmalloc(sizeof(*scratch), GFP_KERNEL);
	int pass, err = -ENOMEM;

	for (pass = 0; scratch && pass < PASSES; pass++) {
		err = region_move_all(region, scratch);
		if (!err)
			err = region_pin_all(region, scratch);
		if (err != -EAGAIN)
			break;
	}
	kvfree(scratch);
	return err;
}

static int make_watched(struct dseg_region *region,
			void (*go)(struct dseg_region *region))
{
	unsigned long seq = mmu_interval_read_begin(&region->notifier);
	int err = move_and_pin(region);

	if (err)
		return err;
	mutex_lock(&region->lock);
	if (mmu_interval_read_retry(&region->notifier, seq) || dseg_fault()) {
		err = -EAGAIN;
	} else {
		WRITE_ONCE(region->live, true);
		go(region);
	}
	mutex_unlock(&region->lock);
	if (err)
		region_unpin_first(region, region->nr);
	return err;
}

static int find_substitutes(struct dseg_region *region)
{
	struct page *page;
	unsigned long i;

	for (i = 0; region->substitute && i < region->nr; i++) {
		page = region->substitute(region, i);
		if (IS_ERR(page))
			return PTR_ERR(page);
		if (page)
			xa_store(&region->substitutes, i, page,
				 GFP_KERNEL | __GFP_NOFAIL);
	}
	return 0;
}

/* The pages have references of their own now, or are free. */
static void put_substitutes(struct dseg_region *region)
{
	struct page *page;
	unsigned long i;

	xa_for_each(&region->substitutes, i, page)
		put_page(page);
}

static int make_on_frames(struct dseg_region *region,
			  void (*go)(struct dseg_region *region))
{
	int err = find_substitutes(region);

	region->not_pinned = region->nr;
	region->moved = 0;
	if (!err)
		err = region_watch(region);
	if (!err) {
		err = make_watched(region, go);
		if (err)
			mmu_interval_notifier_remove(&region->notifier);
	}
	put_substitutes(region);
	if (err)
		xa_destroy(&region->substitutes);
	return err;
}

static int make_once(struct dseg_region *region,
		     void (*go)(struct dseg_region *region))
{
	unsigned long nr = region->nr;
	int err = region->get_frames(region);

	uncharge(region, nr - region->nr);
	if (err)
		return err;
	err = make_on_frames(region, go);
	region->put_frames(region, !err);
	return err;
}

int dseg_region_make(struct dseg_region *region,
		     void (*go)(struct dseg_region *region))
{
	int try, err = charge(region);

	if (err)
		return err;
	mutex_init(&region->pins);
	mutex_init(&region->lock);
	xa_init(&region->substitutes);
	INIT_WORK(&region->unpin_work, unpin_region);
	INIT_WORK(&region->release_work, release_region_work);
	/* As often as it takes: frames that have been tried may be spoilt. */
	err = -EAGAIN;
	for (try = 0; try < TRIES && err == -EAGAIN; try++)
		err = make_once(region, go);
	if (err)
		uncharge(region, region->nr);
	return err;
}

/*
 * Replacing
 */

/* With @region->pins, and the lock of the mm for reading. */
static int replace_locked(struct dseg_region *region, unsigned long i,
			  struct page *page)
{
	int err;

	unpin_user_page(frame(region, i));
	err = region_move_onto(region, i, page);
	if (!err) {
		xa_store(&region->substitutes, i, page,
			 GFP_KERNEL | __GFP_NOFAIL);
		put_page(page);
	}
	if (!region_pin_again(region, i)) {
		region->not_pinned = i;
		dseg_region_end(region);
	}
	return err;
}

/* Its process may keep it for ever. */
static bool lock_if_possible(struct mm_struct *mm)
{
	int try;

	for (try = 0; try < LOCK_TRIES; try++) {
		if (mmap_read_trylock(mm))
			return true;
		msleep(LOCK_WAIT);
	}
	return false;
}

int dseg_region_replace(struct dseg_region *region, unsigned long i,
			struct page *page)
{
	int err = -EAGAIN;

	mutex_lock(&region->pins);
	if (READ_ONCE(region->live) && !dseg_fault() &&
	    lock_if_possible(region->mm)) {
		if (READ_ONCE(region->live))
			err = replace_locked(region, i, page);
		mmap_read_unlock(region->mm);
	}
	mutex_unlock(&region->pins);
	return err;
}

int dseg_region_init(void)
{
	queue = dseg_fault() ? NULL :
		alloc_ordered_workqueue("dseg", WQ_MEM_RECLAIM);
	return queue ? 0 : -ENOMEM;
}

void dseg_region_flush(void)
{
	flush_workqueue(queue);
}

void dseg_region_exit(void)
{
	destroy_workqueue(queue);
}
