/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs what a shell is given, and takes what it prints
 */

#ifndef TEST_SHELL_H
#define TEST_SHELL_H

#include <glib.h>
#include <stdio.h>
#include <sys/wait.h>

/* The output of @command, which must end by itself; @code: its exit code. */
static inline char *output_of(const char *command, int *code)
{
    FILE *pipe = popen(command, "re");
    GString *output = g_string_new(NULL);
    int c, status;

    while ((c = fgetc(pipe)) != EOF) {
        g_string_append_c(output, c);
    }
    status = pclose(pipe);
    g_assert_true(WIFEXITED(status));
    *code = WEXITSTATUS(status);
    return g_string_free(output, FALSE);
}

#endif
