// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dseg-vmm: VMs with a VMM segment (Gandhi et al., MICRO 2014)
 *
 * The device /dev/dseg-vmm; its requests are in dseg-vmm.h.
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/kvm_host.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "contig.h"
#include "fault.h"
#include "vmm.h"

/*
 * All VMs that have, or had, a segment, or are to get one, and the lock for
 * that.  A segment is made without it: that may have to wait for the VMM for
 * ever.
 */
static LIST_HEAD(all);
static DEFINE_MUTEX(lock);

/* The same by VM, under RCU, and the lock for changes. */
static DEFINE_HASHTABLE(by_kvm, 6);
static DEFINE_SPINLOCK(by_kvm_lock);

/* A VM that has gone may have left its address to one of another process. */
static bool is_of(const struct vmm_segment *segment, const struct kvm *kvm)
{
	return segment->kvm == kvm && segment->region.mm == kvm->mm;
}

struct vmm_segment *vmm_segment_of(const struct kvm *kvm)
{
	struct vmm_segment *segment;

	hash_for_each_possible_rcu(by_kvm, segment, by_kvm, (unsigned long)kvm)
		if (is_of(segment, kvm))
			return segment;
	return NULL;
}

/*
 * What happens to a region
 */

static struct vmm_segment *segment_of(struct dseg_region *region)
{
	return container_of(region, struct vmm_segment, region);
}

static int get_frames(struct dseg_region *region)
{
	struct vmm_segment *segment = segment_of(region);
	struct vmm_frames *frames = &segment->frames;
	int err;

	*frames = (struct vmm_frames) { .nr = region->nr };
	segment->nr_escapes = 0;
	err = vmm_frames_alloc(frames, segment->less);
	if (err)
		return err;
	mutex_lock(&lock);	/* segment_with() looks */
	region->nr = frames->nr;
	region->pfn = frames->pfn;
	mutex_unlock(&lock);
	return 0;
}

static void put_frames(struct dseg_region *region, bool made)
{
	const struct vmm_frames *frames = &segment_of(region)->frames;

	if (made) {
		dseg_contig_free(frames->pfn, frames->nr);
		return;
	}
	mutex_lock(&lock);
	region->pfn = 0;
	mutex_unlock(&lock);
	vmm_frames_free(frames);
}

static void go(struct dseg_region *region)
{
	struct vmm_segment *segment = segment_of(region);

	segment->active = true;
	segment->fits = true;
	spin_lock(&by_kvm_lock);
	hash_add_rcu(by_kvm, &segment->by_kvm, (unsigned long)segment->kvm);
	spin_unlock(&by_kvm_lock);
	vmm_segment_sync();
}

static void stop(struct dseg_region *region)
{
	WRITE_ONCE(segment_of(region)->active, false);
	vmm_segment_sync();
}

static void release(struct dseg_region *region)
{
	struct vmm_segment *segment = segment_of(region);

	mutex_lock(&lock);
	list_del(&segment->all);
	mutex_unlock(&lock);
	spin_lock(&by_kvm_lock);
	hash_del_rcu(&segment->by_kvm);
	spin_unlock(&by_kvm_lock);
	synchronize_rcu();
	kfree(segment);
}

/* No CPU may use the segment until resume().  With the lock held. */
static void pause(struct vmm_segment *segment)
{
	WRITE_ONCE(segment->paused, true);
	vmm_segment_sync();
}

static void resume(struct vmm_segment *segment)
{
	/* A CPU that sees it sees all that has been changed, too. */
	smp_store_release(&segment->paused, false);
}

/* Of a segment that no CPU may use. */
static void add_escape(struct vmm_segment *segment, gfn_t gfn, bool bad)
{
	segment->escapes[segment->nr_escapes++] = (struct vmm_escape) {
		.gfn = gfn,
		.bad = bad,
	};
}

static struct vmm_escape *find_escape(struct vmm_segment *segment, gfn_t gfn)
{
	unsigned int i;

	for (i = 0; i < segment->nr_escapes; i++)
		if (segment->escapes[i].gfn == gfn)
			return &segment->escapes[i];
	return NULL;
}

/* The good frame for page @i, if the one that it would have is bad. */
static struct page *substitute(struct dseg_region *region, unsigned long i)
{
	struct vmm_segment *segment = segment_of(region);
	struct page *good;

	if (!vmm_bad_frame_hold(region->pfn + i))
		return NULL;
	good = dseg_fault() ? NULL : alloc_page(GFP_HIGHUSER);
	if (!good)
		return ERR_PTR(-ENOMEM);
	add_escape(segment, segment->gfn + i, true);
	return good;
}

/*
 * The requests
 */

/* It has been made, and not been removed.  With the lock held. */
static bool is_there(const struct vmm_segment *segment)
{
	return segment->made && !READ_ONCE(segment->region.gone);
}

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

