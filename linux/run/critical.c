/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "critical.h"

#include "kernel.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define SIZE 4096

static struct {
    uint32_t lock;          /* 0, or the owner's thread ID: see futex(2), PI */
    bool is_ours;           /* not so in a forked child */
} *shared;

int critical_init(void)
{
    long found = kernel_call(SYS_mmap, 0, SIZE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long result = found;

    if (found > 0) {
        result = kernel_call(SYS_madvise, found, SIZE, MADV_WIPEONFORK, 0, 0,
                             0);
        shared = (void *)found;
        shared->is_ours = true;
    }
    return result < 0 ? -result : 0;
}

void signals_block(struct signals *before)
{
    static const uint64_t all = ~UINT64_C(0);

    kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all,
                (long)&before->mask, sizeof(all), 0, 0);
}

void signals_restore(const struct signals *before)
{
    kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before->mask, 0,
                sizeof(before->mask), 0, 0);
}

static bool change(uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&shared->lock, &from, to, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* By the kernel, which knows of owners that are no more, and has those of low
   priority hurry up. */
static bool lock_by_kernel(uint32_t self)
{
    uint32_t owner = __atomic_load_n(&shared->lock, __ATOMIC_RELAXED);
    long result = kernel_call(SYS_futex, (long)&shared->lock,
                              FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0);

    if (result == -ESRCH) {
        /* It had gone before anybody waited for it. */
        return change(owner, self) || change(owner | FUTEX_WAITERS, self);
    }
    return !result;
}

void critical_enter(struct signals *before)
{
    uint32_t self;

    signals_block(before);
    /* Of no thread's own memory, which a process that shares all memory has
       from its parent. */
    self = kernel_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
    while (!change(0, self) && !lock_by_kernel(self)) {
        ;
    }
}

void critical_leave(const struct signals *before)
{
    uint32_t self = __atomic_load_n(&shared->lock, __ATOMIC_RELAXED) &
                    FUTEX_TID_MASK;

    if (!change(self, 0) &&
        kernel_call(SYS_futex, (long)&shared->lock, FUTEX_UNLOCK_PI_PRIVATE, 0,
                    0, 0, 0)) {
        __atomic_store_n(&shared->lock, 0, __ATOMIC_RELEASE);
    }
    signals_restore(before);
}

bool critical_in_child(void)
{
    return !shared->is_ours;
}
