/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "processes.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VM_LINK "anon_inode:kvm-vm"     /* what KVM calls a VM's file */

/* The number of that file descriptor in the process, or -1 with errno. */
static int vm_number(pid_t pid)
{
    char path[64], target[sizeof(VM_LINK) + 1];
    struct dirent *entry;
    int number = -1;
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    folder = opendir(path);
    if (!folder) {
        errno = errno == ENOENT ? ESRCH : errno;
        return -1;
    }
    while (number < 0 && (entry = readdir(folder))) {
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target,
                                    sizeof(target));

        if (length == strlen(VM_LINK) &&
            !memcmp(target, VM_LINK, strlen(VM_LINK))) {
            number = atoi(entry->d_name);
        }
    }
    closedir(folder);
    errno = ENOENT;
    return number;
}

int vm_of_process(pid_t pid)
{
    int number = vm_number(pid), process, vm, error;

    if (number < 0) {
        return -1;
    }
    process = syscall(SYS_pidfd_open, pid, 0);
    if (process < 0) {
        return -1;
    }
    vm = syscall(SYS_pidfd_getfd, process, number, 0);
    error = errno;
    close(process);
    errno = error;
    return vm;
}

/* 0 if there is no such process. */
static pid_t parent_of(pid_t pid)
{
    char path[64], line[512], *end;
    pid_t parent = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    file = fopen(path, "r");
    if (!file) {
        return 0;
    }
    /* After the name, which may have blanks and brackets in it. */
    end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
    if (end) {
        sscanf(end + 1, " %*c %d", &parent);
    }
    fclose(file);
    return parent;
}

static bool descends_from(pid_t pid, pid_t ancestor)
{
    while (pid > 1 && pid != ancestor) {
        pid = parent_of(pid);
    }
    return pid == ancestor;
}

pid_t vmm_among_descendants(pid_t ancestor)
{
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;

    while (folder && !found && (entry = readdir(folder))) {
        pid_t pid = atoi(entry->d_name);

        if (pid > 1 && descends_from(pid, ancestor) && vm_number(pid) >= 0) {
            found = pid;
        }
    }
    if (folder) {
        closedir(folder);
    }
    return found;
}

void process_name(pid_t pid, char *name, size_t size)
{
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    snprintf(name, size, "?");
    file = fopen(path, "r");
    if (file) {
        if (fgets(name, size, file)) {
            name[strcspn(name, "\n")] = '\0';
        }
        fclose(file);
    }
}
