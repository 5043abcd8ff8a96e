// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Primary regions: what happens to their page tables, and what follows
 *
 * The kernel tells us before it changes a page table.  Most changes end the
 * region: unmapping, protecting, moving, sharing by KSM.  fork() does not.
 */
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "fault.h"
#include "region-pages.h"

/* Does fork write-protect pages?  It copies pinned ones instead. */
static bool is_fork(const struct mmu_notifier_range *range)
{
	return range->event == MMU_NOTIFY_PROTECTION_PAGE;
}

static bool invalidate(struct mmu_interval_notifier *notifier,
		       const struct mmu_notifier_range *range,
		       unsigned long seq)
{
	struct dseg_region *region =
		container_of(notifier, struct dseg_region, notifier);

	/* It is we who move pages. */
	if (range->event == MMU_NOTIFY_MIGRATE && range->owner == region)
		return true;
	if (!mmu_notifier_range_blockable(range))
		return false;
	mutex_lock(&region->lock);
	mmu_interval_set_seq(notifier, seq);
	if (range->event == MMU_NOTIFY_RELEASE)
		region_release_locked(region);
	else if (!is_fork(range))
		region_end_locked(region);
	mutex_unlock(&region->lock);
	return true;
}

static const struct mmu_interval_notifier_ops notifier_ops = {
	.invalidate = invalidate,
};

/*
 * The first notifier of an mm is refused while any signal is pending: so only
 * one that kills may be.  A stop can't be blocked, and has it tried again.
 */
int region_watch(struct dseg_region *region)
{
	sigset_t all_but_kill, before;
	int err;

	if (dseg_fault() || mmap_write_lock_killable(region->mm))
		return -EINTR;
	siginitsetinv(&all_but_kill, sigmask(SIGKILL));
	sigprocmask(SIG_BLOCK, &all_but_kill, &before);
	err = dseg_fault() ? -ENOMEM :
	      mmu_interval_notifier_insert_locked(&region->notifier, region->mm,
						  region->start,
						  region->nr << PAGE_SHIFT,
						  &notifier_ops);
	sigprocmask(SIG_SETMASK, &before, NULL);
	mmap_write_unlock(region->mm);
	if (err == -EINTR && !fatal_signal_pending(current))
		return restart_syscall();
	return err;
}
