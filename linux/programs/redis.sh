#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# redis-server has values of 512 bytes, and redis-benchmark gets random ones of them.
# shellcheck disable=SC2034,SC2046,SC2154  # variables of program, which reads this
set -eu

value=512
heap=$((bytes * 2))
socket=$work/redis.sock
# A key's value, as redis-benchmark names keys.
lua='local function key(i) return string.format("key:%012d", i) end
local function value(i)
    return string.rep(redis.sha1hex(ARGV[2] .. ":" .. i), 13):sub(1, tonumber(ARGV[3]))
end'

ask() {
    on_disk redis-cli -s "$socket" "$@"
}

# with_all LUA: a script for the server, whose arguments are count, seed and size of the values.
with_all() {
    ask eval "$lua $1" 0 "$count" "$seed" $value
}

# The number that the server counts by that name.
counted() {
    ask info stats | sed -n "s/^$1:\([0-9]*\).*/\1/p"
}

prepare() {
    count=$((bytes / value))
    serve redis-server --port 0 --unixsocket "$socket" --save '' --lua-time-limit 0
    wait_for ask ping
    with_all 'for i = 0, ARGV[1] - 1 do redis.call("SET", key(i), value(i)) end' > /dev/null
    load on_disk 100
    hits=$(counted keyspace_hits)
}

# load RUNNER REQUESTS
load() {
    $1 redis-benchmark -s "$socket" -t get -n "$2" -r "$count" -c 1 -P 16 --csv > load.txt
}

run() {
    load measured "$updates"
}

check() {
    missing=$((updates - $(counted keyspace_hits) + hits))
    errors=$((${missing#-} + $(counted keyspace_misses)))
    set -- $(with_all 'local sum, wrong = "", 0
        for i = 0, ARGV[1] - 1 do
            local found = redis.call("GET", key(i))
            if found ~= value(i) then wrong = wrong + 1 end
            sum = redis.sha1hex(sum .. found)
        end
        return {sum:sub(1, 16), wrong}')
    checksum=$1 errors=$((errors + $2))
}
