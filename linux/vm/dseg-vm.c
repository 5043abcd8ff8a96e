/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dseg-vm: virtual machines with a VMM segment
 */
#define _GNU_SOURCE
#include "../include/dseg-vmm.h"
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS 20
#define VM_TIMEOUT_MS 60000     /* until a VMM that starts has its VM */
#define EXIT_NO_SEGMENT 125

static const char help[] =
"Usage: dseg-vm start [OPTION]... [-- QEMU ARGUMENTS]\n"
"       dseg-vm attach [--largest] [--gpa ADDRESS --size SIZE] PID\n"
"       dseg-vm detach PID\n"
"       dseg-vm list [--json]\n"
"       dseg-vm escape PID ADDRESS | unescape PID\n"
"       dseg-vm reserve SIZE\n"
"\n"
"Virtual machines whose memory a VMM segment translates: it is moved onto\n"
"contiguous frames, and their page walks need no nested page tables. The VMM is\n"
"any that uses KVM, a stock QEMU, say. Needs the module dseg-vmm.\n"
"\n"
"start    runs the command l2 (see l2 --help), and gives its VM a segment:\n"
"  --mode MODE      vmm-direct, or base: without a segment (vmm-direct)\n"
"  --memory SIZE    of the VM, K, M or G allowed\n"
"  --cpus N         of the VM\n"
"  --qmp SOCKET     where QEMU is to have its monitor\n"
"  --fallback WHAT  if there is no contiguous memory of that size: fail ends the\n"
"                   VM, base lets it run without a segment, largest takes what\n"
"                   there is (fail)\n"
"attach   gives a segment to the VM of a process, which may run meanwhile\n"
"  --largest        if there is no contiguous memory of that size, take what\n"
"                   there is\n"
"  --gpa, --size    which part of the VM's memory; by default the largest piece,\n"
"                   from 1 MiB on\n"
"detach   ends it; the nested page tables translate the same\n"
"list     shows all segments: of which process, where, and how many pages were\n"
"         migrated to make room (displaced), and moved there\n"
"  --json           for programs\n"
"escape   lets one page of a VM escape from its segment, by its guest-physical\n"
"         address; unescape takes all back\n"
"reserve  sets contiguous memory aside for segments to come; 0 gives it back\n"
"\n"
"The exit code is that of QEMU, 1 if a request failed, 2 for wrong arguments,\n"
"125 if there was no segment and so no VM.\n"
"\n"
"Example: dseg-vm start --memory 512M --fallback base\n";

enum fallback { FAIL, BASE, LARGEST };

struct start {
    bool segment;
    enum fallback fallback;
    char **arguments;           /* of QEMU */
};

static volatile sig_atomic_t started;   /* process to end when we are to end */

__attribute__((format(printf, 2, 3)))
static _Noreturn void die(int code, const char *format, ...)
{
    va_list arguments;

    fputs("dseg-vm: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(code);
}

/* Of a number, or with @sizes of one that may end in K, M or G. */
static uint64_t parse(const char *what, const char *text, bool sizes)
{
    static const char suffixes[] = "KMG";
    unsigned shift = 0;
    const char *suffix;
    uint64_t value;
    char *end;

    errno = 0;
    value = strtoull(text, &end, 0);
    suffix = sizes && *end ? strchr(suffixes, *end) : NULL;
    if (suffix) {
        shift = 10 * (suffix - suffixes + 1);
        end++;
    }
    if (end == text || *end || errno || strchr(text, '-') ||
        value > UINT64_MAX >> shift) {
        die(2, "%s: '%s' is not a %s", what, text,
            sizes ? "size such as 512M" : "number");
    }
    return value << shift;
}

static int open_device(void)
{
    int fd = open(DSEG_VMM_DEVICE, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        die(1, DSEG_VMM_DEVICE ": %s%s", strerror(errno), errno == ENOENT ?
            ": load the module dseg-vmm (modprobe dseg-vmm)" : "");
    }
    return fd;
}

/*
 * attach
 */

/* What an error of DSEG_VMM_ATTACH means. */
static const char *attach_error(int error)
{
    switch (error) {
    case EBUSY:
        return "it has a segment already";
    case ENXIO:
        return "it has no memory there, or not in one piece, or in a "
               "guest_memfd";
    case EFAULT:
        return "its memory is not private and anonymous (memory-backend-ram)";
    case ENOMEM:
        return "there is no contiguous memory of that size, or its cgroup may "
               "not have so much";
    case EPERM:
        return "that is more memory than you may lock (ulimit -l)";
    case EAGAIN:
        return "its memory was being changed, or is in use by a device";
    default:
        return strerror(error);
    }
}

static void report(pid_t pid, const struct dseg_vmm_attach *segment)
{
    fprintf(stderr, "dseg-vm: process %d: segment of %" PRIu64 " MiB at gPA "
            "0x%" PRIx64 ", %" PRIu64 " pages displaced, %" PRIu64 " moved\n",
            pid, (uint64_t)segment->size >> 20, (uint64_t)segment->gpa,
            (uint64_t)segment->displaced, (uint64_t)segment->moved);
}

/* 0, or an errno. */
static int try_to_attach(int device, pid_t pid, struct dseg_vmm_attach *segment)
{
    int error;

    segment->vm_fd = vm_of_process(pid);
    if (segment->vm_fd < 0) {
        return errno;
    }
    error = ioctl(device, DSEG_VMM_ATTACH, segment) ? errno : 0;
    close(segment->vm_fd);
    return error;
}

static pid_t parse_pid(int argc, char **argv)
{
    if (argc != 1) {
        die(2, "%s; see dseg-vm --help",
            argc ? "too many arguments" : "which process?");
    }
    return parse("PID", argv[0], false);
}

static int attach(int argc, char **argv)
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

static int open_vm(pid_t pid)
{
    int vm = vm_of_process(pid);

    if (vm < 0) {
        die(1, "no VM of process %d: %s", pid, strerror(errno));
    }
    return vm;
}

static int detach(int argc, char **argv)
{
    pid_t pid = parse_pid(argc - 1, argv + 1);

    if (ioctl(open_device(), DSEG_VMM_DETACH, open_vm(pid))) {
        die(1, "process %d: %s", pid, errno == ENOENT ?
            "its VM has no segment" : strerror(errno));
    }
    return 0;
}

/*
 * list
 */

static const char *state_name(uint32_t state)
{
    static const char *const names[] = {
        [DSEG_VMM_ENDED] = "ended",
        [DSEG_VMM_ACTIVE] = "active",
        [DSEG_VMM_SUSPENDED] = "suspended",
    };

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

/* What is in a JSON string as it is; process names may have anything. */
static void make_plain(char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\') {
            *text = '?';
        }
    }
}

