// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tracepoints of the kernel, which it does not export by themselves
 */
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "fault.h"
#include "tracepoint.h"

struct search {
	const char *name;
	struct tracepoint *found;
};

static void compare(struct tracepoint *tracepoint, void *data)
{
	struct search *search = data;

	if (!strcmp(tracepoint->name, search->name))
		search->found = tracepoint;
}

static struct tracepoint *find(const char *name)
{
	struct search search = { .name = name };

	for_each_kernel_tracepoint(compare, &search);
	return search.found;
}

int dseg_tracepoint_on(const char *name, void *probe)
{
	struct tracepoint *tracepoint = find(name);

	if (!tracepoint || dseg_fault())
		return -ENOENT;
	return tracepoint_probe_register(tracepoint, probe, NULL);
}

void dseg_tracepoint_off(const char *name, void *probe)
{
	tracepoint_probe_unregister(find(name), probe, NULL);
	tracepoint_synchronize_unregister();
}
