/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text from outside (names of programs, arguments), which may be any bytes
 */
#ifndef RUN_TEXT_H
#define RUN_TEXT_H

#include <stdio.h>

/* For people: control characters, and what is no UTF-8, as \xNN. */
void text_print(FILE *file, const char *text);

/* As a JSON string, without its quotes: what is no UTF-8 as U+FFFD. */
void text_print_json(FILE *file, const char *text);

#endif
