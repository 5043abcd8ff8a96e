/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /dev/dseg-vmm answers, as linux/include/dseg-vmm.h has it: as a VMM of
 * its own, with VMs that never run.  Run by root; prints what is wrong.  With
 * the argument over-limit, it only asks for more than it may lock.
 */
#define _GNU_SOURCE
#include "../../../linux/include/dseg-vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ull
#define MIB (1ull << 20)
#define SIZE (4 * MIB)
#define GPA (16 * MIB)

static int device, failures;

#define CHECK(condition) do { \
    if (!(condition)) { \
        printf("line %d: %s (errno %d, %s)\n", __LINE__, #condition, errno, \
               strerror(errno)); \
        failures++; \
    } } while (0)

#define CHECK_ERROR(expected, call) do { \
    errno = 0; \
    CHECK((call) == -1 && errno == (expected)); } while (0)

static void *map(uint64_t size, int flags)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    CHECK(memory != MAP_FAILED);
    return memory;
}

static int kvm;

static int make_vm(void)
{
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);

    CHECK(vm >= 0);
    return vm;
}

static void set_slot(int vm, unsigned slot, uint64_t gpa, uint64_t size,
                     void *memory)
{
    struct kvm_userspace_memory_region region = {
        .slot = slot, .guest_phys_addr = gpa, .memory_size = size,
        .userspace_addr = (uintptr_t)memory,
    };

    CHECK(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
}

static int attach(struct dseg_vmm_attach request)
{
    return ioctl(device, DSEG_VMM_ATTACH, &request);
}

/* The first segment of that process; state -1: it has none. */
static struct dseg_vmm_info info_of(pid_t pid)
{
    struct dseg_vmm_info info = { .index = 0 };

    while (ioctl(device, DSEG_VMM_INFO, &info) == 0) {
        if (info.pid == pid) {
            return info;
        }
        info.index++;
    }
    CHECK(errno == ENOENT);
    info.state = -1;
    return info;
}

static struct dseg_vmm_info info(void)
{
    return info_of(getpid());
}

static void fill(uint64_t *memory, uint64_t size)
{
    for (uint64_t i = 0; i < size / 8; i++) {
        memory[i] = i * 0x9e3779b97f4a7c15;
    }
}

static bool is_filled(const uint64_t *memory, uint64_t size)
{
    for (uint64_t i = 0; i < size / 8; i++) {
        if (memory[i] != i * 0x9e3779b97f4a7c15) {
            return false;
        }
    }
    return true;
}

static void test_arguments(void)
{
    int vm = make_vm();
    void *memory = map(SIZE, MAP_PRIVATE);

    CHECK_ERROR(ENOTTY, ioctl(device, _IO('D', 0x7f)));
    CHECK_ERROR(EFAULT, ioctl(device, DSEG_VMM_ATTACH, 8));
    CHECK_ERROR(EFAULT, ioctl(device, DSEG_VMM_INFO, 8));
    CHECK_ERROR(EBADF, attach((struct dseg_vmm_attach){ .vm_fd = -1 }));
    CHECK_ERROR(EINVAL, attach((struct dseg_vmm_attach){ .vm_fd = device }));
    CHECK_ERROR(EBADF, ioctl(device, DSEG_VMM_DETACH, -1));
    CHECK_ERROR(EINVAL, ioctl(device, DSEG_VMM_DETACH, device));
    CHECK_ERROR(ENXIO, attach((struct dseg_vmm_attach){ .vm_fd = vm }));
    set_slot(vm, 0, GPA, SIZE, memory);
    CHECK_ERROR(EINVAL, attach((struct dseg_vmm_attach){
        .vm_fd = vm, .gpa = GPA + 1, .size = SIZE }));
    CHECK_ERROR(EINVAL, attach((struct dseg_vmm_attach){
        .vm_fd = vm, .gpa = GPA, .size = SIZE - 1 }));
    CHECK_ERROR(EINVAL, attach((struct dseg_vmm_attach){
        .vm_fd = vm, .gpa = GPA }));
    CHECK_ERROR(EINVAL, attach((struct dseg_vmm_attach){
        .vm_fd = vm, .flags = 2 }));
    CHECK_ERROR(EINVAL, attach((struct dseg_vmm_attach){
        .vm_fd = vm, .reserved = { 0, 1 } }));
    CHECK_ERROR(ENXIO, attach((struct dseg_vmm_attach){
        .vm_fd = vm, .gpa = GPA, .size = SIZE + PAGE }));
    CHECK_ERROR(ENXIO, attach((struct dseg_vmm_attach){
        .vm_fd = vm, .gpa = GPA - PAGE, .size = PAGE }));
    CHECK_ERROR(ENXIO, attach((struct dseg_vmm_attach){
        .vm_fd = vm, .gpa = -PAGE, .size = 2 * PAGE }));
    CHECK_ERROR(ENOENT, ioctl(device, DSEG_VMM_DETACH, vm));
    CHECK(info().state == (uint32_t)-1);
    munmap(memory, SIZE);
    close(vm);
}

static void test_segment(void)
{
    int vm = make_vm();
    uint64_t *memory = map(SIZE, MAP_PRIVATE);
    struct dseg_vmm_attach request = { .vm_fd = vm };
    struct dseg_vmm_info i;

    fill(memory, SIZE / 2);
    set_slot(vm, 0, GPA, SIZE, memory);
    CHECK(ioctl(device, DSEG_VMM_ATTACH, &request) == 0);
    CHECK(request.gpa == GPA && request.size == SIZE);
    CHECK(request.moved >= SIZE / 2 / PAGE && request.moved <= SIZE / PAGE);
    i = info();
    CHECK(i.state == DSEG_VMM_ACTIVE && i.pid == getpid() && i.escapes == 0);
    CHECK(i.gpa == GPA && i.size == SIZE && i.hva == (uintptr_t)memory);
    CHECK(i.hpa && i.hpa % PAGE == 0);
    CHECK(is_filled(memory, SIZE / 2));
    CHECK_ERROR(EBUSY, attach((struct dseg_vmm_attach){ .vm_fd = vm }));
    CHECK(ioctl(device, DSEG_VMM_DETACH, vm) == 0);
    CHECK_ERROR(ENOENT, ioctl(device, DSEG_VMM_DETACH, vm));
    CHECK(info().state == (uint32_t)-1);
    CHECK(is_filled(memory, SIZE / 2));

    /* Some of it only, and it ends with the memory. */
    CHECK(attach((struct dseg_vmm_attach){
        .vm_fd = vm, .gpa = GPA + MIB, .size = MIB }) == 0);
    i = info();
    CHECK(i.gpa == GPA + MIB && i.size == MIB);
    madvise(memory, MIB, MADV_DONTNEED);
    CHECK(info().state == DSEG_VMM_ACTIVE);
    madvise((char *)memory + MIB + 8 * PAGE, PAGE, MADV_DONTNEED);
    CHECK(info().state == DSEG_VMM_ENDED);
    CHECK(attach((struct dseg_vmm_attach){ .vm_fd = vm }) == 0);
    munmap((char *)memory + SIZE - PAGE, PAGE);
    CHECK(info().state == DSEG_VMM_ENDED);
    CHECK_ERROR(EFAULT, attach((struct dseg_vmm_attach){ .vm_fd = vm }));
    munmap(memory, SIZE);
    close(vm);
}

static int escape(int vm, uint64_t gpa)
{
    struct dseg_vmm_escape request = { .vm_fd = vm, .gpa = gpa };

    return ioctl(device, DSEG_VMM_ESCAPE, &request);
}

static void test_escapes(void)
{
    int vm = make_vm();
    uint64_t *memory = map(SIZE, MAP_PRIVATE);

    set_slot(vm, 0, GPA, SIZE, memory);
    CHECK_ERROR(ENOENT, escape(vm, GPA));
    CHECK_ERROR(ENOENT, ioctl(device, DSEG_VMM_UNESCAPE, vm));
    CHECK(attach((struct dseg_vmm_attach){ .vm_fd = vm }) == 0);
    CHECK_ERROR(EINVAL, escape(vm, GPA + 1));
    CHECK_ERROR(EINVAL, escape(vm, GPA - PAGE));
    CHECK_ERROR(EINVAL, escape(vm, GPA + SIZE));
    CHECK_ERROR(EBADF, escape(-1, GPA));
    for (int i = 0; i < 64; i++) {
        CHECK(escape(vm, GPA + i * PAGE) == 0);
        CHECK(escape(vm, GPA + i * PAGE) == 0);
        CHECK(info().escapes == i + 1u);
    }
    CHECK_ERROR(ENOSPC, escape(vm, GPA + SIZE - PAGE));
    CHECK(ioctl(device, DSEG_VMM_UNESCAPE, vm) == 0);
    CHECK(info().escapes == 0 && info().state == DSEG_VMM_ACTIVE);
    close(vm);
    munmap(memory, SIZE);
}

/* A VM that has gone does not keep its memory from the next. */
static void test_next_vm(void)
{
    void *memory = map(SIZE, MAP_PRIVATE);
    int vm;

    for (int round = 0; round < 3; round++) {
        vm = make_vm();
        set_slot(vm, round, GPA, SIZE, memory);
        CHECK(attach((struct dseg_vmm_attach){ .vm_fd = vm }) == 0);
        CHECK(info().state == DSEG_VMM_ACTIVE);
        close(vm);
    }
    munmap(memory, SIZE);
}

static void test_memory(void)
{
    int vm = make_vm();
    void *shared = map(SIZE, MAP_SHARED), *huge = map(1ull << 36, MAP_PRIVATE);
    int readable;
    void *mapped;

    set_slot(vm, 0, GPA, SIZE, shared);
    CHECK_ERROR(EFAULT, attach((struct dseg_vmm_attach){ .vm_fd = vm }));
    set_slot(vm, 1, 1ull << 32, 1ull << 36, huge);
    CHECK_ERROR(ENOMEM, attach((struct dseg_vmm_attach){ .vm_fd = vm }));
    CHECK_ERROR(EINVAL, (intptr_t)mmap(NULL, SIZE, PROT_READ, MAP_SHARED,
                                       device, 0));
    readable = open(DSEG_VMM_DEVICE, O_RDONLY);
    CHECK_ERROR(EINVAL, (intptr_t)mmap(NULL, SIZE, PROT_READ, MAP_SHARED,
                                       readable, 0));
    close(readable);
    mapped = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, device, 0);
    CHECK(mapped != MAP_FAILED);
    fill(mapped, SIZE);
    set_slot(vm, 2, 1ull << 38, SIZE, mapped);
    CHECK(attach((struct dseg_vmm_attach){
        .vm_fd = vm, .gpa = 1ull << 38, .size = SIZE }) == 0);
    CHECK(info().state == DSEG_VMM_ACTIVE && is_filled(mapped, SIZE));
    close(vm);
    munmap(mapped, SIZE);
    munmap(shared, SIZE);
    munmap(huge, 1ull << 36);
}

