/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a program between two marker instructions, so that counters and clocks can
 * be read for it and nothing else.
 */
#define _GNU_SOURCE
#include "../include/dseg.h"
#include "common.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct options o = { .name = "marked" };

static void print_help(void)
{
    puts("Usage: marked [OPTION]... PROGRAM [ARGUMENT]...\n\n"
         "Executes the marker instruction with label 0x200, runs the program, and executes it\n"
         "with label 0x201.  Says \"marked: begin\" and \"marked: end\" at these moments, and how many\n"
         "page faults the program had.  Its exit code is that of the program.\n\n"
         "  --nested    the labels are 0x202 and 0x203, for a guest of a marked one\n"
         "  --poweroff  then power the machine off\n"
         "  --help      this text\n\n"
         "Example: marked --poweroff gups --bytes 16M --rounds 1");
}

static void mark_begin(bool nested)
{
    puts("marked: begin");
    fflush(stdout);
    if (nested) {
        DSEG_MARK(0x202);
    } else {
        DSEG_MARK(0x200);
    }
}

static void mark_end(bool nested)
{
    if (nested) {
        DSEG_MARK(0x203);
    } else {
        DSEG_MARK(0x201);
    }
    puts("marked: end");
    fflush(stdout);
}

static int run(char **words)
{
    pid_t child = fork();
    int status;

    if (child < 0) {
        die(&o, "fork: %s", strerror(errno));
    }
    if (child == 0) {
        execvp(words[0], words);
        fprintf(stderr, "marked: %s: %s\n", words[0], strerror(errno));
        _exit(127);
    }
    if (waitpid(child, &status, 0) < 0) {
        die(&o, "waitpid: %s", strerror(errno));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Of the program that has ended. */
static void print_page_faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_CHILDREN, &usage);
    printf("marked: page faults minor %ld major %ld\n", usage.ru_minflt, usage.ru_majflt);
}

int main(int argc, char **argv)
{
    static const struct option table[] = {
        { "nested", no_argument, NULL, 'n' },
        { "poweroff", no_argument, NULL, 'p' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };
    bool nested = false, poweroff = false;
    int c, code;

    while ((c = getopt_long(argc, argv, "+", table, NULL)) != -1) {
        switch (c) {
        case 'n':
            nested = true;
            break;
        case 'p':
            poweroff = true;
            break;
        case 'h':
            print_help();
            return 0;
        default:
            return 2;       /* getopt_long has said what is wrong */
        }
    }
    if (optind == argc) {
        die(&o, "which program? see --help");
    }
    mark_begin(nested);
    code = run(argv + optind);
    mark_end(nested);
    print_page_faults();
    if (code) {
        printf("marked: %s ended with exit code %d\n", argv[optind], code);
    }
    if (poweroff) {
        sync();
        reboot(RB_POWER_OFF);
        die(&o, "power off: %s", strerror(errno));
    }
    return code;
}
