#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# liblinear-train finds the plane that divides vectors.
# shellcheck disable=SC2034,SC2154  # variables of program, which reads this
set -eu

vector=400      # bytes that one takes, about
heap=$((bytes * 2))

prepare() {
    count=$((bytes / vector))
    inputs vectors "$count" "$updates" "$seed" > vectors.txt
    head -n 10 vectors.txt > few
    on_disk liblinear-train -q "$work/few" "$work/few.model"
}

run() {
    measured_in_region liblinear-train -q -s 1 "$work/vectors.txt" "$work/model"
}

# It must tell 9 of 10 apart.
check() {
    right=$(on_disk liblinear-predict "$work/vectors.txt" "$work/model" "$work/found" |
        sed -n 's,^Accuracy.*(\([0-9]*\)/[0-9]*)$,\1,p')
    errors=0
    [ $((right * 10)) -ge $((count * 9)) ] || errors=$((count - right))
    checksum=$(md5sum < model | cut -c 1-16)
}
