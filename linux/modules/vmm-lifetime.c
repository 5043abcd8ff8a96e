// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The segments of VMs: how they are made, found and removed
 */
#include <linux/hashtable.h>
#include <linux/kvm_host.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "contig.h"
#include "fault.h"
#include "vmm.h"

/*
 * A segment is made without the lock: that may have to wait for the VMM for
 * ever.
 */
LIST_HEAD(vmm_segments);
DEFINE_MUTEX(vmm_lock);	/* of that list, and of what segments are */

/* The same by VM, under RCU, and the lock for changes. */
static DEFINE_HASHTABLE(by_kvm, 6);
static DEFINE_SPINLOCK(by_kvm_lock);

bool vmm_is_of(const struct vmm_segment *segment, const struct kvm *kvm)
{
	return segment->kvm == kvm && segment->region.mm == kvm->mm;
}

struct vmm_segment *vmm_segment_of(const struct kvm *kvm)
{
	struct vmm_segment *segment;

	hash_for_each_possible_rcu(by_kvm, segment, by_kvm, (unsigned long)kvm)
		if (vmm_is_of(segment, kvm))
			return segment;
	return NULL;
}

bool vmm_is_there(const struct vmm_segment *segment)
{
	return segment->made && !READ_ONCE(segment->region.gone);
}

struct vmm_segment *vmm_find_live(const struct kvm *kvm)
{
	struct vmm_segment *segment;

	list_for_each_entry(segment, &vmm_segments, all)
		if (vmm_is_of(segment, kvm) && segment->made &&
		    READ_ONCE(segment->region.live))
			return segment;
	return NULL;
}

/*
 * What happens to a region
 */

static int get_frames(struct dseg_region *region)
{
	struct vmm_segment *segment = vmm_segment_around(region);
	struct vmm_frames *frames = &segment->frames;
	int err;

	*frames = (struct vmm_frames) { .nr = region->nr };
	segment->nr_escapes = 0;
	err = vmm_frames_alloc(frames, segment->less);
	if (err)
		return err;
	mutex_lock(&vmm_lock);	/* segment_with() looks */
	region->nr = frames->nr;
	region->pfn = frames->pfn;
	mutex_unlock(&vmm_lock);
	return 0;
}

static void put_frames(struct dseg_region *region, bool made)
{
	struct vmm_segment *segment = vmm_segment_around(region);
	const struct vmm_frames *frames = &segment->frames;

	if (made) {
		dseg_contig_free(frames->pfn, frames->nr);
		return;
	}
	mutex_lock(&vmm_lock);
	region->pfn = 0;
	mutex_unlock(&vmm_lock);
	vmm_frames_free(frames);
}

static void go(struct dseg_region *region)
{
	struct vmm_segment *segment = vmm_segment_around(region);

	segment->active = true;
	segment->fits = true;
	spin_lock(&by_kvm_lock);
	hash_add_rcu(by_kvm, &segment->by_kvm, (unsigned long)segment->kvm);
	spin_unlock(&by_kvm_lock);
	vmm_segment_sync();
}

static void stop(struct dseg_region *region)
{
	struct vmm_segment *segment = vmm_segment_around(region);

	WRITE_ONCE(segment->active, false);
	vmm_segment_sync();
}

static void release(struct dseg_region *region)
{
	struct vmm_segment *segment = vmm_segment_around(region);

	mutex_lock(&vmm_lock);
	list_del(&segment->all);
	mutex_unlock(&vmm_lock);
	spin_lock(&by_kvm_lock);
	hash_del_rcu(&segment->by_kvm);
	spin_unlock(&by_kvm_lock);
	synchronize_rcu();
	kfree(segment);
}

/*
 * Making and removing
 */

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
	segment->region.substitute = vmm_substitute;
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

	mutex_lock(&vmm_lock);
	list_for_each_entry(segment, &vmm_segments, all) {
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
		list_add_tail(&new->all, &vmm_segments);
	mutex_unlock(&vmm_lock);
	return err;
}

/* It has been made, and may go from now on; or it has not, and is unlisted. */
static void finish(struct vmm_segment *segment, bool made)
{
	mutex_lock(&vmm_lock);
	if (made)
		segment->made = true;
	else
		list_del(&segment->all);
	mutex_unlock(&vmm_lock);
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

int vmm_attach(const struct file *vm, struct dseg_vmm_attach *request)
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

int vmm_detach(const struct kvm *kvm)
{
	struct vmm_segment *segment;
	int err = -ENOENT;

	mutex_lock(&vmm_lock);
	list_for_each_entry(segment, &vmm_segments, all) {
		if (vmm_is_of(segment, kvm) && vmm_is_there(segment)) {
			dseg_region_remove(&segment->region);
			err = 0;
		}
	}
	mutex_unlock(&vmm_lock);
	return err;
}

/* VMs go on without their segments: the nested page tables do the same. */
void vmm_remove_all(void)
{
	struct vmm_segment *segment;

	mutex_lock(&vmm_lock);
	list_for_each_entry(segment, &vmm_segments, all)
		dseg_region_remove(&segment->region);
	mutex_unlock(&vmm_lock);
}