/* Do @segment and @range share memory of the same VMM? */
static bool overlaps(const struct vmm_segment *segment,
		     const struct vmm_range *range)
{
	const struct dseg_region *region = &segment->region;

	return region->start < range->hva + (range->nr << PAGE_SHIFT) &&
	       range->hva < region->start + (region->nr << PAGE_SHIFT);
}

static struct vmm_segment *new_segment(const struct file *vm,
				       const struct vmm_range *range)
{
	const struct kvm *kvm = vm->private_data;
	struct vmm_segment *segment = dseg_fault() ? NULL :
		kzalloc(sizeof(*segment), GFP_KERNEL_ACCOUNT);

	if (!segment)
		return NULL;
	segment->kvm = kvm;
	segment->pid = kvm->userspace_pid;
	segment->owner = vm->f_cred->euid;
	segment->gfn = range->gfn;
	segment->region.mm = kvm->mm;
	segment->region.start = range->hva;
	segment->region.nr = range->nr;
	segment->region.touched = true;
	segment->region.get_frames = get_frames;
	segment->region.put_frames = put_frames;
	segment->region.substitute = substitute;
	segment->region.stop = stop;
	segment->region.release = release;
	return segment;
}

/*
 * List a segment that is to be made.  -EBUSY: its VM has one, or one is being
 * made of that VM or memory.  Another VM of the same process that has the same
 * memory has most probably gone.
 */
static int begin(struct vmm_segment *new, const struct vmm_range *range)
{
	struct vmm_segment *segment;
	bool live;
	int err = 0;

	mutex_lock(&lock);
	list_for_each_entry(segment, &all, all) {
		if (segment->region.mm != new->region.mm ||
		    READ_ONCE(segment->region.gone))
			continue;
		live = READ_ONCE(segment->region.live);
		if ((live || !segment->made) && segment->kvm == new->kvm)
			err = -EBUSY;
		else if (!segment->made)
			err = overlaps(segment, range) ? -EBUSY : err;
		else if (!live || overlaps(segment, range))
			dseg_region_remove(&segment->region);
	}
	if (!err)
		list_add_tail(&new->all, &all);
	mutex_unlock(&lock);
	return err;
}

/* It has been made, and may go from now on; or it has not, and is unlisted. */
static void finish(struct vmm_segment *segment, bool made)
{
	mutex_lock(&lock);
	if (made)
		segment->made = true;
	else
		list_del(&segment->all);
	mutex_unlock(&lock);
}

/* On success @request says what the segment has. */
static int make(struct vmm_segment *segment, const struct vmm_range *range,
		struct dseg_vmm_attach *request)
{
	struct dseg_region *region = &segment->region;
	struct vmm_frames frames;
	int err = begin(segment, range);

	if (err)
		return err;
	dseg_region_flush();
	err = dseg_region_make(region, go);
	frames = segment->frames;
	request->size = (u64)region->nr << PAGE_SHIFT;
	request->displaced = frames.displaced;
	request->moved = region->moved;
	finish(segment, !err);
	if (!err)
		vmm_bad_frames_replace(frames.pfn, frames.nr);
	return err;
}

