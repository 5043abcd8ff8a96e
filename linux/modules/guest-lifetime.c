// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processes with a primary region: how regions are made, found and removed
 */
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "contig.h"
#include "fault.h"
#include "guest.h"

/*
 * All processes that have a region, make one, or had one and still run, and the
 * lock for that and for what files refer to.  Nobody holds it for long: a
 * region is made without it, as that may have to wait for the process for ever.
 */
static LIST_HEAD(all);
static DEFINE_MUTEX(lock);

/* The same by page table, under RCU, and the lock for changes. */
static DEFINE_HASHTABLE(by_root, 6);
static DEFINE_SPINLOCK(by_root_lock);

struct guest_process *guest_process_of(phys_addr_t root)
{
	struct guest_process *process;

	hash_for_each_possible_rcu(by_root, process, by_root, root)
		if (process->root == root)
			return process;
	return NULL;
}

static void free_process(struct kref *refs)
{
	struct guest_process *process =
		container_of(refs, struct guest_process, refs);

	mmdrop(process->region.mm);
	kfree(process);
}

void guest_put_process(struct guest_process *process)
{
	kref_put(&process->refs, free_process);
}

/*
 * What happens to a region
 */

static struct guest_process *process_of(struct dseg_region *region)
{
	return container_of(region, struct guest_process, region);
}

static int get_frames(struct dseg_region *region)
{
	return dseg_contig_alloc(region->nr, &region->pfn, NULL, NULL);
}

static void put_frames(struct dseg_region *region, bool made)
{
	dseg_contig_free(region->pfn, region->nr);
}

static void go(struct dseg_region *region)
{
	struct guest_process *process = process_of(region);

	process->segment = (struct guest_segment) {
		.base = region->start,
		.limit = region->start + (region->nr << PAGE_SHIFT),
		.offset = ((u64)region->pfn << PAGE_SHIFT) - region->start,
	};
	process->active = true;
	spin_lock(&by_root_lock);
	hash_add_rcu(by_root, &process->by_root, process->root);
	spin_unlock(&by_root_lock);
	guest_segment_sync();
	guest_walks_sync();
}

static void stop(struct dseg_region *region)
{
	WRITE_ONCE(process_of(region)->active, false);
	guest_segment_sync();
}

static void release(struct dseg_region *region)
{
	struct guest_process *process = process_of(region);

	mutex_lock(&lock);
	list_del(&process->all);
	mutex_unlock(&lock);
	spin_lock(&by_root_lock);
	hash_del_rcu(&process->by_root);
	spin_unlock(&by_root_lock);
	guest_segment_sync();
	guest_walks_sync();
	synchronize_rcu();
	guest_put_process(process);
}

/*
 * Making and removing
 */

static bool is_live(const struct guest_process *process)
{
	return READ_ONCE(process->region.live);
}

static struct guest_process *new_process(u64 size)
{
	struct guest_process *process = dseg_fault() ? NULL :
		kzalloc(sizeof(*process), GFP_KERNEL_ACCOUNT);

	if (!process)
		return NULL;
	kref_init(&process->refs);
	mmgrab(current->mm);
	process->root = __pa(current->mm->pgd);
	process->region.mm = current->mm;
	process->region.nr = size >> PAGE_SHIFT;
	/* mmap() has populated it if mlockall() says so. */
	process->region.touched = current->mm->def_flags & VM_LOCKED;
	process->region.get_frames = get_frames;
	process->region.put_frames = put_frames;
	process->region.stop = stop;
	process->region.release = release;
	return process;
}

/*
 * List a process whose region is to be made through @file, instead of those of
 * its mm that have ended.  -EBUSY: there is one, or it is being made, of this
 * mm or through that file.
 */
