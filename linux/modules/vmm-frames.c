// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Contiguous frames for segments: those that have been set aside, or others
 */
#include <linux/capability.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pageblock-flags.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "contig.h"
#include "fault.h"
#include "vmm.h"

/* Frames that have been set aside, with a reference to each. */
struct piece {
	struct list_head all;
	unsigned long pfn;
	unsigned long nr;
};

/*
 * The reserve: pieces that do not touch each other; which reserve it is, from 1
 * on; and the lock for both.
 */
static LIST_HEAD(pieces);
static unsigned int number = 1;
static DEFINE_MUTEX(reserve_lock);

static int find(unsigned long nr, unsigned long *pfn, unsigned long *displaced)
{
	unsigned long moved = 0;
	int err = dseg_contig_alloc(nr, pfn, &moved, vmm_bad_frame_held);

	if (!err)
		*displaced += moved;
	return err;
}

static void give_back(unsigned long pfn, unsigned long nr)
{
	for (; nr; pfn++, nr--) {
		vmm_bad_frame_hold(pfn);
		put_page(pfn_to_page(pfn));
	}
}

/*
 * The reserve
 */

/* It is for whom no limit of locked memory binds: others could use it up. */
static bool may_take_reserved(void)
{
	return rlimit(RLIMIT_MEMLOCK) == RLIM_INFINITY ||
	       capable(CAP_IPC_LOCK);
}

/* Returns which reserve they are from, or 0. */
static unsigned int take_reserved(unsigned long nr, unsigned long *pfn)
{
	unsigned int of_reserve = 0;
	struct piece *piece;

	mutex_lock(&reserve_lock);
	list_for_each_entry(piece, &pieces, all) {
		if (piece->nr < nr)
			continue;
		*pfn = piece->pfn;
		piece->pfn += nr;
		piece->nr -= nr;
		if (!piece->nr) {
			list_del(&piece->all);
			kfree(piece);
		}
		of_reserve = number;
		break;
	}
	mutex_unlock(&reserve_lock);
	return of_reserve;
}

static unsigned long longest_reserved(void)
{
	struct piece *piece;
	unsigned long nr = 0;

	mutex_lock(&reserve_lock);
	list_for_each_entry(piece, &pieces, all)
		nr = max(nr, piece->nr);
	mutex_unlock(&reserve_lock);
	return nr;
}

/* With the lock held. */
static void add_piece(unsigned long pfn, unsigned long nr)
{
	struct piece *new = kmalloc(sizeof(*new), GFP_KERNEL | __GFP_NOFAIL);
	struct piece *piece, *next;

	*new = (struct piece) { .pfn = pfn, .nr = nr };
	list_for_each_entry_safe(piece, next, &pieces, all) {
		if (piece->pfn + piece->nr == new->pfn)
			new->pfn = piece->pfn;
		else if (piece->pfn != new->pfn + new->nr)
			continue;
		new->nr += piece->nr;
		list_del(&piece->all);
		kfree(piece);
	}
	list_add(&new->all, &pieces);
}

/* With the lock held. */
static void empty_reserve(void)
{
	struct piece *piece, *next;

	list_for_each_entry_safe(piece, next, &pieces, all) {
		give_back(piece->pfn, piece->nr);
		list_del(&piece->all);
		kfree(piece);
	}
	number++;
}

/* What has been used is as good as new once it has been freed. */
static bool have_been_used(unsigned long pfn, unsigned long nr)
{
	for (; nr; pfn++, nr--)
		if (PageUptodate(pfn_to_page(pfn)))
			return true;
	return false;
}

struct take_again {
	struct work_struct work;
	unsigned long pfn;
	unsigned long nr;
};

/* Block by block: what somebody has pinned meanwhile costs its block only. */
static void take_again(struct work_struct *work)
{
	struct take_again *again = container_of(work, struct take_again, work);
	unsigned long from = again->pfn, end = from + again->nr, to;

	for (; from < end; from = to) {
		to = min(end, ALIGN(from + 1, pageblock_nr_pages));
		if (!dseg_contig_take(from, to - from, vmm_bad_frame_held))
			add_piece(from, to - from);
	}
}

/* By a kernel thread, as nothing is migrated for a process that is to die. */
static void free_and_take_again(unsigned long pfn, unsigned long nr)
{
	struct take_again again = { .pfn = pfn, .nr = nr };

	give_back(pfn, nr);
	INIT_WORK_ONSTACK(&again.work, take_again);
	queue_work(system_unbound_wq, &again.work);
	flush_work(&again.work);
	destroy_work_on_stack(&again.work);
}

int vmm_frames_reserve(unsigned long nr, unsigned long *pfn,
		       unsigned long *displaced)
{
	int err;

	if (dseg_fault() || mutex_lock_killable(&reserve_lock))
		return -EINTR;
	if (!nr) {
		empty_reserve();
		err = 0;
	} else if (!list_empty(&pieces)) {
		err = -EBUSY;
	} else {
		err = find(nr, pfn, displaced);
		if (!err)
			add_piece(*pfn, nr);
	}
	mutex_unlock(&reserve_lock);
	return err;
}

bool vmm_frames_reserved(unsigned long pfn)
{
	struct piece *piece;
	bool is_reserved = false;

	mutex_lock(&reserve_lock);
	list_for_each_entry(piece, &pieces, all)
		is_reserved |= pfn - piece->pfn < piece->nr;
	mutex_unlock(&reserve_lock);
	return is_reserved;
}

void vmm_frames_exit(void)
{
	mutex_lock(&reserve_lock);
	empty_reserve();
	mutex_unlock(&reserve_lock);
}

/*
 * Frames for a segment
 */

static int alloc(struct vmm_frames *frames)
{
	frames->of_reserve = 0;
	if (may_take_reserved())
		frames->of_reserve = take_reserved(frames->nr, &frames->pfn);
	return frames->of_reserve ? 0 :
	       find(frames->nr, &frames->pfn, &frames->displaced);
}

/*
 * The largest size that can be had, by bisection: there is one of @low pages
 * (or that is 0), and none of @high.
 */
static int find_largest(unsigned long low, unsigned long high,
			struct vmm_frames *frames)
{
	unsigned long middle;
	int err;

	while (high - low > pageblock_nr_pages) {
		middle = low + (high - low) / 2;
		err = find(middle, &frames->pfn, &frames->displaced);
		if (err && err != -ENOMEM)
			return err;
		if (err) {
			high = middle;
		} else {
			low = middle;
			give_back(frames->pfn, low);
		}
	}
	frames->nr = low;
	return low ? alloc(frames) : -ENOMEM;
}

int vmm_frames_alloc(struct vmm_frames *frames, bool less)
{
	unsigned long all = frames->nr, reserved;
	int err = alloc(frames);

	if (err != -ENOMEM || !less)
		return err;
	reserved = may_take_reserved() ? longest_reserved() : 0;
	return find_largest(min(reserved, all), all, frames);
}

void vmm_frames_free(const struct vmm_frames *frames)
{
	mutex_lock(&reserve_lock);
	if (frames->of_reserve != number)
		give_back(frames->pfn, frames->nr);
	else if (have_been_used(frames->pfn, frames->nr))
		free_and_take_again(frames->pfn, frames->nr);
	else
		add_piece(frames->pfn, frames->nr);
	mutex_unlock(&reserve_lock);
}
