/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shell for a program on the host that wants each run to be the same: the
 * machine stops before each piece of a command, which fits into the FIFO of a
 * UART, so that it does not matter when the host types it.
 */
#include "../include/dseg.h"
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define COMMAND_MAX 4096

static const struct options o = { .name = "orders" };

static void print_help(void)
{
    puts("Usage: orders l1|l2\n\n"
         "Reads commands from standard input and runs each by sh, like a shell, which it\n"
         "replaces where the kernel's command line has the word \"orders\".  Before each line it\n"
         "executes the marker instruction with label 0x210 (l1) or 0x211 (l2).  A line is a part\n"
         "of a command behind a '+', or its last part behind a '.'.  When the command has ended\n"
         "it says \"orders: exit CODE\".\n\n"
         "Example: printf '+echo 1\\n. 2\\n' | orders l1");
}

static void mark_turn(bool l2)
{
    if (l2) {
        DSEG_MARK(0x211);
    } else {
        DSEG_MARK(0x210);
    }
}

/* Appends the next command to @command; false at the end of the input. */
static bool read_command(bool l2, char *command)
{
    char line[64];
    size_t length = 0;

    for (;;) {
        mark_turn(l2);
        if (!fgets(line, sizeof(line), stdin)) {
            return false;
        }
        line[strcspn(line, "\n")] = 0;
        if (line[0] != '+' && line[0] != '.') {
            die(&o, "a line begins with '%c', not with '+' or '.'", line[0]);
        }
        if (length + strlen(line) > COMMAND_MAX) {
            die(&o, "a command must have at most %d characters", COMMAND_MAX);
        }
        strcpy(command + length, line + 1);
        length += strlen(line + 1);
        if (line[0] == '.') {
            return true;
        }
    }
}

int main(int argc, char **argv)
{
    char command[COMMAND_MAX + 1];
    bool l2 = argc == 2 && !strcmp(argv[1], "l2");

    if (argc == 2 && !strcmp(argv[1], "--help")) {
        print_help();
        return 0;
    }
    if (argc != 2 || (!l2 && strcmp(argv[1], "l1"))) {
        die(&o, "which guest is this, l1 or l2? see --help");
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (read_command(l2, command)) {
        int status = system(command);

        printf("orders: exit %d\n", WIFEXITED(status) ? WEXITSTATUS(status) :
                                    128 + WTERMSIG(status));
    }
    return 0;
}