/* A VMM may have changed some of it: mlock(), madvise(), a policy for NUMA. */
static void test_memory_in_several_maps(void)
{
    int vm = make_vm();
    char *memory = map(SIZE, MAP_PRIVATE);

    fill((uint64_t *)memory, SIZE);
    CHECK(mlock(memory + MIB + 5 * PAGE, PAGE) == 0);
    CHECK(madvise(memory + 2 * MIB, MIB, MADV_DONTFORK) == 0);
    set_slot(vm, 0, GPA, SIZE, memory);
    CHECK(attach((struct dseg_vmm_attach){ .vm_fd = vm }) == 0);
    CHECK(info().state == DSEG_VMM_ACTIVE && info().size == SIZE);
    CHECK(is_filled((uint64_t *)memory, SIZE));
    CHECK(ioctl(device, DSEG_VMM_DETACH, vm) == 0);
    CHECK(mprotect(memory + 3 * MIB, PAGE, PROT_READ) == 0);
    CHECK_ERROR(EFAULT, attach((struct dseg_vmm_attach){ .vm_fd = vm }));
    CHECK(munmap(memory + 3 * MIB, PAGE) == 0);
    CHECK_ERROR(EFAULT, attach((struct dseg_vmm_attach){ .vm_fd = vm }));
    close(vm);
    munmap(memory, SIZE);
}

