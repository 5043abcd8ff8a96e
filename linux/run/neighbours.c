/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that are not about maps, of which the library takes the place as
 * well, as its own work would make a difference to them
 */
#define _GNU_SOURCE
#include "kernel.h"
#include "pages.h"
#include "preload.h"
#include "region.h"
#include "watch.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Newer than some C libraries. */
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif
#ifndef SYS_map_shadow_stack
#define SYS_map_shadow_stack 453
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

/* Without optimization GCC has even such a function keep its arguments: in the
   frame of its caller. */
#define NAKED __attribute__((naked, optimize("O2")))

/* --- What has the kernel watch the program --- */

/* A filter of system calls need not know those of ours. */
static void stand_aside(void)
{
    struct signals before;

    watch_stand_aside();
    if (region_enter(&before)) {
        region_stand_aside();
        region_leave(&before);
    }
}

EXPORT int prctl(int option, ...)
{
    va_list arguments;
    long argument[4];

    va_start(arguments, option);
    for (int i = 0; i < 4; i++) {
        argument[i] = va_arg(arguments, long);
    }
    va_end(arguments);
    if (option == PR_SET_SECCOMP) {
        stand_aside();
    }
    return answer(kernel_call(SYS_prctl, option, argument[0], argument[1],
                              argument[2], argument[3], 0));
}

/* All that is readable may be executable from now on: a segment is for data.
   (exec() turns that off again.) */
EXPORT int personality(unsigned long persona)
{
    if ((unsigned)persona != 0xffffffff && persona & READ_IMPLIES_EXEC) {
        leave_all_to_kernel();
    }
    return answer(kernel_call(SYS_personality, persona, 0, 0, 0, 0, 0));
}

static rlim_t limit_of(int resource)
{
    struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

    kernel_call(SYS_prlimit64, 0, resource, 0, (long)&limit, 0, 0);
    return limit.rlim_cur;
}

/* The region counts as a whole from the beginning: what comes from it would not
   be more. Whose limit it is, and how much, the kernel knows: the process may
   be named by any of its threads. */
static long set_limit(long number, long a, long b, long c, long d)
{
    int resource = number == SYS_setrlimit ? a : b;
    long wanted = number == SYS_setrlimit ? b : c;
    bool heeds = (resource == RLIMIT_AS || resource == RLIMIT_DATA) &&
                 wanted && region_is_there();
    rlim_t before = heeds ? limit_of(resource) : 0;
    long result = kernel_call(number, a, b, c, d, 0, 0);

    if (heeds) {
        rlim_t now = limit_of(resource);

        if (now != before && now != RLIM_INFINITY) {
            leave_all_to_kernel();
        }
    }
    return answer(result);
}

/* By the same call as the C library. */
EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    return set_limit(SYS_prlimit64, 0, resource, (long)limit, 0);
}

EXPORT int setrlimit64(__rlimit_resource_t resource,
                       const struct rlimit64 *limit)
{
    return setrlimit(resource, (const struct rlimit *)limit);
}

EXPORT int prlimit(pid_t pid, enum __rlimit_resource resource,
                   const struct rlimit *limit, struct rlimit *before)
{
    return set_limit(SYS_prlimit64, pid, resource, (long)limit, (long)before);
}

EXPORT int prlimit64(pid_t pid, enum __rlimit_resource resource,
                     const struct rlimit64 *limit, struct rlimit64 *before)
{
    return prlimit(pid, resource, (const struct rlimit *)limit,
                   (struct rlimit *)before);
}

/* The kernel finds memory in what the program has unmapped. The process may be
   another, of which these are no addresses here: that costs no more than the
   region. */
static void advise_process(const struct iovec *ranges, size_t nr)
{
    struct iovec range;

    for (size_t i = 0; region_is_there() && i < nr && i < IOV_MAX; i++) {
        if (!read_memory(&range, ranges + i, sizeof(range))) {
            return;
        }
        leave_holes_to_kernel(range.iov_base, range.iov_len);
    }
}

EXPORT ssize_t process_madvise(int process, const struct iovec *ranges,
                               size_t nr, int advice, unsigned flags)
{
    advise_process(ranges, nr);
    return answer(kernel_call(SYS_process_madvise, process, (long)ranges, nr,
                              advice, flags, 0));
}

