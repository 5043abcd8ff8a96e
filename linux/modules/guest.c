// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dseg-guest: processes with a primary region (Gandhi et al., MICRO 2014)
 *
 * The device /dev/dseg-guest; its requests are in dseg-guest.h.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "guest.h"

/* All processes that have, or had, a region, and the lock for that. */
static LIST_HEAD(all);
static DEFINE_MUTEX(lock);

/* The same by page table, under RCU, and the lock for changes. */
static DEFINE_HASHTABLE(by_root, 6);
static DEFINE_SPINLOCK(by_root_lock);

/* One region is made at a time: it takes contiguous frames, which are few. */
static DEFINE_MUTEX(create_lock);

struct guest_process *guest_process_of(phys_addr_t root)
{
	struct guest_process *process;

	hash_for_each_possible_rcu(by_root, process, by_root, root)
		if (process->root == root)
			return process;
	return NULL;
}

/* With the lock held.  A process that is being removed is nobody's. */
static struct guest_process *find_process(struct mm_struct *mm)
{
	struct guest_process *process;

	list_for_each_entry(process, &all, all)
		if (process->region.mm == mm && !process->region.gone)
			return process;
	return NULL;
}

/*
 * What happens to a region
 */

static struct guest_process *process_of(struct dseg_region *region)
{
	return container_of(region, struct guest_process, region);
}

static void go(struct dseg_region *region)
{
	struct guest_process *process = process_of(region);

	process->segment = (struct guest_segment) {
		.base = region->start,
		.limit = region->start + (region->nr << PAGE_SHIFT),
		.offset = ((u64)region->pfn << PAGE_SHIFT) - region->start,
	};
	spin_lock(&by_root_lock);
	hash_add_rcu(by_root, &process->by_root, process->root);
	spin_unlock(&by_root_lock);
	guest_segment_sync();
	guest_walks_sync();
}

static void stop(struct dseg_region *region)
{
	/* The LIMIT alone makes it none, in one store that any CPU may see. */
	WRITE_ONCE(process_of(region)->segment.limit, 0);
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
	kfree(process);
}

/*
 * The requests
 */

static int check_create(const struct dseg_guest_create *request)
{
	if (!request->size || !PAGE_ALIGNED(request->size) ||
	    !PAGE_ALIGNED(request->address))
		return -EINVAL;
	if (request->reserved[0] || request->reserved[1])
		return -EINVAL;
	if (request->size >> PAGE_SHIFT > totalram_pages())
		return -ENOMEM;
	return 0;
}

/* Make way for a new region of this process.  -EBUSY: it has one. */
static int forget_old(struct mm_struct *mm)
{
	struct guest_process *old;
	int err = 0;

	mutex_lock(&lock);
	old = find_process(mm);
	if (old && READ_ONCE(old->region.live))
		err = -EBUSY;
	else if (old)
		dseg_region_remove(&old->region);
	mutex_unlock(&lock);
	return err;
}

static int make_process(unsigned long start, unsigned long size)
{
	struct guest_process *process = kzalloc(sizeof(*process), GFP_KERNEL);
	int err;

	if (!process)
		return -ENOMEM;
	process->root = __pa(current->mm->pgd);
	process->region.mm = current->mm;
	process->region.start = start;
	process->region.nr = size >> PAGE_SHIFT;
	process->region.stop = stop;
	process->region.release = release;
	err = dseg_region_make(&process->region, go);
	if (err) {
		kfree(process);
		return err;
	}
	mutex_lock(&lock);
	list_add(&process->all, &all);
	mutex_unlock(&lock);
	return 0;
}

static int create(struct dseg_guest_create *request)
{
	unsigned long start;
	int err = check_create(request);

	if (!err)
		err = forget_old(current->mm);
	if (err)
		return err;
	start = vm_mmap(NULL, request->address, request->size,
			PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(start))
		return start;
	err = make_process(start, request->size);
	if (err)
		vm_munmap(start, request->size);
	request->address = start;
	return err;
}

static long ioctl_create(void __user *arg)
{
	struct dseg_guest_create request;
	int err;

	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	if (mutex_lock_killable(&create_lock))
		return -EINTR;
	err = create(&request);
	mutex_unlock(&create_lock);
	if (err)
		return err;
	return copy_to_user(arg, &request, sizeof(request)) ? -EFAULT : 0;
}

static long ioctl_drop(void)
{
	struct guest_process *process;
	long err = -ENOENT;

	mutex_lock(&lock);
	process = find_process(current->mm);
	if (process && dseg_region_end(&process->region))
		err = 0;
	mutex_unlock(&lock);
	return err;
}

static long ioctl_info(void __user *arg)
{
	struct dseg_guest_info info = {};
	struct guest_process *process;

	mutex_lock(&lock);
	process = find_process(current->mm);
	if (process) {
		info.address = process->region.start;
		info.size = process->region.nr << PAGE_SHIFT;
		info.active = READ_ONCE(process->region.live);
		if (capable(CAP_SYS_ADMIN))
			info.phys = (u64)process->region.pfn << PAGE_SHIFT;
	}
	mutex_unlock(&lock);
	if (!process)
		return -ENOENT;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long ioctl_walks(void __user *arg)
{
	struct dseg_guest_walks walks = {};
	struct guest_process *process;
	u64 *out = (u64 *)&walks;
	int i;

	BUILD_BUG_ON(offsetof(struct dseg_guest_walks, reserved) !=
		     GUEST_COUNTERS * sizeof(u64));
	guest_walks_sync();
	mutex_lock(&lock);
	process = find_process(current->mm);
	for (i = 0; process && i < GUEST_COUNTERS; i++)
		out[i] = atomic64_read(&process->counts[i]);
	mutex_unlock(&lock);
	if (!process)
		return -ENOENT;
	return copy_to_user(arg, &walks, sizeof(walks)) ? -EFAULT : 0;
}

static long guest_ioctl(struct file *file, unsigned int request,
			unsigned long arg)
{
	switch (request) {
	case DSEG_GUEST_CREATE:
		return ioctl_create((void __user *)arg);
	case DSEG_GUEST_DROP:
		return ioctl_drop();
	case DSEG_GUEST_INFO:
		return ioctl_info((void __user *)arg);
	case DSEG_GUEST_WALKS:
		return ioctl_walks((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations guest_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = guest_ioctl,
};

/* For everybody: RLIMIT_MEMLOCK says who may have how much. */
static struct miscdevice guest_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dseg-guest",
	.fops = &guest_fops,
	.mode = 0666,
};

static int __init guest_init(void)
{
	int err = dseg_region_init();

	if (err)
		return err;
	err = guest_segment_init();
	if (err)
		goto no_segment;
	err = guest_walks_init();
	if (err)
		goto no_walks;
	err = misc_register(&guest_device);
	if (!err)
		return 0;
	guest_walks_exit();
no_walks:
	guest_segment_exit();
no_segment:
	dseg_region_exit();
	return err;
}

/* Processes go on without their segments: paging translates the same. */
static void __exit guest_exit(void)
{
	struct guest_process *process;

	misc_deregister(&guest_device);
	mutex_lock(&lock);
	list_for_each_entry(process, &all, all)
		dseg_region_remove(&process->region);
	mutex_unlock(&lock);
	dseg_region_exit();
	guest_walks_exit();
	guest_segment_exit();
}

module_init(guest_init);
module_exit(guest_exit);

MODULE_DESCRIPTION("Direct segments: primary regions of processes");
MODULE_LICENSE("GPL");