static void test_reserve(void)
{
    struct dseg_vmm_reserve request = { .size = SIZE }, none = { .size = 0 };
    int vm = make_vm();
    void *memory = map(SIZE, MAP_PRIVATE);

    CHECK_ERROR(EINVAL, ioctl(device, DSEG_VMM_RESERVE,
                &(struct dseg_vmm_reserve){ .size = 1 }));
    CHECK_ERROR(EINVAL, ioctl(device, DSEG_VMM_RESERVE,
                &(struct dseg_vmm_reserve){ .reserved = 1 }));
    CHECK_ERROR(ENOMEM, ioctl(device, DSEG_VMM_RESERVE,
                &(struct dseg_vmm_reserve){ .size = 1ull << 40 }));
    CHECK(ioctl(device, DSEG_VMM_RESERVE, &request) == 0 && request.hpa);
    CHECK_ERROR(EBUSY, ioctl(device, DSEG_VMM_RESERVE, &request));
    set_slot(vm, 0, GPA, SIZE, memory);
    CHECK(attach((struct dseg_vmm_attach){
        .vm_fd = vm, .gpa = GPA, .size = MIB }) == 0);
    CHECK(info().hpa == request.hpa);
    CHECK(ioctl(device, DSEG_VMM_RESERVE, &none) == 0);
    CHECK(ioctl(device, DSEG_VMM_RESERVE, &request) == 0);
    CHECK(ioctl(device, DSEG_VMM_RESERVE, &none) == 0);
    close(vm);
    munmap(memory, SIZE);
}

