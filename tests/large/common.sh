#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What the scripts beside this one share, which are run in L1 by scripts/try-programs. $RUN is in
# front of the program: dseg-run with options, or nothing. What they print must be the same.
set -eu
: "${RUN=}"
here=$(dirname "$0")
log=/tmp/program.log
server=
cd /tmp

# Databases do not run as root: what fresh_data and serve run has no privileges.
drop_privileges='/usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups'

fail() {
    echo "FAILED: $*"
    tail -n 8 "$log"
    exit 1
}

# fresh_data FOLDER COMMAND...: fills it by the command, or as that did for the other run.
fresh_data() {
    data=$1
    shift
    mkdir -m 700 "$data"
    chown 65534:65534 "$data"
    if [ -d "$here/data" ]; then
        cp -a "$here/data/." "$data"
        return
    fi
    $drop_privileges "$@" > "$log" 2>&1 || fail "${1##*/} ended with exit code $?"
    cp -a "$data" "$here/data"
}

# serve COMMAND...: in the background, until the script ends.
serve() {
    $drop_privileges "$@" > "$log" 2>&1 &
    server=$!
    trap 'kill -KILL "$server" 2>/dev/null || :' EXIT
}

# wait_for COMMAND...: until the server answers it.
wait_for() {
    for _ in $(seq 300); do
        ! "$@" > /dev/null 2>&1 || return 0
        kill -0 "$server" 2>/dev/null || fail 'the server has ended'
        sleep 1
    done
    fail 'the server does not answer'
}

# End the server as its administrator would.
stop() {
    code=0
    kill "$server"
    wait "$server" || code=$?
    trap - EXIT
    [ "$code" = 0 ] || fail "the server ended with exit code $code"
}
