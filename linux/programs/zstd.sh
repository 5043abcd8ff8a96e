#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# zstd compresses a text, at the level that --updates says.
# shellcheck disable=SC2034,SC2154  # variables of program, which reads this
set -eu

heap=$((bytes * 2))

prepare() {
    inputs text "$bytes" "$seed" > words
    head -c 1000 words | on_disk zstd -q -c > few
}

run() {
    measured_in_region zstd -q -c --single-thread -"$updates" "$work/words" > words.zst
}

check() {
    errors=0
    [ "$(wc -c < words.zst)" -lt "$bytes" ] || errors=1
    on_disk zstd -q -d -c "$work/words.zst" | cmp - words || errors=$((errors + 1))
    checksum=$(md5sum < words.zst | cut -c 1-16)
}