static int attach(const struct file *vm, struct dseg_vmm_attach *request)
{
	struct kvm *kvm = vm->private_data;
	struct vmm_range range = {
		.gfn = request->gpa >> PAGE_SHIFT,
		.nr = request->size >> PAGE_SHIFT,
	};
	struct mm_struct *mm = kvm->mm;
	struct vmm_segment *segment;
	int err = vmm_slots_find(kvm, &range);

	if (err)
		return err;
	segment = new_segment(vm, &range);
	if (!segment)
		return -ENOMEM;
	segment->less = request->flags & DSEG_VMM_LESS;
	request->gpa = range.gfn << PAGE_SHIFT;
	err = -ESRCH;
	if (mmget_not_zero(mm)) {
		err = make(segment, &range, request);
		mmput(mm);
	}
	if (err)
		kfree(segment);
	return err;
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

static int detach(const struct kvm *kvm)
{
	struct vmm_segment *segment;
	int err = -ENOENT;

	mutex_lock(&lock);
	list_for_each_entry(segment, &all, all) {
		if (is_of(segment, kvm) && is_there(segment)) {
			dseg_region_remove(&segment->region);
			err = 0;
		}
	}
	mutex_unlock(&lock);
	return err;
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
	err = attach(vm, &request);
	if (!err && copy_to_user(arg, &request, sizeof(request))) {
		detach(vm->private_data);
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
	err = detach(vm->private_data);
	fput(vm);
	return err;
}

/* The segment of a VM that has not ended, or NULL.  With the lock held. */
static struct vmm_segment *find_live(const struct kvm *kvm)
{
	struct vmm_segment *segment;

	list_for_each_entry(segment, &all, all)
		if (is_of(segment, kvm) && segment->made &&
		    READ_ONCE(segment->region.live))
			return segment;
	return NULL;
}

static int escape(const struct kvm *kvm, gfn_t gfn)
{
	struct vmm_segment *segment;
	int err = 0;

	mutex_lock(&lock);
	segment = find_live(kvm);
	if (!segment) {
		err = -ENOENT;
	} else if (gfn - segment->gfn >= segment->region.nr) {
		err = -EINVAL;
	} else if (!find_escape(segment, gfn)) {
		if (segment->nr_escapes == VMM_ESCAPES_MAX) {
			err = -ENOSPC;
		} else {
			pause(segment);
			add_escape(segment, gfn, false);
			resume(segment);
		}
	}
	mutex_unlock(&lock);
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
	err = escape(vm->private_data, request.gpa >> PAGE_SHIFT);
	fput(vm);
	return err;
}

static int unescape(const struct kvm *kvm)
{
	struct vmm_segment *segment;
	unsigned int i, nr;

	mutex_lock(&lock);
	segment = find_live(kvm);
	if (segment) {
		pause(segment);
		nr = segment->nr_escapes;
		segment->nr_escapes = 0;
		for (i = 0; i < nr; i++)
			if (segment->escapes[i].bad)
				add_escape(segment, segment->escapes[i].gfn,
					   true);
		resume(segment);
	}
	mutex_unlock(&lock);
	return segment ? 0 : -ENOENT;
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
	err = unescape(vm->private_data);
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
	return is_there(segment) && (uid_eq(segment->owner, current_euid()) ||
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
	mutex_lock(&lock);
	list_for_each_entry(segment, &all, all) {
		if (!may_see(segment) || left--)
			continue;
		describe(segment, &info);
		err = 0;
		break;
	}
	mutex_unlock(&lock);
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
 * Bad frames
 */

/* One that is in use, or being made.  With the lock held. */
static struct vmm_segment *segment_with(unsigned long pfn)
{
	struct vmm_segment *segment;

	list_for_each_entry(segment, &all, all)
		if ((READ_ONCE(segment->region.live) || !segment->made) &&
		    segment->region.pfn &&
		    pfn - segment->region.pfn < segment->region.nr)
			return segment;
	return NULL;
}

/* Put page @i of a segment that no CPU may use onto another frame. */
static int replace(struct vmm_segment *segment, unsigned long i)
{
	struct vmm_escape *escape = find_escape(segment, segment->gfn + i);
	struct page *good;
	int err;

	if (!escape && segment->nr_escapes == VMM_ESCAPES_MAX)
		return -ENOSPC;
	good = dseg_fault() ? NULL : alloc_page(GFP_HIGHUSER);
	if (!good)
		return -ENOMEM;
	err = dseg_region_replace(&segment->region, i, good);
	if (err) {
		put_page(good);
		return err;
	}
	if (escape)
		escape->bad = true;
	else
		add_escape(segment, segment->gfn + i, true);
	return 0;
}

/* Is the page that would have this frame on another one already? */
static bool is_replaced(struct vmm_segment *segment, unsigned long pfn)
{
	struct vmm_escape *escape;

	escape = find_escape(segment, segment->gfn + pfn - segment->region.pfn);
	return escape && escape->bad;
}

/* With the lock held, and a reference to the users of the mm. */
static bool replace_or_end(struct vmm_segment *segment, unsigned long pfn)
{
	int err;

	pause(segment);
	err = replace(segment, pfn - segment->region.pfn);
	if (err) {
		dseg_region_end(&segment->region);
	} else {
		vmm_bad_frame_hold(pfn);
		put_page(pfn_to_page(pfn));	/* replace() has taken it */
	}
	resume(segment);
	return !err;
}

bool vmm_replace_frame(unsigned long pfn)
{
	struct mm_struct *mm = NULL;
	struct vmm_segment *segment;
	bool done = false;

	mutex_lock(&lock);
	segment = segment_with(pfn);
	if (segment && (!segment->made || is_replaced(segment, pfn)))
		done = true;
	else if (segment && mmget_not_zero(segment->region.mm))
		mm = segment->region.mm;
	if (mm)
		done = replace_or_end(segment, pfn);
	mutex_unlock(&lock);
	if (mm)
		mmput(mm);
	return done;
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

/* VMs go on without their segments: the nested page tables do the same. */
static void __exit vmm_exit(void)
{
	struct vmm_segment *segment;

	misc_deregister(&vmm_device);
	mutex_lock(&lock);
	list_for_each_entry(segment, &all, all)
		dseg_region_remove(&segment->region);
	mutex_unlock(&lock);
	dseg_region_exit();
	vmm_frames_exit();
	vmm_bad_frames_exit();
	vmm_segment_exit();
}

module_init(vmm_init);
module_exit(vmm_exit);

MODULE_DESCRIPTION("Direct segments: VMs with a VMM segment");
MODULE_LICENSE("GPL");
