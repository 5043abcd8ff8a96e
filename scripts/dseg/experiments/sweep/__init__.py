# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/experiment: runs the points of an experiment, here or on a cluster, and goes on.

commands     what the command line asks for
run          the loop: tasks, ends, tries, progress
local, slurm where tasks run
group        what runs as a task: points after one boot, one after the other
built        the files that a boot reads, as a part of what a point is known by
provenance   where a record is from
status       what there is
"""
