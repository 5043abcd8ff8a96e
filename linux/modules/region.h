/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_REGION_H
#define DSEG_REGION_H

#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

/**
 * struct dseg_region - anonymous memory of a process on contiguous frames
 *
 * Page tables map it as they map any memory; a segment may translate it
 * instead.  The frames are pinned, so that the kernel does not move, share or
 * swap them, and fork copies them at once.  What does change the page tables
 * of the region ends it: its memory is ordinary memory then.
 *
 * @mm: whose memory it is
 * @start: virtual address of the first byte
 * @nr: how many pages of 4 KiB
 * @touched: it may have content already
 * @pfn: the first frame
 * @moved: how many pages had content, which was moved onto these frames
 * @get_frames: finds contiguous frames: sets @pfn, takes a reference to each;
 *	may lower @nr.  Returns an errno, or 0.  May be called several times.
 * @put_frames: after each success of @get_frames: gives those references back;
 *	@made: the region has been made, of which the pages have others now
 * @substitute: called for each page, once the frames are known: a page that
 *	is to be used instead of frame @i, with a reference for the region;
 *	NULL: none; or an ERR_PTR().  May be NULL itself.
 * @stop: called once, when the region ends: on return no CPU may use its
 *	segment any longer.  May sleep; must not allocate memory.
 * @release: called once, when the process has gone or dseg_region_remove()
 *	has been called, after @stop: frees what contains the region.  May
 *	sleep, and does so in a kernel thread.
 *
 * Those above are for others to read, those below are region.c's.
 *
 * @substitutes: pages that are used instead of frames, by their index
 * @pins: lock for what has pins
 * @not_pinned: a page that has none although the region has been made, or @nr
 * @notifier: tells what happens to the page tables
 * @lock: of the three that follow
 * @live: its segment may be in force
 * @gone: it is to be released
 * @unpin_work: after it has ended
 * @release_work: after that
 */
struct dseg_region {
	struct mm_struct *mm;
	unsigned long start;
	unsigned long nr;
	bool touched;
	unsigned long pfn;
	unsigned long moved;
	int (*get_frames)(struct dseg_region *region);
	void (*put_frames)(struct dseg_region *region, bool made);
	struct page *(*substitute)(struct dseg_region *region, unsigned long i);
	void (*stop)(struct dseg_region *region);
	void (*release)(struct dseg_region *region);

	struct xarray substitutes;
	struct mutex pins;	/* of what has pins */
	unsigned long not_pinned;
	struct mmu_interval_notifier notifier;
	struct mutex lock;	/* of live, gone and the works */
	bool live;
	bool gone;
	struct work_struct unpin_work;
	struct work_struct release_work;
};

/**
 * dseg_region_make() - move a range onto contiguous frames
 * @region: @mm, @start, @nr, @touched, @get_frames, @put_frames, @stop,
 *	@release are set, and maybe @substitute; the rest is zero
 * @go: called when all is in place: puts the segment into force.  Must not
 *	allocate memory.
 *
 * The range is anonymous memory, private and writable; what it holds is kept.
 * The caller has a reference to the users of @mm (mmget(), or it is its own),
 * and does not hold its locks, nor any that others wait for: that process may
 * keep us waiting for its mmap lock for ever (for a file on a FUSE server that
 * does not answer, say), until a fatal signal.
 *
 * The pages count against the caller's limit of locked memory before there are
 * any frames, as what is pinned for RDMA does: in the mm's pinned_vm.
 *
 * Return: 0.  On any error nothing has been called, the caller still owns
 * @region, and the memory is ordinary memory: -ENOMEM (no contiguous frames,
 * or the limit of the memory cgroup of @mm), -EPERM (the caller's limit of
 * locked memory), -EFAULT (not that kind of memory), -EAGAIN (it was being
 * changed, or a page is in use elsewhere and cannot be moved), -EINTR (the
 * caller is being killed), -ERESTARTNOINTR (it is being stopped).
 */
int dseg_region_make(struct dseg_region *region,
		     void (*go)(struct dseg_region *region));

/**
 * dseg_region_end() - end a region that has been made
 * @region: which
 *
 * Return: whether it had not ended before.
 */
bool dseg_region_end(struct dseg_region *region);

/**
 * dseg_region_remove() - the same, and have it released
 * @region: which; it may be gone on return
 */
void dseg_region_remove(struct dseg_region *region);

/**
 * dseg_region_replace() - put a page onto another frame, without its content
 * @region: one that has been made
 * @i: which page; its frame is not read
 * @page: what is to be used from now on, zeroed
 *
 * The caller sees to it that no CPU uses the segment meanwhile, and that none
 * uses it for that page afterwards; and has a reference to the users of the mm.
 *
 * Return: 0: @page's reference has been taken over, in exchange for one of the
 * frame that page @i has been on.  -EAGAIN: nothing has changed, or the region
 * has ended, or its process keeps its mmap lock for too long.
 */
int dseg_region_replace(struct dseg_region *region, unsigned long i,
			struct page *page);

/**
 * dseg_region_clear() - zero pages in place, if nobody else refers to them
 * @region: one that has been made, without substitutes
 * @i: the first page
 * @nr: how many
 * @look: zero nothing
 * @busy: set to how many that somebody refers to follow those zeroed
 *
 * Return: how many pages, from the first on, are zeroed, or would be; -ENOENT:
 * the region has ended; -EINTR: the caller is being killed.
 */
long dseg_region_clear(struct dseg_region *region, unsigned long i,
		       unsigned long nr, bool look, unsigned long *busy);

/**
 * dseg_region_init() - before the first region
 *
 * Return: 0, or -ENOMEM.
 */
int dseg_region_init(void);

/**
 * dseg_region_flush() - wait until all that have ended have given back
 *
 * Their frames, and their part of the limit of locked memory, are free then.
 */
void dseg_region_flush(void);

/**
 * dseg_region_exit() - wait until all regions removed are released
 */
void dseg_region_exit(void);

#endif
