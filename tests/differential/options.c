/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line, from QEMU's firmware configuration device
 * (docs/specs/fw_cfg).
 */
#include "options.h"

#include <stdbool.h>

#include "lib/cpu.h"

#define FW_CFG_SELECT 0x510
#define FW_CFG_DATA 0x511
#define FW_CFG_COMMAND_LINE 0x15
#define MAX_LENGTH 256

static void select(uint16_t item)
{
    asm volatile("outw %0, %1" : : "a"(item), "Nd"((uint16_t)FW_CFG_SELECT));
}

static char next_byte(void)
{
    char byte;

    asm volatile("inb %1, %0" : "=a"(byte) : "Nd"((uint16_t)FW_CFG_DATA));
    return byte;
}

static const char *command_line(void)
{
    static char text[MAX_LENGTH];

    if (!text[0]) {
        select(FW_CFG_COMMAND_LINE);
        for (unsigned i = 0; i < MAX_LENGTH - 1; i++) {
            text[i] = next_byte();
            if (!text[i]) {
                break;
            }
        }
    }
    return text;
}

/* Where the value begins, if this word is NAME=...; else NULL. */
static const char *value_of(const char *word, const char *name)
{
    while (*name && *word == *name) {
        word++;
        name++;
    }
    return !*name && *word == '=' ? word + 1 : NULL;
}

static uint64_t number(const char *digits)
{
    uint64_t value = 0;

    while (*digits >= '0' && *digits <= '9') {
        value = value * 10 + (*digits++ - '0');
    }
    return value;
}

uint64_t option(const char *name, uint64_t otherwise)
{
    bool starts_word = true;

    for (const char *at = command_line(); *at; at++) {
        const char *value = starts_word ? value_of(at, name) : NULL;

        if (value) {
            return number(value);
        }
        starts_word = *at == ' ';
    }
    return otherwise;
}