static void print_row(const struct dseg_vmm_info *i, const char *name)
{
    printf("%-7d %-16s %#-12" PRIx64 " %#-12" PRIx64 " %6" PRIu64 " MiB "
           "%-9s %9" PRIu64 " %9" PRIu64 " %7" PRIu32 "\n", i->pid, name,
           (uint64_t)i->gpa, (uint64_t)i->hpa, (uint64_t)i->size >> 20,
           state_name(i->state), (uint64_t)i->displaced, (uint64_t)i->moved,
           i->escapes);
}

static void print_object(const struct dseg_vmm_info *i, const char *name)
{
    printf("%s\n  {\"pid\": %d, \"command\": \"%s\", \"state\": \"%s\", "
           "\"gpa\": %" PRIu64 ", \"size\": %" PRIu64 ", \"hva\": %" PRIu64
           ", \"hpa\": %" PRIu64 ", \"displaced\": %" PRIu64 ", \"moved\": %"
           PRIu64 ", \"escapes\": %" PRIu32 "}", i->index ? "," : "", i->pid,
           name, state_name(i->state), (uint64_t)i->gpa, (uint64_t)i->size,
           (uint64_t)i->hva, (uint64_t)i->hpa, (uint64_t)i->displaced,
           (uint64_t)i->moved, i->escapes);
}

