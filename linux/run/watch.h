/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUN_WATCH_H
#define RUN_WATCH_H

#include <stdbool.h>
#include <stddef.h>

/* The system call. */
int watch_userfaultfd(int flags);

/* No system call of ours may follow. */
void watch_stand_aside(void);

/* Memory of the program's, which may be none. Returns whether it is some. */
bool read_memory(void *to, const void *from, size_t size);

#endif
