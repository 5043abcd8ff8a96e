/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void die(int code, const char *format, ...)
{
    va_list arguments;

    fputs("dseg-vm: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(code);
}

uint64_t parse(const char *what, const char *text, bool sizes)
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

pid_t parse_pid(int argc, char **argv)
{
    if (argc != 1) {
        die(2, "%s; see dseg-vm --help",
            argc ? "too many arguments" : "which process?");
    }
    return parse("PID", argv[0], false);
}

int choose(const char *option, const char *word,
                  const char *const *words, int n)
{
    for (int i = 0; i < n; i++) {
        if (!strcmp(word, words[i])) {
            return i;
        }
    }
    die(2, "%s: unknown '%s'; see dseg-vm --help", option, word);
}
