#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# bwa finds where in a random genome reads are from.
# shellcheck disable=SC2034,SC2154  # variables of program, which reads this
set -eu

near=20         # bases that its answer may be off: it leaves out what differs at an end
heap=$((bytes * 2))

prepare() {
    # Its index takes about three bytes for each base.
    bases=$((bytes / 3))
    inputs genome "$bases" "$seed" > genome.fa
    inputs reads "$bases" "$updates" "$seed" > reads.fq
    on_disk bwa index "$work/genome.fa" 2> index.log || fail "bwa index: $(tail -n 5 index.log)"
    head -n 4 reads.fq > few
    on_disk bwa mem -v 1 "$work/genome.fa" "$work/few" > found 2>&1
}

run() {
    measured_in_region bwa mem -v 1 -t 1 "$work/genome.fa" "$work/reads.fq" > found
}

# A read's name begins with its position.
check() {
    grep -v '^@' found > places
    errors=$(awk -v wanted="$updates" -v near=$near '
        { split($1, name, "_"); off = $4 - name[1]; if (off < 0) off = -off; right += off <= near }
        END { print wanted - right }' places)
    checksum=$(md5sum < places | cut -c 1-16)
}
