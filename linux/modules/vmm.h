/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_VMM_MODULE_H
#define DSEG_VMM_MODULE_H

#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#include <dseg-vmm.h>

#include "region.h"

/*
 * The most pages that can escape from a segment.  With as many in a filter of
 * 256 bits one in six of all others is a false escape.
 */
#define VMM_ESCAPES_MAX 64

/**
 * struct vmm_escape - a page that the filter keeps out of the segment
 *
 * @gfn: which, in guest-physical memory
 * @bad: because its frame is bad
 */
struct vmm_escape {
	gfn_t gfn;
	bool bad;
};

/**
 * struct vmm_frames - contiguous frames, with a reference to each
 *
 * @pfn: the first
 * @nr: how many
 * @displaced: pages that were migrated to make room
 * @of_reserve: which reserve they were set aside in; 0: none
 */
struct vmm_frames {
	unsigned long pfn;
	unsigned long nr;
	unsigned long displaced;
	unsigned int of_reserve;
};

/**
 * struct vmm_segment - the VMM segment of a VM
 *
 * @region: the memory of the VMM
 * @frames: what it is put onto, while it is being made
 * @kvm: whose it is; only to compare with, as the VM may have gone
 * @gfn: the first page, in guest-physical memory
 * @pid: of the process that made the VM
 * @owner: who made the VM
 * @less: fewer pages will do
 * @made: it has been made, or has been and has ended; under vmm_lock
 * @active: a CPU may use it
 * @paused: no CPU may use it for the moment
 * @fits: could the VM use it when it last ran?
 * @escapes: what the filter keeps out of it
 * @nr_escapes: how many pages
 * @by_kvm: links all, under RCU
 * @all: links all, also those that are being made, under vmm_lock
 */
struct vmm_segment {
	struct dseg_region region;
	struct vmm_frames frames;
	const struct kvm *kvm;
	gfn_t gfn;
	pid_t pid;
	kuid_t owner;
	bool less;
	bool made;
	bool active;
	bool paused;
	bool fits;
	struct vmm_escape escapes[VMM_ESCAPES_MAX];
	unsigned int nr_escapes;
	struct hlist_node by_kvm;
	struct list_head all;
};

/* vmm-lifetime.c: the segments of VMs, how they are made, found and removed */

/*
 * All VMs that have, or had, a segment, or are to get one; and the lock for
 * that, and for changes of a segment.
 */
extern struct list_head vmm_segments;
extern struct mutex vmm_lock;

/**
 * vmm_segment_of() - the segment of that VM, or NULL
 * @kvm: the VM
 *
 * Under RCU.
 */
struct vmm_segment *vmm_segment_of(const struct kvm *kvm);

/**
 * vmm_is_of() - is it the segment of that VM?
 * @segment: which
 * @kvm: the VM; one that has gone may have left its address to one of another
 *	process
 */
bool vmm_is_of(const struct vmm_segment *segment, const struct kvm *kvm);

/**
 * vmm_is_there() - has it been made, and not been removed?
 * @segment: which, with the lock held
 */
bool vmm_is_there(const struct vmm_segment *segment);

/**
 * vmm_find_live() - the segment of a VM that has not ended, or NULL
 * @kvm: the VM
 *
 * With the lock held.
 */
struct vmm_segment *vmm_find_live(const struct kvm *kvm);

/**
 * vmm_attach() - give a VM a segment
 * @vm: the VM's file
 * @request: checked; becomes what the segment has
 *
 * Return: 0, or an errno of DSEG_VMM_ATTACH.
 */
int vmm_attach(const struct file *vm, struct dseg_vmm_attach *request);

/**
 * vmm_detach() - take it away
 * @kvm: the VM
 *
 * Return: 0; -ENOENT: it has none.
 */
int vmm_detach(const struct kvm *kvm);

/**
 * vmm_remove_all() - take all away
 */
void vmm_remove_all(void);

static inline struct vmm_segment *vmm_segment_around(struct dseg_region *region)
{
	return container_of(region, struct vmm_segment, region);
}

/* vmm-escapes.c: pages that the escape filter keeps out of a segment */

/**
 * vmm_pause() - let no CPU use a segment until vmm_resume()
 * @segment: which, with the lock held
 */
void vmm_pause(struct vmm_segment *segment);
void vmm_resume(struct vmm_segment *segment);

/**
 * vmm_add_escape() - have a page escape
 * @segment: one that no CPU may use, with fewer than VMM_ESCAPES_MAX escapes
 * @gfn: the page, in guest-physical memory
 * @bad: because its frame is bad
 */
void vmm_add_escape(struct vmm_segment *segment, gfn_t gfn, bool bad);

/**
 * vmm_find_escape() - does this page escape?
 * @segment: from which, with the lock held
 * @gfn: the page, in guest-physical memory
 *
 * Return: its entry, or NULL.
 */
struct vmm_escape *vmm_find_escape(struct vmm_segment *segment, gfn_t gfn);

/**
 * vmm_escape() - have a page of a VM escape from its segment
 * @kvm: the VM
 * @gfn: the page, in guest-physical memory
 *
 * Return: 0, or an errno of DSEG_VMM_ESCAPE.
 */
