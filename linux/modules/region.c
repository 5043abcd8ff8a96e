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
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "fault.h"
#include "region.h"

#define CHUNK 512	/* pages that are moved, or pinned, at once */
#define PASSES 4	/* over all of the range, to move its pages */
#define TRIES 3		/* with other frames each time */
#define LOCK_TRIES 100	/* for an mmap lock that others have */
#define LOCK_WAIT 10	/* ms between two of them */

/* Ordered: a region is unpinned, which frees memory, before it is released. */
static struct workqueue_struct *queue;

/* For one chunk of pages. */
struct scratch {
	unsigned long src[CHUNK];
	unsigned long dst[CHUNK];
	struct page *pages[CHUNK];
};

static struct page *frame(struct dseg_region *region, unsigned long i)
{
	struct page *substitute = xa_load(&region->substitutes, i);

	return substitute ?: pfn_to_page(region->pfn + i);
}

static unsigned long address(const struct dseg_region *region, unsigned long i)
{
	return region->start + (i << PAGE_SHIFT);
}

static unsigned long chunk_at(const struct dseg_region *region, unsigned long i)
{
	return min(region->nr - i, (unsigned long)CHUNK);
}

/*
 * Moving
 */

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

static int move_all(struct dseg_region *region, struct scratch *scratch)
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

/*
 * Pinning
 */

/* Writes through the segment have set no D bits: all may be dirty. */
static void unpin_first(struct dseg_region *region, unsigned long nr)
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

/* Returns 0; -EAGAIN if some page is not where it ought to be; or -EINTR. */
static int pin_all(struct dseg_region *region, struct scratch *scratch)
{
	unsigned long i, nr;
	long right;

	for (i = 0; i < region->nr; i += nr) {
		nr = chunk_at(region, i);
		right = pin_chunk(region, i, nr, scratch);
		if (right != nr) {
			unpin_first(region, i + max(right, 0L));
			return right < 0 ? right : -EAGAIN;
		}
		cond_resched();
	}
	return 0;
}

/* Pinning faults pages in and makes them private, so that the next pass can. */
static int move_and_pin(struct dseg_region *region)
{
	struct scratch *scratch = dseg_fault() ? NULL :
				  kvmalloc(sizeof(*scratch), GFP_KERNEL);
	int pass, err = -ENOMEM;

	for (pass = 0; scratch && pass < PASSES; pass++) {
		err = move_all(region, scratch);
		if (!err)
			err = pin_all(region, scratch);
		if (err != -EAGAIN)
			break;
	}
	kvfree(scratch);
	return err;
}

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

static void end_locked(struct dseg_region *region)
{
	if (!region->live)
		return;
	WRITE_ONCE(region->live, false);
	region->stop(region);
	queue_work(queue, &region->unpin_work);
}

static void release_locked(struct dseg_region *region)
{
	end_locked(region);
	if (!region->gone)
		queue_work(queue, &region->release_work);
	WRITE_ONCE(region->gone, true);
}

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
		release_locked(region);
	else if (!is_fork(range))
		end_locked(region);
	mutex_unlock(&region->lock);
	return true;
}

static const struct mmu_interval_notifier_ops notifier_ops = {
	.invalidate = invalidate,
};

static void unpin_region(struct work_struct *work)
{
	struct dseg_region *region =
		container_of(work, struct dseg_region, unpin_work);

	mutex_lock(&region->pins);
	unpin_first(region, region->nr);
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
	end_locked(region);
	mutex_unlock(&region->lock);
	return was_live;
}

void dseg_region_remove(struct dseg_region *region)
{
	mutex_lock(&region->lock);
	release_locked(region);
	mutex_unlock(&region->lock);
}

/*
 * Making
 */

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
		unpin_first(region, region->nr);
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

/*
 * The first notifier of an mm is refused while any signal is pending: so only
 * one that kills may be.  A stop can't be blocked, and has it tried again.
 */
static int watch(struct dseg_region *region)
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

static int make_on_frames(struct dseg_region *region,
			  void (*go)(struct dseg_region *region))
{
	int err = find_substitutes(region);

	region->not_pinned = region->nr;
	region->moved = 0;
	if (!err)
		err = watch(region);
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

/*
 * Have page @i, which is not pinned now, on @page, zeroed; and take a reference
 * to the frame that it has been on.
 */
static int move_onto(struct dseg_region *region, unsigned long i,
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

static bool pin_again(struct dseg_region *region, unsigned long i)
{
	struct page *page;
	long pinned = dseg_fault() ? -EFAULT :
		dseg_pin_pages(region->mm, address(region, i), 1,
			       FOLL_WRITE | FOLL_LONGTERM, &page);

	if (pinned == 1 && page != frame(region, i))
		unpin_user_page(page);
	return pinned == 1 && page == frame(region, i);
}

/* With @region->pins, and the lock of the mm for reading. */
static int replace_locked(struct dseg_region *region, unsigned long i,
			  struct page *page)
{
	int err;

	unpin_user_page(frame(region, i));
	err = move_onto(region, i, page);
	if (!err) {
		xa_store(&region->substitutes, i, page,
			 GFP_KERNEL | __GFP_NOFAIL);
		put_page(page);
	}
	if (!pin_again(region, i)) {
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

/*
 * Clearing
 */

/* Does anybody refer to it but the page table and, with its pin, the region? */
static bool is_busy(struct dseg_region *region, unsigned long i)
{
	return page_count(frame(region, i)) != 1 + GUP_PIN_COUNTING_BIAS;
}

/*
 * The same for a run of at most @nr pages: returns how many are, as the first
 * one, busy or not.  With @region->lock, under which no page table of a live
 * region changes.
 */
static unsigned long alike(struct dseg_region *region, unsigned long i,
			   unsigned long nr, bool busy)
{
	unsigned long k;

	for (k = 0; k < nr && is_busy(region, i + k) == busy; k++)
		;
	return k;
}

static long clear_chunk(struct dseg_region *region, unsigned long i,
			unsigned long nr, bool look, unsigned long *busy)
{
	unsigned long done, k;

	if (!region->live)
		return -ENOENT;
	done = alike(region, i, nr, false);
	for (k = 0; k < done && !look; k++)
		clear_highpage(frame(region, i + k));
	*busy = alike(region, i + done, nr - done, true);
	return done;
}

long dseg_region_clear(struct dseg_region *region, unsigned long i,
		       unsigned long nr, bool look, unsigned long *busy)
{
	unsigned long done = 0;
	long part;

	for (*busy = 0; done < nr && !*busy; done += part) {
		if (fatal_signal_pending(current))
			return -EINTR;
		mutex_lock(&region->lock);
		part = clear_chunk(region, i + done,
				   min(nr - done, (unsigned long)CHUNK), look,
				   busy);
		mutex_unlock(&region->lock);
		if (part < 0)
			return part;
		cond_resched();
	}
	return done;
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
