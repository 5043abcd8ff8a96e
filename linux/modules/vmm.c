// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dseg-vmm: VMs with a VMM segment (Gandhi et al., MICRO 2014)
 *
 * The device /dev/dseg-vmm; its requests are in dseg-vmm.h.
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "fault.h"
#include "vmm.h"

static int check_attach(const struct dseg_vmm_attach *request)
{
	if (!PAGE_ALIGNED(request->gpa) || !PAGE_ALIGNED(request->size) ||
	    (request->gpa && !request->size))
		return -EINVAL;
	if (request->flags & ~DSEG_VMM_LESS || request->reserved[0] ||
	    request->reserved[1])
		return -EINVAL;
	return 0;
}

/* The VM's file; the VM is there for as long as the file is. */
static struct file *get_vm(int fd)
{
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (!file_is_kvm(file)) {
		fput(file);
		return ERR_PTR(-EINVAL);
	}
	return file;
}

/*
 * Reads a request, and sees that it can be answered: what has been done can't
 * always be undone.
 */
static bool get_request(void *request, void __user *arg, size_t size)
{
	return !copy_from_user(request, arg, size) &&
	       !copy_to_user(arg, request, size);
}

static long ioctl_attach(void __user *arg)
{
	struct dseg_vmm_attach request;
	struct file *vm;
	int err;

	if (!get_request(&request, arg, sizeof(request)))
		return -EFAULT;
	err = check_attach(&request);
	if (err)
		return err;
	vm = get_vm(request.vm_fd);
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	err = vmm_attach(vm, &request);
	if (!err && copy_to_user(arg, &request, sizeof(request))) {
		vmm_detach(vm->private_data);
		err = -EFAULT;
	}
	fput(vm);
	return err;
}

static long ioctl_detach(int fd)
{
	struct file *vm = get_vm(fd);
	long err;

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	err = vmm_detach(vm->private_data);
	fput(vm);
	return err;
}

static long ioctl_escape(void __user *arg)
{
	struct dseg_vmm_escape request;
	struct file *vm;
	long err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	if (!PAGE_ALIGNED(request.gpa) || request.reserved)
		return -EINVAL;
	vm = get_vm(request.vm_fd);
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	err = vmm_escape(vm->private_data, request.gpa >> PAGE_SHIFT);
	fput(vm);
	return err;
}

static long ioctl_unescape(int fd)
{
	struct file *vm;
	long err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	vm = get_vm(fd);
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	err = vmm_unescape(vm->private_data);
	fput(vm);
	return err;
}

static enum dseg_vmm_state state_of(const struct vmm_segment *segment)
{
	if (!READ_ONCE(segment->active))
		return DSEG_VMM_ENDED;
	return READ_ONCE(segment->fits) ? DSEG_VMM_ACTIVE : DSEG_VMM_SUSPENDED;
}

static void describe(const struct vmm_segment *segment,
		     struct dseg_vmm_info *info)
{
	const struct dseg_region *region = &segment->region;

	info->state = state_of(segment);
	info->pid = segment->pid;
	info->escapes = segment->nr_escapes;
	info->gpa = segment->gfn << PAGE_SHIFT;
	info->size = (u64)region->nr << PAGE_SHIFT;
	info->displaced = segment->frames.displaced;
	info->moved = region->moved;
	if (capable(CAP_SYS_ADMIN)) {
		info->hva = region->start;
		info->hpa = (u64)region->pfn << PAGE_SHIFT;
	}
}

/* Others' are none of a user's business.  With the lock held. */
static bool may_see(const struct vmm_segment *segment)
{
	return vmm_is_there(segment) &&
	       (uid_eq(segment->owner, current_euid()) ||
		capable(CAP_SYS_ADMIN));
}

static long ioctl_info(void __user *arg)
{
	struct dseg_vmm_info info = {};
	struct vmm_segment *segment;
	u32 left;
	long err = -ENOENT;

	if (get_user(info.index, (u32 __user *)arg))
		return -EFAULT;
	left = info.index;
	mutex_lock(&vmm_lock);
	list_for_each_entry(segment, &vmm_segments, all) {
		if (!may_see(segment) || left--)
			continue;
		describe(segment, &info);
		err = 0;
		break;
	}
	mutex_unlock(&vmm_lock);
	if (err)
		return err;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long ioctl_reserve(void __user *arg)
{
	struct dseg_vmm_reserve request;
	unsigned long pfn = 0, displaced = 0;
	long err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!get_request(&request, arg, sizeof(request)))
		return -EFAULT;
	if (!PAGE_ALIGNED(request.size) || request.reserved)
		return -EINVAL;
	dseg_region_flush();
	err = vmm_frames_reserve(request.size >> PAGE_SHIFT, &pfn, &displaced);
	if (err)
		return err;
	request.hpa = (u64)pfn << PAGE_SHIFT;
	request.displaced = displaced;
	if (!copy_to_user(arg, &request, sizeof(request)))
		return 0;
	vmm_frames_reserve(0, &pfn, &displaced);
	return -EFAULT;
}

static long vmm_ioctl(struct file *file, unsigned int request,
		      unsigned long arg)
{
	switch (request) {
	case DSEG_VMM_ATTACH:
		return ioctl_attach((void __user *)arg);
	case DSEG_VMM_DETACH:
		return ioctl_detach(arg);
	case DSEG_VMM_INFO:
		return ioctl_info((void __user *)arg);
	case DSEG_VMM_RESERVE:
		return ioctl_reserve((void __user *)arg);
	case DSEG_VMM_ESCAPE:
		return ioctl_escape((void __user *)arg);
	case DSEG_VMM_UNESCAPE:
		return ioctl_unescape(arg);
	default:
		return -ENOTTY;
	}
}

/*
 * What /dev/zero has: private anonymous memory, for VMMs that want a file to
 * map the VM's memory from.
 */
static int vmm_mmap(struct file *file, struct vm_area_struct *vma)
{
	/* Of a file that can't be written to it is not VM_SHARED. */
	if (vma->vm_flags & VM_MAYSHARE)
		return -EINVAL;
	vma_set_anonymous(vma);
	return 0;
}

static const struct file_operations vmm_fops = {
	.owner = THIS_MODULE,
	.mmap = vmm_mmap,
	.unlocked_ioctl = vmm_ioctl,
};

/* For everybody: it is the VM's file descriptor that gives the right. */
static struct miscdevice vmm_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dseg-vmm",
	.fops = &vmm_fops,
	.mode = 0666,
};

static int __init vmm_init(void)
{
	int err = dseg_region_init();

	if (err)
		return err;
	err = vmm_segment_init();
	if (err)
		goto no_segment;
	err = vmm_bad_frames_init();
	if (err)
		goto no_bad_frames;
	err = dseg_fault() ? -ENOMEM : misc_register(&vmm_device);
	if (!err)
		return 0;
	vmm_bad_frames_exit();
no_bad_frames:
	vmm_segment_exit();
no_segment:
	dseg_region_exit();
	return err;
}

static void __exit vmm_exit(void)
{
	misc_deregister(&vmm_device);
	vmm_remove_all();
	dseg_region_exit();
	vmm_frames_exit();
	vmm_bad_frames_exit();
	vmm_segment_exit();
}

module_init(vmm_init);
module_exit(vmm_exit);

MODULE_DESCRIPTION("Direct segments: VMs with a VMM segment");
MODULE_LICENSE("GPL");
