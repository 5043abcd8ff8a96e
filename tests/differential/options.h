/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line that QEMU was given (-append), as words NAME=NUMBER. */
#ifndef DIFFERENTIAL_OPTIONS_H
#define DIFFERENTIAL_OPTIONS_H

#include <stdint.h>

/* The decimal number of a name; or "otherwise", where it isn't there. */
uint64_t option(const char *name, uint64_t otherwise);

#endif
