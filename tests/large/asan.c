/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Uses memory as any program does, to be compiled with -fsanitize=address */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES 1000

int main(void)
{
    unsigned char *pieces[PIECES];
    unsigned sum = 0;

    for (int i = 0; i < PIECES; i++) {
        pieces[i] = malloc(i + 1);
        memset(pieces[i], i, i + 1);
    }
    for (int i = 0; i < PIECES; i++) {
        sum += pieces[i][i];
        free(pieces[i]);
    }
    printf("sum %u\n", sum);
    return 0;
}
