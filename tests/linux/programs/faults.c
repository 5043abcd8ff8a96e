/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each path of errors of a request: its first step fails, then its second, and
 * so on until there is none more (the modules' parameter fault).  Whatever
 * fails, all is afterwards as it was before.  Run by root; prints how many
 * steps there were.
 */
#include "region.h"

#include <dseg-vmm.h>
#include <linux/kvm.h>

#define SIZE (4 * MIB)
#define IDLE_SIZE (64 * MIB)
#define GPA (16 * MIB)
#define MOST_STEPS 500
#define SETTLE 500      /* of 10 ms, until what has ended is unpinned */

static int device, vm;
static uint64_t *memory;

/*
 * What must be the same before and after
 */

struct state {
    long pinned;        /* pages, by all */
    long limited;       /* KiB of ours that are pinned or locked */
};

static FILE *open_file(const char *name, const char *mode)
{
    FILE *file = fopen(name, mode);

    CHECK(file);
    return file;
}

/* The sum of what a file says after some words. */
static long sum(const char *name, const char *const words[2], const int signs[2])
{
    FILE *file = open_file(name, "r");
    char line[256], word[256];
    long total = 0, value;

    while (fgets(line, sizeof(line), file)) {
        for (int i = 0; i < 2; i++) {
            if (sscanf(line, "%255s %ld", word, &value) == 2 &&
                !strcmp(word, words[i])) {
                total += signs[i] * value;
            }
        }
    }
    fclose(file);
    return total;
}

static struct state state_now(void)
{
    static const char *const pins[] = {
        "nr_foll_pin_acquired", "nr_foll_pin_released"
    }, *const limits[] = { "VmPin:", "VmLck:" };
    FILE *refresh = open_file("/proc/sys/vm/stat_refresh", "w");

    fputs("1", refresh);
    fclose(refresh);
    return (struct state) {
        .pinned = sum("/proc/vmstat", pins, (const int[]) { 1, -1 }),
        .limited = sum("/proc/self/status", limits, (const int[]) { 1, 1 }),
    };
}

static bool same(struct state a, struct state b)
{
    return a.pinned == b.pinned && a.limited == b.limited;
}

static void wait_for_state(struct state wanted)
{
    for (int i = 0; i < SETTLE && !same(state_now(), wanted); i++) {
        usleep(10000);
    }
    CHECK(state_now().pinned == wanted.pinned);
    CHECK(state_now().limited == wanted.limited);
}

/*
 * Steps
 */

static const char *parameter;

static void set_fault(int step)
{
    FILE *file = open_file(parameter, "w");

    fprintf(file, "%d", step);
    CHECK(fclose(file) == 0);
}

/* How many steps there were left until the one that should have failed. */
static int steps_left(void)
{
    FILE *file = open_file(parameter, "r");
    int left;

    CHECK(fscanf(file, "%d", &left) == 1);
    fclose(file);
    return left;
}

/* @attempt returns whether it has succeeded; @undo is called if so. */
static void fail_each_step(bool (*attempt)(void), void (*undo)(void))
{
    struct state before = state_now();
    int overcome = 0, step, left;
    bool succeeded;

    for (step = 1; step < MOST_STEPS; step++) {
        set_fault(step);
        succeeded = attempt();
        left = steps_left();
        set_fault(0);
        if (succeeded) {
            undo();
        }
        wait_for_state(before);
        if (left) {
            break;
        }
        overcome += succeeded;
    }
    CHECK(succeeded && left);
    printf("%d steps, %d of them overcome\n", step - 1, overcome);
}

/*
 * dseg-guest
 */

static bool create(void)
{
    struct dseg_guest_create create = { .size = SIZE };

    if (request(device, DSEG_GUEST_CREATE, &create)) {
        CHECK(request(device, DSEG_GUEST_INFO, NULL) == ENOENT ||
              !is_active(device));
        return false;
    }
    CHECK(is_active(device));
    memory = (void *)create.address;
    fill(memory, SIZE, 1);
    return true;
}

static void drop(void)
{
    CHECK(wrong_words(memory, SIZE, 1) == 0);
    CHECK(request(device, DSEG_GUEST_DROP, NULL) == 0);
    CHECK(wrong_words(memory, SIZE, 1) == 0);
    CHECK(munmap(memory, SIZE) == 0);
}

static void region(void)
{
    parameter = "/sys/module/dseg_guest/parameters/fault";
    device = open_device();
    fail_each_step(create, drop);
}

/* The kernel has touched it, so that its pages are moved. */
static void populated_region(void)
{
    CHECK(mlockall(MCL_FUTURE) == 0);
    region();
}

/*
 * dseg-vmm
 */

static void open_vmm(void)
{
    parameter = "/sys/module/dseg_vmm/parameters/fault";
    CHECK((device = open(DSEG_VMM_DEVICE, O_RDWR)) >= 0);
}

static void make_idle_vm(size_t size)
{
    int kvm = open("/dev/kvm", O_RDWR);
    struct kvm_userspace_memory_region slot = {
        .guest_phys_addr = GPA, .memory_size = size,
    };

    memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    slot.userspace_addr = (uintptr_t)memory;
    CHECK((vm = ioctl(kvm, KVM_CREATE_VM, 0)) >= 0);
    CHECK(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) == 0);
}

