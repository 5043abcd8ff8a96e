/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Output, and the end of the run: QEMU's isa-debugcon and isa-debug-exit. */
#include "print.h"

#include "cpu.h"

#define DEBUG_CONSOLE 0xe9
#define DEBUG_EXIT 0xf4

/* Where text goes: a buffer if there is one, else the console. */
static char *buffer_next, *buffer_end;

static void print_char(char c)
{
    if (!buffer_end) {
        out8(DEBUG_CONSOLE, c);
    } else if (buffer_next < buffer_end) {
        *buffer_next++ = c;
    }
}

static void print_text(const char *text)
{
    while (*text) {
        print_char(*text++);
    }
}

static void print_number(uint64_t value, unsigned base)
{
    char digits[24];
    char *next = digits + sizeof(digits);

    *--next = 0;
    do {
        *--next = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    print_text(next);
}

static void print_signed(int value)
{
    if (value < 0) {
        print_char('-');
    }
    print_number(value < 0 ? -(int64_t)value : value, 10);
}

void vprint(const char *format, va_list values)
{
    for (; *format; format++) {
        bool is_long;

        if (*format != '%') {
            print_char(*format);
            continue;
        }
        format++;
        is_long = *format == 'l';
        format += is_long;
        switch (*format) {
        case 's':
            print_text(va_arg(values, const char *));
            break;
        case 'd':
            print_signed(va_arg(values, int));
            break;
        case 'u':
        case 'x':
            print_number(is_long ? va_arg(values, uint64_t)
                                 : va_arg(values, unsigned),
                         *format == 'u' ? 10 : 16);
            break;
        case 'c':
            print_char(va_arg(values, int));
            break;
        default:
            print_char(*format);
        }
    }
}

void vprint_to(char *buffer, unsigned size, const char *format, va_list values)
{
    buffer_next = buffer;
    buffer_end = buffer + size - 1;
    vprint(format, values);
    *buffer_next = 0;
    buffer_end = NULL;
}

void print(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    vprint(format, values);
    va_end(values);
}

void quit(unsigned code)
{
    out32(DEBUG_EXIT, code);
    for (;;) {
        asm volatile("cli; hlt");
    }
}

void die(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    print("Bail out! ");
    vprint(format, values);
    print("\n");
    va_end(values);
    quit(127);
}
