/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "commands.h"
#include "device.h"
#include "options.h"
#include "processes.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS 20
#define VM_TIMEOUT_MS 60000     /* until a VMM that starts has its VM */
#define EXIT_NO_SEGMENT 125

enum fallback { FAIL, BASE, LARGEST };

struct start {
    bool segment;
    enum fallback fallback;
    char **arguments;           /* of QEMU */
};

static volatile sig_atomic_t started;   /* process to end when we are to end */

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

int start(int argc, char **argv)
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
