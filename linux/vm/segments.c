/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "commands.h"
#include "device.h"
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

int attach(int argc, char **argv)
{
    static const struct option table[] = {
        { "largest", no_argument, NULL, 'l' },
        { "gpa", required_argument, NULL, 'g' },
        { "size", required_argument, NULL, 's' },
        { NULL, 0, NULL, 0 }
    };
    struct dseg_vmm_attach segment = { .flags = 0 };
    int c, error;
    pid_t pid;

    while ((c = getopt_long(argc, argv, "+", table, NULL)) != -1) {
        switch (c) {
        case 'l':
            segment.flags = DSEG_VMM_LESS;
            break;
        case 'g':
            segment.gpa = parse("--gpa", optarg, true);
            break;
        case 's':
            segment.size = parse("--size", optarg, true);
            break;
        default:
            exit(2);            /* getopt_long has said what is wrong */
        }
    }
    pid = parse_pid(argc - optind, argv + optind);
    error = try_to_attach(open_device(), pid, &segment);
    if (error == ENOENT) {
        die(1, "process %d has no VM", pid);
    } else if (error) {
        die(1, "no segment for the VM of process %d: %s", pid,
            attach_error(error));
    }
    report(pid, &segment);
    return 0;
}

int detach(int argc, char **argv)
{
    pid_t pid = parse_pid(argc - 1, argv + 1);

    if (ioctl(open_device(), DSEG_VMM_DETACH, open_vm(pid))) {
        die(1, "process %d: %s", pid, errno == ENOENT ?
            "its VM has no segment" : strerror(errno));
    }
    return 0;
}

/* Ends the program if a request about escapes has failed. */
static void check_escape(pid_t pid, int result)
{
    if (result) {
        die(1, "process %d: %s", pid, errno == ENOENT ?
            "its VM has no segment" : errno == EINVAL ?
            "the address is no page of its segment" : errno == ENOSPC ?
            "too many pages escape already" : strerror(errno));
    }
}

int escape(int argc, char **argv)
{
    struct dseg_vmm_escape request = { .reserved = 0 };
    pid_t pid;

    if (argc != 3) {
        die(2, "escape: which process, which address?");
    }
    pid = parse("PID", argv[1], false);
    request.gpa = parse("ADDRESS", argv[2], true);
    request.vm_fd = open_vm(pid);
    check_escape(pid, ioctl(open_device(), DSEG_VMM_ESCAPE, &request));
    return 0;
}

int unescape(int argc, char **argv)
{
    pid_t pid = parse_pid(argc - 1, argv + 1);

    check_escape(pid, ioctl(open_device(), DSEG_VMM_UNESCAPE, open_vm(pid)));
    return 0;
}

int reserve(int argc, char **argv)
{
    struct dseg_vmm_reserve request = { 0 };

    if (argc != 2) {
        die(2, "reserve: how much?");
    }
    request.size = parse("reserve", argv[1], true);
    if (ioctl(open_device(), DSEG_VMM_RESERVE, &request)) {
        die(1, "reserve: %s", errno == ENOMEM ?
            "there is no contiguous memory of that size" :
            errno == EBUSY ? "there is some already; give it back first (0)" :
            strerror(errno));
    }
    if (request.size) {
        printf("hpa=0x%" PRIx64 " size=%" PRIu64 " displaced=%" PRIu64 "\n",
               (uint64_t)request.hpa, (uint64_t)request.size,
               (uint64_t)request.displaced);
    }
    return 0;
}
