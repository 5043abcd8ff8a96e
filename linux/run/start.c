/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "say.h"
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t child;     /* for the signals on their way to it */

static const int passed_on[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
#define NR_PASSED_ON (sizeof(passed_on) / sizeof(passed_on[0]))

static void pass_on(int signal_number)
{
    if (child) {
        kill(child, signal_number);
    }
}

/* Whatever we have inherited. Who presses Ctrl-C means the program, which has
   the signal, too. */
static void watch_signals(void)
{
    struct sigaction action = { .sa_handler = pass_on, .sa_flags = SA_RESTART };
    sigset_t unblocked;

    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    sigemptyset(&unblocked);
    for (size_t i = 0; i < NR_PASSED_ON; i++) {
        sigaction(passed_on[i], &action, NULL);
        sigaddset(&unblocked, passed_on[i]);
    }
    sigprocmask(SIG_UNBLOCK, &unblocked, NULL);
}

/* Becomes @command, or tells @failure why not. */
static _Noreturn void become(char **command, struct run_page *page, int failure)
{
    int error;

    page->first = getpid();
    execvp(command[0], command);
    error = errno;
    if (write(failure, &error, sizeof(error)) != sizeof(error)) {
        _exit(EXIT_NOT_RUN);
    }
    _exit(0);
}

/* Starts the program, with signals as we have found them. */
static void start(char **command, struct run_page *page)
{
    struct sigaction by_default = { .sa_handler = SIG_DFL }, of_children;
    sigset_t all, before;
    int failure[2], error = 0;

    if (pipe2(failure, O_CLOEXEC)) {
        die(EXIT_NOT_RUN, "pipe: %s", strerror(errno));
    }
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    /* Who ignores it has no children to wait for. */
    sigaction(SIGCHLD, &by_default, &of_children);
    child = fork();
    if (child < 0) {
        die(EXIT_NOT_RUN, "fork: %s", strerror(errno));
    }
    if (child == 0) {
        sigaction(SIGCHLD, &of_children, NULL);
        sigprocmask(SIG_SETMASK, &before, NULL);
        become(command, page, failure[1]);
    }
    watch_signals();
    close(failure[1]);
    if (read(failure[0], &error, sizeof(error)) == sizeof(error)) {
        die(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN, "%s: %s",
            command[0], strerror(error));
    }
    close(failure[0]);
}

static int exit_code(int status)
{
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

int run(char **command, struct run_page *page)
{
    siginfo_t info;
    pid_t ended;
    int status;

    start(command, page);
    ended = child;
    while (waitid(P_PID, ended, &info, WEXITED | WNOWAIT) < 0) {
        if (errno != EINTR) {
            die(EXIT_NOT_RUN, "waitid: %s", strerror(errno));
        }
    }
    /* Another process may have its number next: no signal goes there. */
    child = 0;
    if (waitpid(ended, &status, 0) < 0) {
        die(EXIT_NOT_RUN, "waitpid: %s", strerror(errno));
    }
    return exit_code(status);
}
