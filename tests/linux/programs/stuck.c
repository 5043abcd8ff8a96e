/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that keeps its mmap lock for ever: it reads, through /proc/self/mem,
 * memory of a file whose FUSE server does not answer.  Then it makes a request
 * of its own, says "stuck", and stays until it is killed.  Others are tested.
 */
#include "region.h"

#include <dseg-vmm.h>
#include <linux/fuse.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define SIZE (4 * MIB)
#define GPA (16 * MIB)
#define FILE_SIZE (64 * MIB)
#define MOUNT "/tmp/stuck.file"
#define WHILE 300000    /* us after which what has not returned is stuck */

/*
 * The server: a file system that is one file, and answers all but its reads
 */

static void answer(int fuse, uint64_t unique, int error, const void *data,
                   size_t size)
{
    struct {
        struct fuse_out_header header;
        char data[256];
    } out = { .header = { .len = sizeof(out.header) + size, .error = -error,
                          .unique = unique } };

    memcpy(out.data, data, size);
    CHECK(write(fuse, &out, out.header.len) == out.header.len);
}

static void serve_one(int fuse, const struct fuse_in_header *in)
{
    struct fuse_init_out init = {
        .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
        .max_readahead = MIB, .max_background = 4096,
        .congestion_threshold = 4096, .max_write = MIB,
    };
    struct fuse_attr_out attr = {
        .attr_valid = 3600,
        .attr = { .ino = 1, .size = FILE_SIZE, .mode = S_IFREG | 0644,
                  .nlink = 1, .blksize = PAGE },
    };
    struct fuse_open_out opened = { .fh = 1 };

    switch (in->opcode) {
    case FUSE_INIT:
        answer(fuse, in->unique, 0, &init, sizeof(init));
        break;
    case FUSE_GETATTR:
        answer(fuse, in->unique, 0, &attr, sizeof(attr));
        break;
    case FUSE_OPEN:
        answer(fuse, in->unique, 0, &opened, sizeof(opened));
        break;
    case FUSE_READ:
        break;
    case FUSE_FORGET:
        break;
    default:
        answer(fuse, in->unique, ENOSYS, "", 0);
    }
}

static void serve(int fuse)
{
    static char buffer[2 * MIB];

    while (read(fuse, buffer, sizeof(buffer)) > 0) {
        serve_one(fuse, (void *)buffer);
    }
    _exit(0);
}

/* Its server ends with us. */
static char *map_file(void)
{
    int fuse = open("/dev/fuse", O_RDWR), file;
    struct stat status;
    char options[64];
    char *memory;

    CHECK(fuse >= 0);
    CHECK((file = open(MOUNT, O_CREAT | O_RDWR, 0644)) >= 0);
    close(file);
    snprintf(options, sizeof(options),
             "fd=%d,rootmode=100000,user_id=0,group_id=0", fuse);
    CHECK(mount("stuck", MOUNT, "fuse", 0, options) == 0);
    if (!fork()) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(fuse);
    }
    close(fuse);
    CHECK((file = open(MOUNT, O_RDONLY)) >= 0);
    CHECK(fstat(file, &status) == 0 && status.st_size == FILE_SIZE);
    CHECK(umount2(MOUNT, MNT_DETACH) == 0);
    memory = mmap(NULL, FILE_SIZE, PROT_READ, MAP_PRIVATE, file, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

/*
 * Getting stuck
 */

/* What runs in a thread of its own, once it may, and must not return. */
struct call {
    void (*run)(void);
    volatile bool may_run;
    volatile bool returned;
};

static void *run_call(void *opaque)
{
    struct call *call = opaque;

    while (!call->may_run) {
        usleep(1000);
    }
    call->run();
    call->returned = true;
    return NULL;
}

/* Before any is stuck: a new thread needs a stack, and so the lock. */
static void prepare(struct call *call)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, run_call, call) == 0);
}

static void get_stuck_in(struct call *call)
{
    call->may_run = true;
    usleep(WHILE);
    CHECK(!call->returned);
}

static char *file_memory;

static void read_file_memory(void)
{
    int self = open("/proc/self/mem", O_RDONLY);
    char byte;

    (void)!pread(self, &byte, 1, (off_t)(uintptr_t)file_memory);
}

/* Whoever wants to read waits behind one who wants to write. */
static void change_map(void)
{
    mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static struct call reading = { .run = read_file_memory },
                   changing = { .run = change_map };

static void keep_lock(void)
{
    get_stuck_in(&reading);
    get_stuck_in(&changing);
}

static void stay(void)
{
    (void)!write(1, "stuck\n", 6);
    for (;;) {
        pause();
    }
}

/*
 * Requests to dseg-guest
 */

static int device;

static void create(void)
{
    struct dseg_guest_create request = { .size = SIZE };

    ioctl(device, DSEG_GUEST_CREATE, &request);
}

static void region_ended(void)
{
    int fd = open_device();

    make_region(fd, SIZE, 0);
    keep_lock();
    CHECK(request(fd, DSEG_GUEST_DROP, NULL) == 0);
    close(fd);
    stay();
}

static void making_region(void)
{
    static struct call call = { .run = create };

    prepare(&call);
    device = open_device();
    keep_lock();
    get_stuck_in(&call);
    stay();
}

/*
 * Requests to dseg-vmm
 */

static int vm;

static void make_vm(void)
{
    int kvm = open("/dev/kvm", O_RDWR);
    void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = GPA, .memory_size = SIZE,
        .userspace_addr = (uintptr_t)memory,
    };

    CHECK((vm = ioctl(kvm, KVM_CREATE_VM, 0)) >= 0);
    CHECK(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
    CHECK((device = open(DSEG_VMM_DEVICE, O_RDWR)) >= 0);
}

static void attach(void)
{
    struct dseg_vmm_attach request = { .vm_fd = vm };

    CHECK(ioctl(device, DSEG_VMM_ATTACH, &request) == 0);
}

static void segment_detached(void)
{
    make_vm();
    attach();
    keep_lock();
    CHECK(ioctl(device, DSEG_VMM_DETACH, vm) == 0);
    close(device);
    stay();
}

static void segment_attached(void)
{
    make_vm();
    attach();
    keep_lock();
    close(device);
    stay();
}

static void attaching(void)
{
    static struct call call = { .run = attach };

    prepare(&call);
    make_vm();
    keep_lock();
    get_stuck_in(&call);
    stay();
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        { "region-ended", region_ended },
        { "making-region", making_region },
        { "segment-detached", segment_detached },
        { "segment-attached", segment_attached },
        { "attaching", attaching },
    };

    file_memory = map_file();
    prepare(&reading);
    prepare(&changing);
    return run_case(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
