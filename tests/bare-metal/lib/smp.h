/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The second CPU (-smp 2). */
#ifndef BARE_METAL_SMP_H
#define BARE_METAL_SMP_H

/* Start it, or once more after INIT; it waits for smp_run(). */
void smp_start(void);

/* Have it call a function, and go on. */
void smp_run(void (*function)(void));

/* Wait until it has returned from that. */
void smp_wait(void);

#endif
