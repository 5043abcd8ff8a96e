/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * /dev/dseg-vmm: the memory of a virtual machine in a VMM segment
 *
 * A VM of KVM has at most one VMM segment: a range of its guest-physical
 * memory that is moved onto contiguous frames, and that the segment's MSRs
 * translate whenever its virtual CPUs run.  The nested page tables map the
 * same, and are what translates once the segment has gone.  The VM may run
 * meanwhile, and its VMM need not know: its memory is ordinary memory (private
 * and anonymous), its file descriptor is all that is needed.
 *
 *     int fd = open(DSEG_VMM_DEVICE, O_RDWR | O_CLOEXEC);
 *     struct dseg_vmm_attach segment = { .vm_fd = vm };
 *
 *     ioctl(fd, DSEG_VMM_ATTACH, &segment);
 *
 * A private map of the device is such memory, too; a shared one is EINVAL.
 *
 * The segment needs neither file descriptor any longer.  It ends when anything
 * changes the VMM's page tables of the range (munmap, madvise, a balloon), with
 * DSEG_VMM_DETACH, and with the VMM's process.  While the VM's memory map does
 * not have the range where it was, or logs what is written to it (migration), the
 * segment is not in force; nor while the VM itself runs nested guests.
 */
#ifndef DSEG_VMM_H
#define DSEG_VMM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DSEG_VMM_DEVICE "/dev/dseg-vmm"

/*
 * Gives a VM a segment.  Whoever holds the VM's file descriptor may.  A size of
 * 0 is all of the largest piece of RAM that there is, from 1 MiB on.
 *
 * EBADF   vm_fd is not open
 * EINVAL  vm_fd is no VM of KVM; gpa or size is no multiple of 4096; size is 0
 *         and gpa is not; unknown flags; reserved is not 0
 * EBUSY   the VM has a segment already, or one is just being made of that
 *         memory
 * ENXIO   the VM has no RAM there, or not in one piece, or none yet; or it is
 *         in a guest_memfd, which is no memory of the VMM's
 * EFAULT  its RAM is not private, writable, anonymous memory; or the argument
 *         is not in writable memory
 * ENOMEM  no range of contiguous frames could be made free, or the limit of
 *         the VMM's memory cgroup is reached
 * EPERM   the size asked for, with what the VMM has locked and pinned already,
 *         exceeds the caller's RLIMIT_MEMLOCK, and it lacks CAP_IPC_LOCK
 * EAGAIN  the memory was being changed meanwhile, or is in use by a device
 * ESRCH   the process of the VMM has gone
 * EINTR   the caller is being killed
 */
struct dseg_vmm_attach {
	__s32 vm_fd;		/* in: the VM, as KVM_CREATE_VM returned it */
	__u32 flags;		/* in: DSEG_VMM_LESS or 0 */
	__u64 gpa;		/* in: where; out: where it is */
	__u64 size;		/* in: bytes; out: what it has got */
	__u64 displaced;	/* out: pages that were migrated to make room */
	__u64 moved;		/* out: pages of the VM that were moved */
	__u64 reserved[2];	/* in: 0 */
};

/* If there is no contiguous range of that size, take the largest there is. */
#define DSEG_VMM_LESS 0x1

#define DSEG_VMM_ATTACH _IOWR('D', 0x10, struct dseg_vmm_attach)

/*
 * Ends the segment of the VM whose file descriptor is the argument.  EBADF,
 * EINVAL: as above.  ENOENT: it has none.
 */
#define DSEG_VMM_DETACH _IO('D', 0x11)

/*
 * Lets one more page escape from the segment: it stays where it is, and the
 * nested page tables translate it.  For experiments; what is on a bad frame
 * escapes by itself.  UNESCAPE, whose argument is the VM's file descriptor,
 * undoes that for all pages but those.
 *
 * EPERM   the caller lacks CAP_SYS_ADMIN
 * EINVAL  gpa is no multiple of 4096, or not in the segment; reserved is not 0
 * ENOENT  the VM has no segment, or it has ended
 * ENOSPC  64 pages escape already
 * EBADF, EFAULT: as above
 */
struct dseg_vmm_escape {
	__s32 vm_fd;		/* in */
	__u32 reserved;		/* in: 0 */
	__u64 gpa;		/* in */
};

#define DSEG_VMM_ESCAPE _IOW('D', 0x14, struct dseg_vmm_escape)
#define DSEG_VMM_UNESCAPE _IO('D', 0x15)

enum dseg_vmm_state {
	DSEG_VMM_ENDED,		/* something has changed the page tables */
	DSEG_VMM_ACTIVE,
	DSEG_VMM_SUSPENDED,	/* the VM could not use it when it last ran */
};

/*
 * The segment number @index, from 0 on.  ENOENT: there are no more.  A process
 * without CAP_SYS_ADMIN sees those of VMs that its user has made, and hva and
 * hpa are 0, as in /proc/PID/pagemap.
 */
struct dseg_vmm_info {
	__u32 index;		/* in */
	__u32 state;		/* enum dseg_vmm_state */
	__s32 pid;		/* of the process that made the VM */
	__u32 escapes;		/* pages in the escape filter */
	__u64 gpa;
	__u64 size;
	__u64 hva;		/* where the VMM has that memory */
	__u64 hpa;		/* the first of the contiguous frames */
	__u64 displaced;	/* as of the request */
	__u64 moved;
	__u64 reserved[2];
};

#define DSEG_VMM_INFO _IOWR('D', 0x12, struct dseg_vmm_info)

/*
 * Sets contiguous frames aside, which the next segments are made of, as long
 * as they suffice: while memory is not yet fragmented, say.  They are for
 * callers that may lock any amount of memory (CAP_IPC_LOCK, or no
 * RLIMIT_MEMLOCK).  A request that fails leaves them as they were.  size 0 gives
 * back what is left of them.
 *
 * EPERM   the caller lacks CAP_SYS_ADMIN
 * EINVAL  size is no multiple of 4096; reserved is not 0
 * EBUSY   there are some already
 * ENOMEM  no range of contiguous frames could be made free
 * EINTR   the caller is being killed
 * EFAULT  the argument is not in writable memory
 */
struct dseg_vmm_reserve {
	__u64 size;		/* in: bytes */
	__u64 hpa;		/* out: where they are */
	__u64 displaced;	/* out: pages that were migrated to make room */
	__u64 reserved;		/* in: 0 */
};

#define DSEG_VMM_RESERVE _IOWR('D', 0x13, struct dseg_vmm_reserve)

#endif
