# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/experiment: runs the points of an experiment, here or on a cluster, and goes on.

commands     what the command line asks for
run          the loop: tasks, ends, tries, progress
local, slurm where tasks run
group        what runs as a task: points after one boot, one after the other
status       what there is
"""
