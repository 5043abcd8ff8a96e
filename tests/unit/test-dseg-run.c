/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dseg-run itself, on a machine without the module: what the program inherits,
 * what is handed on, and what is refused before anything runs
 *
 * Usage: test-dseg-run DSEG_RUN
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell.h"

#define PATIENCE "timeout -k 1 20 "     /* of what must not hang */

static char *folder;

/* What a shell script prints on both streams, and its exit code. In it, $RUN is
   dseg-run, and it begins in an empty folder. */
static char *shell(const char *script, int *code)
{
    char *command = g_strdup_printf("cd %s && rm -rf ./* && exec 2>&1\n%s",
                                    folder, script);
    char *output = output_of(command, code);

    g_free(command);
    return output;
}

static void assert_shell(const char *script, int code, const char *expected)
{
    int found;
    char *output = shell(script, &found);

    g_assert_cmpstr(output, ==, expected);
    g_assert_cmpint(found, ==, code);
    g_free(output);
}

static void test_exit_code(void)
{
    assert_shell("$RUN sh -c 'exit 7' >/dev/null 2>&1", 7, "");
    assert_shell("$RUN sh -c 'kill -9 $$' >/dev/null 2>&1", 128 + 9, "");
}

/* With SIGCHLD ignored, a parent is told of no child. */
static void test_ignored_sigchld(void)
{
    assert_shell(PATIENCE "env --ignore-signal=CHLD $RUN sh -c 'exit 7' "
                 "2>/dev/null", 7, "");
    /* Bit 16 is SIGCHLD's. */
    assert_shell(PATIENCE "env --ignore-signal=CHLD $RUN grep SigIgn "
                 "/proc/self/status 2>/dev/null | "
                 "grep -c '.*[13579bdf]....$'", 0, "1\n");
    assert_shell(PATIENCE "$RUN grep SigIgn /proc/self/status 2>/dev/null | "
                 "grep -c '.*[02468ace]....$'", 0, "1\n");
}

/* It has what dseg-run has blocked, and dseg-run passes on what it blocks. */
static void test_blocked_signals(void)
{
    assert_shell(
        "cat >block.py <<'END'\n"
        "import os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "os.execvp(sys.argv[1], sys.argv[1:])\n"
        "END\n"
        "cat >wait.py <<'END'\n"
        "import os, signal\n"
        "blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
        "assert signal.SIGTERM in blocked\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "print(signal.sigtimedwait([signal.SIGTERM], 15).si_pid == "
        "os.getppid())\n"
        "END\n" PATIENCE "python3 -I block.py $RUN python3 -I wait.py "
        "2>/dev/null", 0, "True\n");
}

static void test_signals_are_passed_on(void)
{
    assert_shell(PATIENCE "$RUN sh -c 'trap \"echo got it; exit 3\" USR1; "
                 "kill -USR1 $PPID; while :; do sleep 0.1; done' 2>/dev/null",
                 3, "got it\n");
}

/* As the program finds them by itself. */
static void test_closed_streams(void)
{
    assert_shell("$RUN sh -c 'test -e /proc/$$/fd/0 || touch no-input; test -e "
                 "/proc/$$/fd/2 || touch no-error' <&- 2>&-; ls", 0,
                 "no-error\nno-input\n");
    assert_shell("$RUN --report report.json true <&- >&- 2>&-; cat report.json",
                 0, "{\"schema\": 1, \"exit_code\": 0, \"programs\": [\n]}\n");
}

static void test_report_is_opened_first(void)
{
    assert_shell("$RUN --report /nowhere/report touch ran; code=$?; ls; "
                 "exit $code", 125, "dseg-run: --report: /nowhere/report: No "
                 "such file or directory\n");
    assert_shell("mkdir folder; $RUN --report folder touch ran; code=$?; "
                 "ls; exit $code", 125,
                 "dseg-run: --report: folder: Is a directory\nfolder\n");
    assert_shell("$RUN --report /dev/full true 2>&1 | grep -v 'no region$'", 0,
                 "dseg-run: --report: /dev/full: could not be written\n");
}

static void test_program_that_is_not_there(void)
{
    assert_shell("$RUN nosuchprogram 2>&1 | grep -v 'no region$'; "
                 "$RUN ./nosuch 2>/dev/null", 127,
                 "dseg-run: nosuchprogram: No such file or directory\n");
    assert_shell("$RUN / 2>/dev/null", 126, "");
}

/* No control character, and nothing that is no UTF-8, reaches the terminal. */
static void test_arguments_are_printable(void)
{
    assert_shell("$RUN --size \"$(printf '\\033[2J')\" true", 125,
                 "dseg-run: --size: '\\x1b[2J' is no size (K, M and G are "
                 "allowed)\n");
    assert_shell("$RUN \"$(printf -- '--\\377')\" true", 125,
                 "dseg-run: unrecognized option '--\\xff'; see dseg-run "
                 "--help\n");
    assert_shell("$RUN --size", 125, "dseg-run: no argument for option "
                 "'--size'; see dseg-run --help\n");
    assert_shell("$RUN \"$(printf '\\302\\233no')\" 2>&1 | "
                 "grep -v 'no region$'", 0, "dseg-run: \\xc2\\x9bno: No such file or directory\n");
}

/* To each script. */
static void set_run(const char *program)
{
    char *name = realpath(program, NULL);
    char *run = g_strdup_printf("%s --if-possible", name);

    setenv("RUN", run, 1);
    free(name);
    g_free(run);
}

int main(int argc, char **argv)
{
    int result;

    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 2);
    set_run(argv[1]);
    folder = g_dir_make_tmp("test-dseg-run-XXXXXX", NULL);
    g_test_add_func("/run/exit-code-is-handed-on", test_exit_code);
    g_test_add_func("/run/ends-with-sigchld-ignored", test_ignored_sigchld);
    g_test_add_func("/run/blocked-signals-stay-so", test_blocked_signals);
    g_test_add_func("/run/signals-are-passed-on", test_signals_are_passed_on);
    g_test_add_func("/run/closed-streams-stay-so", test_closed_streams);
    g_test_add_func("/run/unwritable-report-is-told-first",
                    test_report_is_opened_first);
    g_test_add_func("/run/program-that-is-not-there",
                    test_program_that_is_not_there);
    g_test_add_func("/run/arguments-are-printable",
                    test_arguments_are_printable);
    result = g_test_run();
    assert_shell("", 0, "");
    rmdir(folder);
    g_free(folder);
    return result;
}