static void become_user(uint64_t may_lock)
{
    struct rlimit limit = { may_lock, 2 * SIZE };

    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    CHECK(setresuid(1000, 1000, 1000) == 0);
    device = open(DSEG_VMM_DEVICE, O_RDWR);
    CHECK(device >= 0);
}

/* Whether a child of ours finds that all holds. */
static bool holds_in_child(void (*run)(void))
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        failures = 0;
        run();
        fflush(stdout);
        _exit(failures ? 1 : 0);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

/* A new VM with that memory, and what an attempt to attach says: 0 or an errno. */
static int try_to_attach(void *memory, uint64_t size)
{
    int vm = make_vm(), error;

    set_slot(vm, 0, GPA, size, memory);
    error = attach((struct dseg_vmm_attach){ .vm_fd = vm }) ? errno : 0;
    if (!error) {
        CHECK(ioctl(device, DSEG_VMM_DETACH, vm) == 0);
    }
    close(vm);
    return error;
}

static void ask_over_limit(void)
{
    become_user(MIB);
    CHECK(try_to_attach(map(SIZE, MAP_PRIVATE), SIZE) == EPERM);
}

static void ask_within_limit(void)
{
    become_user(SIZE);
    CHECK(try_to_attach(map(SIZE, MAP_PRIVATE), SIZE) == 0);
}

/* A request that may be read, and not written to. */
static void *unwritable(const void *request, size_t size)
{
    void *page = map(PAGE, MAP_PRIVATE);

    memcpy(page, request, size);
    CHECK(mprotect(page, PAGE, PROT_READ) == 0);
    return page;
}

/* Who can't be told what there is gets nothing, and takes nothing. */
static void test_unwritable(void)
{
    struct dseg_vmm_reserve reserve = { .size = SIZE }, none = { .size = 0 };
    int vm = make_vm();
    void *memory = map(SIZE, MAP_PRIVATE);
    struct dseg_vmm_attach whole = { .vm_fd = vm };
    void *reserving = unwritable(&reserve, sizeof(reserve));
    void *attaching = unwritable(&whole, sizeof(whole));

    set_slot(vm, 0, GPA, SIZE, memory);
    CHECK_ERROR(EFAULT, ioctl(device, DSEG_VMM_RESERVE, reserving));
    CHECK(ioctl(device, DSEG_VMM_RESERVE, &reserve) == 0);
    CHECK_ERROR(EFAULT, ioctl(device, DSEG_VMM_ATTACH, attaching));
    CHECK(info().state != DSEG_VMM_ACTIVE);
    CHECK(attach((struct dseg_vmm_attach){ .vm_fd = vm }) == 0);
    CHECK(info().hpa == reserve.hpa);
    CHECK(ioctl(device, DSEG_VMM_RESERVE, &none) == 0);
    close(vm);
    munmap(attaching, PAGE);
    munmap(reserving, PAGE);
    munmap(memory, SIZE);
}

