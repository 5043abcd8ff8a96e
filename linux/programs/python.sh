#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# python3 runs loops, as benchmarks of it do.
# shellcheck disable=SC2034,SC2046,SC2154  # variables of program, which reads this
set -eu

heap=$((bytes * 2 + updates * 1024))

prepare() {
    cp "$folder/loops.py" .
}

run() {
    # shellcheck disable=SC2086  # words
    on_disk $primary python3 -B "$work/loops.py" "$bytes" "$updates" "$seed" > result.txt
}

check() {
    set -- $(cat result.txt)
    checksum=$1 errors=$2
}
