/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "say.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void say_list(const char *format, va_list arguments)
{
    char *text = NULL;

    if (vasprintf(&text, format, arguments) < 0) {
        text = NULL;
    }
    fputs("dseg-run: ", stderr);
    text_print(stderr, text ? text : format);
    fputc('\n', stderr);
    free(text);
}

void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say_list(format, arguments);
    va_end(arguments);
}

_Noreturn void die(int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say_list(format, arguments);
    va_end(arguments);
    exit(code);
}
