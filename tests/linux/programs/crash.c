/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads a crash kernel, makes a primary region, and has the kernel crash while
 * its segment is in force on this CPU.
 */
#include "region.h"

#include <linux/kexec.h>
#include <sys/syscall.h>

#define COMMAND_LINE "console=ttyS0 panic=-1 nr_cpus=1"

static void load(void)
{
    int kernel = open("/boot/vmlinuz", O_RDONLY);
    int initrd = open("/boot/l2.cpio", O_RDONLY);

    CHECK(kernel >= 0 && initrd >= 0);
    CHECK(syscall(SYS_kexec_file_load, kernel, initrd, sizeof(COMMAND_LINE),
                  COMMAND_LINE, KEXEC_FILE_ON_CRASH) == 0);
}

int main(void)
{
    int trigger = open("/proc/sysrq-trigger", O_WRONLY);

    run_on(0);
    load();
    make_region(open_device(), 4 * MIB, 0x200000000000);
    CHECK(write(trigger, "c", 1) == 1);
    return 1;
}
