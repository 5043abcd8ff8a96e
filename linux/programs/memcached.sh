#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# memcached has values of ours, and memcaslap stores some more and gets them, which it verifies.
# shellcheck disable=SC2034,SC2154  # variables of program, which reads this
set -eu

value=1024
port=11211
heap=$((bytes * 2))

ask() {
    nc 127.0.0.1 $port
}

stats() {
    printf 'stats\r\nquit\r\n' | ask
}

prepare() {
    count=$((bytes / 2 / value))
    # Ten stores of a hundred requests make the other half.
    printf 'key\n32 32 1\nvalue\n%d %d 1\ncmd\n0 0.1\n1 0.9\n' \
        $((bytes * 5 / updates)) $((bytes * 5 / updates)) > load.cfg
    serve memcached -u root -l 127.0.0.1 -p $port -t 1 -m $(((bytes >> 19) + 64))
    wait_for stats
    inputs set "$count" $value "$seed" | ask
}

run() {
    measured memcaslap -s 127.0.0.1:$port -T 1 -c 1 -x "$updates" -v 1 -F "$work/load.cfg" \
        > load.txt
}

# What memcaslap has counted by that name.
counted() {
    sed -n "s/^$1: //p" load.txt
}

check() {
    missing=$((updates - $(counted cmd_get) - $(counted cmd_set)))
    errors=$((${missing#-} + $(counted get_misses)))
    errors=$((errors + $(counted verify_misses) + $(counted verify_failed)))
    wanted=$(inputs values "$count" $value "$seed" | md5sum)
    [ "$wanted" = "$(inputs get "$count" | ask | md5sum)" ] || errors=$((errors + 1))
    checksum=$(echo "$wanted" | cut -c 1-16)
}