int vmm_escape(const struct kvm *kvm, gfn_t gfn);

/**
 * vmm_unescape() - have no page escape but those whose frames are bad
 * @kvm: the VM
 *
 * Return: 0; -ENOENT: it has no segment.
 */
int vmm_unescape(const struct kvm *kvm);

/* vmm-replace.c: segments do without bad frames */

/**
 * vmm_substitute() - the good frame for a page whose own would be bad
 * @region: that of a segment, while it is being made
 * @i: which page
 *
 * Return: the frame, with a reference, and the page escapes; NULL: its own is
 * good; -ENOMEM.
 */
struct page *vmm_substitute(struct dseg_region *region, unsigned long i);

/**
 * vmm_replace_frame() - a frame has gone bad: do without it
 * @pfn: which
 *
 * If a segment has it, the page there is on another frame then, full of
 * zeros, and escapes, and the bad frame is held; or, if that can't be done, the
 * segment has ended.
 *
 * Return: that has been done, before or now, or is done by who is just making
 * the segment.
 */
bool vmm_replace_frame(unsigned long pfn);

/* vmm-segment.c: the MSRs follow the VMs, on every CPU */

/**
 * vmm_segment_init() - before the first segment
 *
 * Return: 0; -ENODEV if the CPUs have no VMM segment; an errno of tracepoints
 * or of CPU hotplug.
 */
int vmm_segment_init(void);
void vmm_segment_exit(void);

/**
 * vmm_segment_sync() - a segment has changed: let all CPUs look
 *
 * On return they use what vmm_segment_of() now says.  May sleep.
 */
void vmm_segment_sync(void);

/* vmm-slots.c: what KVM knows of the VM's memory */

/**
 * struct vmm_range - guest-physical memory, and where the VMM has it
 *
 * @gfn: the first page
 * @nr: how many
 * @hva: of the first page
 */
struct vmm_range {
	gfn_t gfn;
	unsigned long nr;
	unsigned long hva;
};

/**
 * vmm_slots_find() - RAM of a VM
 * @kvm: the VM
 * @range: which; nr 0: the largest there is, from 1 MiB on.  Becomes complete.
 *
 * Return: 0; -ENXIO if it has none there.
 */
int vmm_slots_find(struct kvm *kvm, struct vmm_range *range);

/**
 * vmm_slots_have() - does the VM have this memory there?
 * @kvm: the VM
 * @range: which
 *
 * And may it be read and written, now, without KVM being told?  At any time.
 */
bool vmm_slots_have(struct kvm *kvm, const struct vmm_range *range);

/* vmm-frames.c: contiguous frames, those set aside first */

/**
 * vmm_frames_alloc() - contiguous frames
 * @frames: @nr: how many; becomes how many there are; and the rest, but for
 *	@displaced, which becomes larger
 * @less: if there are not so many, the most that there are
 *
 * The reserve is for callers with CAP_IPC_LOCK or without RLIMIT_MEMLOCK.
 *
 * Return: 0, -ENOMEM, -EINTR.
 */
int vmm_frames_alloc(struct vmm_frames *frames, bool less);

/**
 * vmm_frames_free() - give the references back, after a failure
 * @frames: which; pages of processes may be on some
 *
 * What is of the reserve goes there, once it has been cleared.
 */
void vmm_frames_free(const struct vmm_frames *frames);

/**
 * vmm_frames_reserve() - set frames aside
 * @nr: how many; 0: give them back
 * @pfn: the first
 * @displaced: becomes larger by the pages that were migrated to make room
 *
 * Return: 0; -EBUSY if there are some; -ENOMEM, -EINTR.
 */
int vmm_frames_reserve(unsigned long nr, unsigned long *pfn,
		       unsigned long *displaced);

/**
 * vmm_frames_reserved() - is this frame one of those?
 * @pfn: which
 */
bool vmm_frames_reserved(unsigned long pfn);

/**
 * vmm_frames_exit() - give back what is set aside, whatever happens
 */
void vmm_frames_exit(void);

/* vmm-bad-frames.c: the device that knows them */

/**
 * vmm_bad_frames_init() - look for the device; all is well without one, too
 *
 * Return: 0, or an errno of drivers.
 */
int vmm_bad_frames_init(void);
void vmm_bad_frames_exit(void);

/**
 * vmm_bad_frame_held() - is this frame bad, and out of use because of us?
 * @pfn: which
 */
bool vmm_bad_frame_held(unsigned long pfn);

/**
 * vmm_bad_frame_hold() - keep a frame out of use if it is bad
 * @pfn: which; the caller has a reference to it, and keeps that
 *
 * Return: it is bad, and we have a reference of our own.
 */
bool vmm_bad_frame_hold(unsigned long pfn);

/**
 * vmm_bad_frames_replace() - see to frames that went bad as a segment was made
 * @pfn: the first frame of the segment
 * @nr: how many
 */
void vmm_bad_frames_replace(unsigned long pfn, unsigned long nr);

#endif