static int begin(struct guest_process *new, struct file *file)
{
	struct guest_process *of_file, *process;
	int err = 0;

	mutex_lock(&lock);
	of_file = file->private_data;
	if (of_file && is_live(of_file))
		err = -EBUSY;
	list_for_each_entry(process, &all, all) {
		if (process->maker == file)
			err = -EBUSY;
		if (process->region.mm != new->region.mm)
			continue;
		if (process->maker || is_live(process))
			err = -EBUSY;
		else
			dseg_region_remove(&process->region);
	}
	if (!err) {
		new->maker = file;
		list_add(&new->all, &all);
	}
	mutex_unlock(&lock);
	return err;
}

/* It has been made: others may find it from now on, and it may go. */
static void finish(struct guest_process *process, struct file *file)
{
	mutex_lock(&lock);
	process->maker = NULL;
	if (file->private_data)
		guest_put_process(file->private_data);
	kref_get(&process->refs);
	file->private_data = process;
	mutex_unlock(&lock);
}

/* It has not been made. */
static void unlist(struct guest_process *process)
{
	mutex_lock(&lock);
	list_del(&process->all);
	mutex_unlock(&lock);
}

/*
 * Where there is room, at a multiple of what a huge page maps; or 0.  The kernel
 * merges maps of other memory with a region beside them, and where it splits
 * them again it notifies us of a change of the whole of what a huge page maps.
 */
static unsigned long aligned_hole(u64 size)
{
	unsigned long start;

	start = vm_mmap(NULL, 0, size + PMD_SIZE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, 0);
	if (IS_ERR_VALUE(start))
		return 0;
	vm_munmap(start, size + PMD_SIZE);
	return ALIGN(start, PMD_SIZE);
}

static int map_and_make(struct guest_process *process,
			struct dseg_guest_create *request)
{
	unsigned long start;
	int err;

	dseg_region_flush();
	start = dseg_fault() ? -ENOMEM :
		vm_mmap(NULL, request->address ?: aligned_hole(request->size),
			request->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, 0);
	/* mlockall() has it locked, which exceeds the limit. */
	if (start == (unsigned long)-EAGAIN)
		return -EPERM;
	if (IS_ERR_VALUE(start))
		return start;
	process->region.start = start;
	err = dseg_region_make(&process->region, go);
	if (err)
		vm_munmap(start, request->size);
	request->address = start;
	/* It was that kind of memory, until another thread changed it. */
	return err == -EFAULT ? -EAGAIN : err;
}

/* As if it had not been made.  It may be gone on return. */
static void unmake(struct guest_process *process)
{
	unsigned long start = process->region.start;
	unsigned long size = process->region.nr << PAGE_SHIFT;

	dseg_region_remove(&process->region);
	dseg_region_flush();
	vm_munmap(start, size);
}

int guest_create(struct file *file, struct dseg_guest_create *request,
		 void __user *arg)
{
	struct guest_process *process = new_process(request->size);
	int err;

	if (!process)
		return -ENOMEM;
	err = begin(process, file);
	if (!err) {
		err = map_and_make(process, request);
		if (err)
			unlist(process);
	}
	if (err) {
		guest_put_process(process);
		return err;
	}
	/* Before others find it, as they could give its address to the next. */
	if (copy_to_user(arg, request, sizeof(*request))) {
		unmake(process);
		return -EFAULT;
	}
	finish(process, file);
	return 0;
}

/* The last region made of this process, or NULL.  With the lock. */
static struct guest_process *own_process(void)
{
	struct guest_process *process;

	list_for_each_entry(process, &all, all)
		if (process->region.mm == current->mm && !process->maker)
			return process;
	return NULL;
}

struct guest_process *guest_get_process(struct file *file)
{
	struct guest_process *process;

	mutex_lock(&lock);
	process = file->private_data ?: own_process();
	if (process)
		kref_get(&process->refs);
	mutex_unlock(&lock);
	return process;
}

/* Processes go on without their segments: paging translates the same. */
void guest_remove_all(void)
{
	struct guest_process *process;

	mutex_lock(&lock);
	list_for_each_entry(process, &all, all)
		dseg_region_remove(&process->region);
	mutex_unlock(&lock);
}
