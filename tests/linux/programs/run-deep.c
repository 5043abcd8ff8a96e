/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library that frees what somebody else has allocated
 */
#include <stdlib.h>

void free_it(char *memory)
{
    free(memory);
}
