/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * /dev/dseg-guest: the primary region of a process
 *
 * A process has at most one primary region: anonymous memory on contiguous
 * frames that a guest segment (CR9 to CR11) translates whenever the process
 * runs, on any CPU, for all its threads.  The page tables map the same, and
 * are what translates once the segment has gone.
 *
 *     int fd = open(DSEG_GUEST_DEVICE, O_RDWR | O_CLOEXEC);
 *     struct dseg_guest_create region = { .size = 64 << 20 };
 *
 *     if (ioctl(fd, DSEG_GUEST_CREATE, &region) == 0)
 *         memset((void *)region.address, 1, region.size);
 *
 * The region does not need the file any longer.  Its segment ends when
 * anything changes the page tables of the region (munmap, mprotect, mremap,
 * madvise of a part of it, for example), with DSEG_GUEST_DROP, with exec and
 * exit.  What is still mapped is ordinary memory then.  fork copies the region
 * at once: the child's is ordinary memory, the parent keeps its segment.
 *
 * DROP, INFO and WALKS are about the region that was made through the same
 * open file, last, whoever asks: a parent can open the file, let a child make
 * the region, and ask about it later, also when the child has ended.  Through a
 * file that has made none they are about the caller's own region, and fail with
 * ENOENT if it has none.
 *
 * Who may do what: everybody may open the device, unless its mode is changed.
 * The frames of a region can't be swapped or moved, so its size counts against
 * RLIMIT_MEMLOCK, together with what the process has locked by then (mlock());
 * it is in VmPin of /proc/PID/status.  A process with CAP_IPC_LOCK may have any
 * size.  Whatever the memory was used for before, a region is zeroed.
 */
#ifndef DSEG_GUEST_H
#define DSEG_GUEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DSEG_GUEST_DEVICE "/dev/dseg-guest"

/*
 * Maps the primary region of the calling process, zeroed.
 *
 * Best is a size that is a multiple of 2 MiB, and no hint: changes of other
 * memory in the same aligned 2 MiB may end the segment.  Without a hint the
 * region begins with such a block.
 *
 * An error leaves all as it was.  Until it returns, other threads must leave the
 * memory alone that it maps: on an error it unmaps what is there by then.
 *
 * EINVAL  size or address is no multiple of 4096, size is 0, reserved is not 0
 * EBUSY   the process has a primary region already, or there is one that has
 *         been made through this file; or another thread is just making one
 * ENOMEM  no range of contiguous frames could be made free, or the limits of
 *         the process's memory (address space, memory cgroup) are reached
 * EPERM   RLIMIT_MEMLOCK is too low, and the process lacks CAP_IPC_LOCK; after
 *         mlockall(MCL_FUTURE) the region counts twice, as locked and as pinned
 * EAGAIN  another thread changed the same memory meanwhile
 * EINTR   the process is being killed
 * EFAULT  the argument is not in writable memory
 */
struct dseg_guest_create {
	__u64 size;		/* in: bytes */
	__u64 address;		/* in: where (a hint), or 0; out: where it is */
	__u64 reserved[2];	/* in: 0 */
};

#define DSEG_GUEST_CREATE _IOWR('D', 0x00, struct dseg_guest_create)

/* Ends the segment, if it has not ended. */
#define DSEG_GUEST_DROP _IO('D', 0x01)

/*
 * The region.  phys is 0 for a caller without CAP_SYS_ADMIN, as in
 * /proc/PID/pagemap.
 */
struct dseg_guest_info {
	__u64 address;
	__u64 size;		/* bytes */
	__u64 phys;		/* physical address of the first frame */
	__u32 active;		/* 1: the segment is there; 0: it has ended */
	__u32 reserved;
};

#define DSEG_GUEST_INFO _IOR('D', 0x02, struct dseg_guest_info)

/*
 * What the page walks of the region's process have cost since the region was
 * made, all threads, user and kernel mode: the counters of
 * docs/spec/counters.rst, by regime.  They stand still once the process has
 * ended, called exec, or made another region.
 *
 * In a virtual machine native walks are 0: all of those are the host's, when it
 * runs in between.  And the host should not move virtual CPUs from CPU to CPU:
 * the counters are those of the CPU that a virtual one runs on.
 */
enum dseg_guest_regime {
	DSEG_REGIME_NATIVE,
	DSEG_REGIME_NATIVE_DIRECT,
	DSEG_REGIME_BASE,
	DSEG_REGIME_VMM_DIRECT,
	DSEG_REGIME_GUEST_DIRECT,
	DSEG_REGIME_DUAL_DIRECT,
	DSEG_REGIME_MIXED,
	DSEG_REGIMES
};

struct dseg_guest_walks {
	__u64 walks[DSEG_REGIMES];
	__u64 guest_refs;
	__u64 nested_refs;
	__u64 checks;
	__u64 reserved[2];
};

#define DSEG_GUEST_WALKS _IOR('D', 0x03, struct dseg_guest_walks)

/*
 * Zeroes memory of the caller's own region in place, so that its page tables
 * need not change, if nothing but these refers to it.  What else may is in the
 * kernel: data in a pipe (vmsplice), input and output under way (O_DIRECT, AIO,
 * io_uring, MSG_ZEROCOPY).  All of that would find zeros.
 *
 * done is how many bytes from address on nothing else refers to: they are zero
 * now.  busy is how many after these something does refer to, maybe only for a
 * moment; they are as they were, and so is what follows.  busy is 0 if done is
 * size.
 *
 * EINVAL  address or size is no multiple of 4096, they are not in the region,
 *         flags are unknown, or reserved is not 0
 * ENOENT  the caller has no region, or its segment has ended
 * EINTR   the process is being killed
 * EFAULT  the argument is not in writable memory
 */
struct dseg_guest_clear {
	__u64 address;		/* in */
	__u64 size;		/* in: bytes */
	__u64 flags;		/* in: or 0 */
	__u64 done;		/* out: bytes */
	__u64 busy;		/* out: bytes */
	__u64 reserved;		/* in: 0 */
};

/* Nothing is zeroed: done is what would have been. */
#define DSEG_GUEST_CLEAR_LOOK 1

#define DSEG_GUEST_CLEAR _IOWR('D', 0x04, struct dseg_guest_clear)

#endif
