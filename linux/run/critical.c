/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "critical.h"

#include "kernel.h"

#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define SIZE 4096

enum { FREE, TAKEN, WAITED_FOR };

static struct {
    int lock;
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

/* Sleeps, as a thread of real-time priority must not wait for one without by
   going round in circles. */
void critical_enter(struct signals *before)
{
    int is = FREE;

    signals_block(before);
    if (__atomic_compare_exchange_n(&shared->lock, &is, TAKEN, false,
                                    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return;
    }
    while (__atomic_exchange_n(&shared->lock, WAITED_FOR, __ATOMIC_ACQUIRE)
           != FREE) {
        kernel_call(SYS_futex, (long)&shared->lock, FUTEX_WAIT_PRIVATE,
                    WAITED_FOR, 0, 0, 0);
    }
}

void critical_leave(const struct signals *before)
{
    if (__atomic_exchange_n(&shared->lock, FREE, __ATOMIC_RELEASE)
        == WAITED_FOR) {
        kernel_call(SYS_futex, (long)&shared->lock, FUTEX_WAKE_PRIVATE, 1, 0, 0,
                    0);
    }
    signals_restore(before);
}

bool critical_in_child(void)
{
    return !shared->is_ours;
}
