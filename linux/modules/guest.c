// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dseg-guest: processes with a primary region (Gandhi et al., MICRO 2014)
 *
 * The device /dev/dseg-guest; its requests are in dseg-guest.h.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "fault.h"
#include "guest.h"

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

static long ioctl_create(struct file *file, void __user *arg)
{
	struct dseg_guest_create request;
	int err;

	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	err = check_create(&request);
	return err ?: guest_create(file, &request, arg);
}

static long drop(struct guest_process *process, void __user *arg)
{
	dseg_region_end(&process->region);
	return 0;
}

static long info(struct guest_process *process, void __user *arg)
{
	struct dseg_guest_info info = {
		.address = process->region.start,
		.size = process->region.nr << PAGE_SHIFT,
		.active = READ_ONCE(process->region.live),
	};

	if (capable(CAP_SYS_ADMIN))
		info.phys = (u64)process->region.pfn << PAGE_SHIFT;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long walks(struct guest_process *process, void __user *arg)
{
	struct dseg_guest_walks walks = {};
	u64 *out = (u64 *)&walks;
	int i;

	BUILD_BUG_ON(offsetof(struct dseg_guest_walks, reserved) !=
		     GUEST_COUNTERS * sizeof(u64));
	guest_walks_sync();
	for (i = 0; i < GUEST_COUNTERS; i++)
		out[i] = atomic64_read(&process->counts[i]);
	return copy_to_user(arg, &walks, sizeof(walks)) ? -EFAULT : 0;
}

static bool check_clear(const struct dseg_region *region,
			const struct dseg_guest_clear *request)
{
	u64 size = (u64)region->nr << PAGE_SHIFT;

	return PAGE_ALIGNED(request->address) && PAGE_ALIGNED(request->size) &&
	       request->address >= region->start && request->size <= size &&
	       request->address - region->start <= size - request->size &&
	       !(request->flags & ~DSEG_GUEST_CLEAR_LOOK) && !request->reserved;
}

static long clear(struct guest_process *process, void __user *arg)
{
	struct dseg_region *region = &process->region;
	struct dseg_guest_clear request;
	unsigned long first, busy;
	long done;

	if (region->mm != current->mm)
		return -ENOENT;
	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	if (!check_clear(region, &request))
		return -EINVAL;
	first = (request.address - region->start) >> PAGE_SHIFT;
	done = dseg_region_clear(region, first, request.size >> PAGE_SHIFT,
				 request.flags & DSEG_GUEST_CLEAR_LOOK, &busy);
	if (done < 0)
		return done;
	request.done = (u64)done << PAGE_SHIFT;
	request.busy = (u64)busy << PAGE_SHIFT;
	return copy_to_user(arg, &request, sizeof(request)) ? -EFAULT : 0;
}

static long ioctl_process(struct file *file,
			  long (*request)(struct guest_process *process,
					  void __user *arg),
			  void __user *arg)
{
	struct guest_process *process = guest_get_process(file);
	long ret;

	if (!process)
		return -ENOENT;
	ret = request(process, arg);
	guest_put_process(process);
	return ret;
}

static long guest_ioctl(struct file *file, unsigned int request,
			unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (request) {
	case DSEG_GUEST_CREATE:
		return ioctl_create(file, user);
	case DSEG_GUEST_DROP:
		return ioctl_process(file, drop, user);
	case DSEG_GUEST_INFO:
		return ioctl_process(file, info, user);
	case DSEG_GUEST_WALKS:
		return ioctl_process(file, walks, user);
	case DSEG_GUEST_CLEAR:
		return ioctl_process(file, clear, user);
	default:
		return -ENOTTY;
	}
}

static int guest_release(struct inode *inode, struct file *file)
{
	if (file->private_data)
		guest_put_process(file->private_data);
	return 0;
}

/* Without this, misc_open() leaves the device there. */
static int guest_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;
	return 0;
}

static const struct file_operations guest_fops = {
	.owner = THIS_MODULE,
	.open = guest_open,
	.release = guest_release,
	.unlocked_ioctl = guest_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
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
	err = dseg_fault() ? -ENOMEM : misc_register(&guest_device);
	if (!err)
		return 0;
	guest_walks_exit();
no_walks:
	guest_segment_exit();
no_segment:
	dseg_region_exit();
	return err;
}

static void __exit guest_exit(void)
{
	misc_deregister(&guest_device);
	guest_remove_all();
	dseg_region_exit();
	guest_walks_exit();
	guest_segment_exit();
}

module_init(guest_init);
module_exit(guest_exit);

MODULE_DESCRIPTION("Direct segments: primary regions of processes");
MODULE_LICENSE("GPL");