static void make_vm(void)
{
    make_idle_vm(SIZE);
    fill(memory, SIZE, 2);
}

/* Our segment; state -1: there is none. */
static struct dseg_vmm_info segment_info(void)
{
    struct dseg_vmm_info info = { .index = 0 };

    while (ioctl(device, DSEG_VMM_INFO, &info) == 0) {
        if (info.pid == getpid()) {
            return info;
        }
        info.index++;
    }
    info.state = -1;
    return info;
}

static bool try_to_attach(void)
{
    struct dseg_vmm_attach request = { .vm_fd = vm };
    bool attached = ioctl(device, DSEG_VMM_ATTACH, &request) == 0;

    CHECK(segment_info().state ==
          (attached ? DSEG_VMM_ACTIVE : (uint32_t)-1));
    CHECK(wrong_words(memory, SIZE, 2) == 0);
    return attached;
}

static void detach(void)
{
    CHECK(ioctl(device, DSEG_VMM_DETACH, vm) == 0);
    CHECK(wrong_words(memory, SIZE, 2) == 0);
}

static void segment(void)
{
    open_vmm();
    make_vm();
    fail_each_step(try_to_attach, detach);
}

static uint64_t reserved;
static unsigned escapes;

static bool try_to_reserve(void)
{
    struct dseg_vmm_reserve request = { .size = SIZE };
    bool done = ioctl(device, DSEG_VMM_RESERVE, &request) == 0;

    reserved = request.hpa;
    return done;
}

static void end_reserve(void)
{
    CHECK(ioctl(device, DSEG_VMM_RESERVE,
                &(struct dseg_vmm_reserve) { .size = 0 }) == 0);
}

static void reserve(void)
{
    open_vmm();
    fail_each_step(try_to_reserve, end_reserve);
}

/* What has failed has left the reserve as it was. */
static bool attach_to_reserve(void)
{
    struct dseg_vmm_info info;

    if (!try_to_attach()) {
        int left = steps_left();

        CHECK(left == 0);
        CHECK(try_to_attach());
        info = segment_info();
        CHECK(info.hpa == reserved && info.escapes == escapes);
        detach();
        end_reserve();
        CHECK(try_to_reserve());
        return false;
    }
    info = segment_info();
    CHECK(info.hpa == reserved && info.escapes == escapes);
    return true;
}

static void detach_from_reserve(void)
{
    detach();
    end_reserve();
    CHECK(try_to_reserve());
}

/* With as many bad frames as the first argument says. */
static void segment_of_reserve(void)
{
    open_vmm();
    make_vm();
    CHECK(try_to_reserve());
    fail_each_step(attach_to_reserve, detach_from_reserve);
    end_reserve();
}

/* A segment, for as long as nobody kills us. */
static void stay(void)
{
    open_vmm();
    make_vm();
    CHECK(try_to_attach());
    (void)!write(1, "ready\n", 6);
    pause();
}

/* The same without a segment, and with memory that has not been touched. */
static void stay_idle(void)
{
    make_idle_vm(IDLE_SIZE);
    (void)!write(1, "ready\n", 6);
    pause();
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        { "region", region },
        { "populated-region", populated_region },
        { "segment", segment },
        { "reserve", reserve },
        { "segment-of-reserve", segment_of_reserve },
        { "stay", stay },
        { "stay-idle", stay_idle },
    };

    escapes = argc > 2 ? atoi(argv[2]) : 0;
    return run_case(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