/* Those that syscall() hands to raw_call(). */
__attribute__((visibility("hidden"), used)) const bool raw_calls[512] = {
    [SYS_mmap] = true, [SYS_munmap] = true, [SYS_madvise] = true,
    [SYS_mprotect] = true, [SYS_pkey_mprotect] = true, [SYS_mlock] = true,
    [SYS_mlock2] = true, [SYS_mlockall] = true, [SYS_munlock] = true,
    [SYS_msync] = true, [SYS_mincore] = true, [SYS_shmat] = true,
    [SYS_mremap] = true, [SYS_mbind] = true, [SYS_mseal] = true,
    [SYS_userfaultfd] = true, [SYS_seccomp] = true, [SYS_personality] = true,
    [SYS_prctl] = true, [SYS_ioctl] = true, [SYS_setrlimit] = true,
    [SYS_prlimit64] = true, [SYS_process_madvise] = true,
    [SYS_set_mempolicy_home_node] = true, [SYS_map_shadow_stack] = true,
};

__attribute__((visibility("hidden"), used))
long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
    void *address = (void *)a;

    switch (number) {
    case SYS_mmap:
        return (long)mmap(address, b, c, d, e, f);
    case SYS_munmap:
        return munmap(address, b);
    case SYS_madvise:
        return madvise(address, b, c);
    case SYS_mprotect:
        return mprotect(address, b, c);
    case SYS_pkey_mprotect:
        return pkey_mprotect(address, b, c, d);
    case SYS_mlock:
        return mlock(address, b);
    case SYS_mlock2:
        leave_page_to_kernel(address, b);
        break;
    case SYS_mlockall:
        return mlockall(a);
    case SYS_munlock:
        return munlock(address, b);
    case SYS_msync:
        return msync(address, b, c);
    case SYS_mincore:
        return mincore(address, b, (void *)c);
    case SYS_shmat:
        return (long)shmat(a, (void *)b, c);
    case SYS_mremap:
        return (long)mremap(address, b, c, d, e);
    case SYS_personality:
        return personality(a);
    case SYS_prctl:
        return prctl(a, b, c, d, e);
    case SYS_ioctl:
        return ioctl(a, b, c);
    case SYS_setrlimit:
        return set_limit(SYS_setrlimit, a, b, 0, 0);
    case SYS_prlimit64:
        return prlimit(a, b, (void *)c, (void *)d);
    case SYS_process_madvise:
        return process_madvise(a, (void *)b, c, d, e);
    case SYS_mbind:
    case SYS_mseal:
    case SYS_set_mempolicy_home_node:
    case SYS_map_shadow_stack:
        leave_to_kernel(address, b);
        break;
    case SYS_userfaultfd:
        return watch_userfaultfd(a);
    case SYS_seccomp:
        stand_aside();
        break;
    }
    return answer(kernel_call(number, a, b, c, d, e, f));
}

/* All others just as the C library does them: a new process may come back on a
   stack of its own, or on this one a second time. */
EXPORT NAKED
long syscall(__attribute__((unused)) long number, ...)
{
    __asm__("cmp $512, %rdi\n\t"
            "jae 1f\n\t"
            "lea raw_calls(%rip), %rax\n\t"
            "cmpb $0, (%rax, %rdi)\n\t"
            "jne raw_call\n"
            "1:\n\t"
            "mov %rdi, %rax\n\t"
            "mov %rsi, %rdi\n\t"
            "mov %rdx, %rsi\n\t"
            "mov %rcx, %rdx\n\t"
            "mov %r8, %r10\n\t"
            "mov %r9, %r8\n\t"
            "mov 8(%rsp), %r9\n\t"
            "syscall\n\t"
            "cmp $-4095, %rax\n\t"
            "jae 2f\n\t"
            "ret\n"
            "2:\n\t"
            "mov %rax, %rdi\n\t"
            "jmp answer_error");
}

__attribute__((visibility("hidden"), used)) long answer_error(long result)
{
    return answer(result);
}

/* --- dlopen() --- */

/* A library that is bound deep finds the C library's free() before that of
   jemalloc, from which the memory is. */
__attribute__((visibility("hidden"), used)) int flags_of_dlopen(int flags)
{
    return flags & RTLD_DEEPBIND && !region_may_bind_deep()
           ? flags & ~RTLD_DEEPBIND : flags;
}

__attribute__((visibility("hidden"), used)) void *next_dlopen(void)
{
    static void *next;

    if (!next) {
        next = dlsym(RTLD_NEXT, "dlopen");
    }
    return next;
}

/* Ends with a jump, as the library is looked for where that of the caller says,
   whom dlopen() knows by its return address. */
EXPORT NAKED
void *dlopen(__attribute__((unused)) const char *name,
             __attribute__((unused)) int flags)
{
    __asm__("push %rdi\n\t"
            "push %rsi\n\t"
            "sub $8, %rsp\n\t"
            "mov %esi, %edi\n\t"
            "call flags_of_dlopen\n\t"
            "mov %rax, 8(%rsp)\n\t"
            "call next_dlopen\n\t"
            "add $8, %rsp\n\t"
            "pop %rsi\n\t"
            "pop %rdi\n\t"
            "jmp *%rax");
}