static int list(int argc, char **argv)
{
    bool json = argc == 2 && !strcmp(argv[1], "--json");
    struct dseg_vmm_info info;
    char name[32];
    int device;

    if (argc > 1 && !json) {
        die(2, "list: unexpected argument '%s'", argv[1]);
    }
    device = open_device();
    if (json) {
        printf("{\"schema\": 1, \"vms\": [");
    } else {
        printf("PID     COMMAND          GPA          HPA                SIZE "
               "STATE     DISPLACED     MOVED ESCAPES\n");
    }
    for (uint32_t index = 0; ; index++) {
        info = (struct dseg_vmm_info) { .index = index };
        if (ioctl(device, DSEG_VMM_INFO, &info)) {
            break;
        }
        process_name(info.pid, name, sizeof(name));
        make_plain(name);
        (json ? print_object : print_row)(&info, name);
    }
    if (errno != ENOENT) {
        die(1, "list: %s", strerror(errno));
    }
    if (json) {
        printf("]}\n");
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

static int escape(int argc, char **argv)
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

static int unescape(int argc, char **argv)
{
    pid_t pid = parse_pid(argc - 1, argv + 1);

    check_escape(pid, ioctl(open_device(), DSEG_VMM_UNESCAPE, open_vm(pid)));
    return 0;
}

static int reserve(int argc, char **argv)
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

/*
 * start
 */

static void hand_on(int signal_number)
{
    if (started) {
        kill(started, signal_number);
    }
}

static pid_t run_l2(char **arguments, bool segment)
{
    /* KSM would look at each page, and so end the segment. */
    static char *const own[] = { "l2", "--", "-machine", "mem-merge=off" };
    size_t n = segment ? 4 : 2, count = 0;
    char **words;
    pid_t child;

    while (arguments[count]) {
        count++;
    }
    words = calloc(n + count + 1, sizeof(*words));
    if (!words) {
        die(1, "%s", strerror(errno));
    }
    memcpy(words, own, n * sizeof(*words));
    memcpy(words + n, arguments, count * sizeof(*words));
    setenv("L2_AT", "", 1);
    child = fork();
    if (child < 0) {
        die(1, "fork: %s", strerror(errno));
    }
    if (child == 0) {
        execvp(words[0], words);
        die(127, "%s: %s", words[0], strerror(errno));
    }
    free(words);
    return child;
}

static int wait_for(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            die(1, "waitpid: %s", strerror(errno));
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool has_ended(pid_t child)
{
    siginfo_t info = { .si_pid = 0 };

    return waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) ||
           info.si_pid;
}

/* Waits for the VM and its memory; returns 0 or an errno. */
static int attach_descendant(int device, pid_t child, pid_t *vmm,
                             struct dseg_vmm_attach *segment)
{
    int error = ETIMEDOUT;

    for (int ms = 0; ms < VM_TIMEOUT_MS; ms += POLL_MS) {
        if (has_ended(child)) {
            return ECHILD;
        }
        *vmm = vmm_among_descendants(child);
        if (*vmm) {
            started = *vmm;
            error = try_to_attach(device, *vmm, segment);
            if (error != ENXIO) {
                break;
            }
        }
        usleep(POLL_MS * 1000);
    }
    return error;
}

static int run(const struct start *start)
{
    struct sigaction action = { .sa_handler = hand_on };
    struct dseg_vmm_attach segment = {
        .flags = start->fallback == LARGEST ? DSEG_VMM_LESS : 0,
    };
    int device = start->segment ? open_device() : -1, error;
    pid_t child = run_l2(start->arguments, start->segment), vmm = child;

    started = child;
    sigaction(SIGTERM, &action, NULL);
    if (!start->segment) {
        return wait_for(child);
    }
    error = attach_descendant(device, child, &vmm, &segment);
    close(device);      /* or the module could not be unloaded under the VM */
    if (error == ECHILD) {
        return wait_for(child);
    }
    if (!error) {
        report(vmm, &segment);
        return wait_for(child);
    }
    fprintf(stderr, "dseg-vm: no segment for the VM of process %d: %s%s\n",
            vmm, attach_error(error), start->fallback == FAIL ?
            "; it ends (see --fallback)" : "; it runs in mode base");
    if (start->fallback == FAIL) {
        kill(vmm, SIGKILL);
        wait_for(child);
        return EXIT_NO_SEGMENT;
    }
    return wait_for(child);
}

/* The number of @word among @words; else ends with what is wrong. */
static int choose(const char *option, const char *word,
                  const char *const *words, int n)
{
    for (int i = 0; i < n; i++) {
        if (!strcmp(word, words[i])) {
            return i;
        }
    }
    die(2, "%s: unknown '%s'; see dseg-vm --help", option, word);
}

static int start(int argc, char **argv)
{
    static const char *const modes[] = { "base", "vmm-direct" };
    static const char *const fallbacks[] = {
        [FAIL] = "fail", [BASE] = "base", [LARGEST] = "largest",
    };
    static const struct option table[] = {
        { "mode", required_argument, NULL, 'M' },
        { "memory", required_argument, NULL, 'm' },
        { "cpus", required_argument, NULL, 'c' },
        { "qmp", required_argument, NULL, 'q' },
        { "fallback", required_argument, NULL, 'f' },
        { NULL, 0, NULL, 0 }
    };
    struct start s = { .segment = true, .fallback = FAIL };
    int c;

    while ((c = getopt_long(argc, argv, "+", table, NULL)) != -1) {
        switch (c) {
        case 'M':
            s.segment = choose("--mode", optarg, modes, 2);
            break;
        case 'm':
            parse("--memory", optarg, true);
            setenv("L2_MEMORY", optarg, 1);
            break;
        case 'c':
            parse("--cpus", optarg, false);
            setenv("L2_CPUS", optarg, 1);
            break;
        case 'q':
            setenv("L2_QMP", optarg, 1);
            break;
        case 'f':
            s.fallback = choose("--fallback", optarg, fallbacks, 3);
            break;
        default:
            exit(2);            /* getopt_long has said what is wrong */
        }
    }
    if (argv[optind] && strcmp(argv[optind - 1], "--")) {
        die(2, "start: unexpected argument '%s'; see dseg-vm --help",
            argv[optind]);
    }
    s.arguments = argv + optind;
    return run(&s);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {
        { "start", start }, { "attach", attach }, { "detach", detach },
        { "list", list }, { "escape", escape }, { "unescape", unescape },
        { "reserve", reserve },
    };

    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(help, stdout);
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands);
         i++) {
        if (!strcmp(argv[1], commands[i].name)) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fputs(help, stderr);
    return 2;
}
