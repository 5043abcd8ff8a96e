/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that gcc calls even where there is no C library. */
#include <stddef.h>

void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);

void *memset(void *to, int value, size_t size)
{
    void *next = to;

    asm volatile("rep stosb" : "+D"(next), "+c"(size) : "a"(value) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    void *next = to;

    asm volatile("rep movsb" : "+D"(next), "+S"(from), "+c"(size) : : "memory");
    return to;
}
