/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dseg-vm: virtual machines with a VMM segment
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
"Usage: dseg-vm start [OPTION]... [-- QEMU ARGUMENTS]\n"
"       dseg-vm attach [--largest] [--gpa ADDRESS --size SIZE] PID\n"
"       dseg-vm detach PID\n"
"       dseg-vm list [--json]\n"
"       dseg-vm escape PID ADDRESS | unescape PID\n"
"       dseg-vm reserve SIZE\n"
"\n"
"Virtual machines whose memory a VMM segment translates: it is moved onto\n"
"contiguous frames, and their page walks need no nested page tables. The VMM is\n"
"any that uses KVM, a stock QEMU, say. Needs the module dseg-vmm.\n"
"\n"
"start    runs the command l2 (see l2 --help), and gives its VM a segment:\n"
"  --mode MODE      vmm-direct, or base: without a segment (vmm-direct)\n"
"  --memory SIZE    of the VM, K, M or G allowed\n"
"  --cpus N         of the VM\n"
"  --qmp SOCKET     where QEMU is to have its monitor\n"
"  --fallback WHAT  if there is no contiguous memory of that size: fail ends the\n"
"                   VM, base lets it run without a segment, largest takes what\n"
"                   there is (fail)\n"
"attach   gives a segment to the VM of a process, which may run meanwhile\n"
"  --largest        if there is no contiguous memory of that size, take what\n"
"                   there is\n"
"  --gpa, --size    which part of the VM's memory; by default the largest piece,\n"
"                   from 1 MiB on\n"
"detach   ends it; the nested page tables translate the same\n"
"list     shows all segments: of which process, where, and how many pages were\n"
"         migrated to make room (displaced), and moved there\n"
"  --json           for programs\n"
"escape   lets one page of a VM escape from its segment, by its guest-physical\n"
"         address; unescape takes all back\n"
"reserve  sets contiguous memory aside for segments to come; 0 gives it back\n"
"\n"
"The exit code is that of QEMU, 1 if a request failed, 2 for wrong arguments,\n"
"125 if there was no segment and so no VM.\n"
"\n"
"Example: dseg-vm start --memory 512M --fallback base\n";

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {
        { "start", start }, { "attach", attach }, { "detach", detach },
        { "list", list }, { "escape", escape }, { "unescape", unescape },
        { "reserve", reserve },
    };

    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(help, stdout);
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands);
         i++) {
        if (!strcmp(argv[1], commands[i].name)) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fputs(help, stderr);
    return 2;
}