/* Some of it is moved onto the frames until the rest proves to be unfit. */
static void ask_for_shared_memory(void)
{
    uint64_t *memory = map(SIZE, MAP_PRIVATE);

    fill(memory, SIZE / 2);
    CHECK(mmap((char *)memory + SIZE / 2, SIZE / 2, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
    CHECK(try_to_attach(memory, SIZE) == EFAULT);
    CHECK(is_filled(memory, SIZE / 2));
}

/* What fails takes nothing from the reserve, nor does who may not lock it all. */
static void test_reserve_stays(void)
{
    void (*const requests[])(void) = {
        ask_over_limit, ask_within_limit, ask_for_shared_memory
    };
    struct dseg_vmm_reserve none = { .size = 0 };
    void *memory = map(SIZE, MAP_PRIVATE);

    for (int i = 0; i < 3; i++) {
        struct dseg_vmm_reserve request = { .size = SIZE };
        int vm = make_vm();

        CHECK(ioctl(device, DSEG_VMM_RESERVE, &request) == 0);
        for (int round = 0; round < 3; round++) {
            CHECK(holds_in_child(requests[i]));
        }
        CHECK_ERROR(EBUSY, ioctl(device, DSEG_VMM_RESERVE, &request));
        set_slot(vm, 0, GPA, SIZE, memory);
        CHECK(attach((struct dseg_vmm_attach){ .vm_fd = vm }) == 0);
        CHECK(info().hpa == request.hpa);
        CHECK(ioctl(device, DSEG_VMM_DETACH, vm) == 0);
        CHECK(ioctl(device, DSEG_VMM_RESERVE, &none) == 0);
        close(vm);
    }
    munmap(memory, SIZE);
}

/* The VM's file descriptor is all that is needed, but for locked memory. */
static void test_non_root(void)
{
    struct rlimit low = { MIB, MIB };
    void *memory = map(SIZE, MAP_PRIVATE);
    struct dseg_vmm_info i;
    int vm;

    become_user(2 * SIZE);
    vm = make_vm();
    set_slot(vm, 0, GPA, SIZE, memory);
    /* Root's are none of its business. */
    CHECK(info_of(getppid()).state == (uint32_t)-1);
    CHECK(attach((struct dseg_vmm_attach){ .vm_fd = vm }) == 0);
    i = info();
    CHECK(i.state == DSEG_VMM_ACTIVE && i.size == SIZE);
    CHECK(i.hpa == 0 && i.hva == 0);
    CHECK_ERROR(EPERM, ioctl(device, DSEG_VMM_RESERVE,
                &(struct dseg_vmm_reserve){ .size = 0 }));
    CHECK_ERROR(EPERM, escape(vm, GPA));
    CHECK_ERROR(EPERM, ioctl(device, DSEG_VMM_UNESCAPE, vm));
    CHECK(ioctl(device, DSEG_VMM_DETACH, vm) == 0);
    CHECK(setrlimit(RLIMIT_MEMLOCK, &low) == 0);
    CHECK_ERROR(EPERM, attach((struct dseg_vmm_attach){ .vm_fd = vm }));
    CHECK(attach((struct dseg_vmm_attach){
        .vm_fd = vm, .gpa = GPA, .size = MIB }) == 0);
}

int main(int argc, char **argv)
{
    void *memory = map(SIZE, MAP_PRIVATE);
    pid_t child;
    int status, vm;

    device = open(DSEG_VMM_DEVICE, O_RDWR);
    CHECK(device >= 0);
    kvm = open("/dev/kvm", O_RDWR);
    CHECK(kvm >= 0);
    if (argc == 2 && !strcmp(argv[1], "over-limit")) {
        ask_over_limit();
        return failures ? 1 : 0;
    }
    test_arguments();
    test_segment();
    test_escapes();
    test_next_vm();
    test_memory();
    test_memory_in_several_maps();
    test_reserve();
    test_unwritable();
    test_reserve_stays();
    vm = make_vm();
    set_slot(vm, 0, GPA, SIZE, memory);
    CHECK(attach((struct dseg_vmm_attach){ .vm_fd = vm }) == 0);
    CHECK(info().state == DSEG_VMM_ACTIVE);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        test_non_root();
        exit(failures ? 1 : 0);
    }
    CHECK(wait(&status) > 0 && status == 0);
    /* It has gone without detaching. */
    CHECK(info_of(child).state == (uint32_t)-1);
    printf("%d failures\n", failures);
    return failures ? 1 : 0;
}
