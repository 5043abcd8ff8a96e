/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_VM_COMMANDS_H
#define DSEG_VM_COMMANDS_H

/*
 * What a user asks for: argv[0] is the command's name.  Each returns the exit
 * code of the program, or ends it with a line that says why.
 */

/* segments.c: segments of VMs that run */
int attach(int argc, char **argv);
int detach(int argc, char **argv);
int escape(int argc, char **argv);
int unescape(int argc, char **argv);
int reserve(int argc, char **argv);

/* list.c: what there is */
int list(int argc, char **argv);

/* start.c: a VM that has a segment from its start on */
int start(int argc, char **argv);

#endif
