#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# PostgreSQL has the table of pgbench, which reads random rows of it, as with its option -S.
# shellcheck disable=SC2034,SC2046,SC2154  # variables of program, which reads this
set -eu

row=128         # bytes that one takes, about
bin=$(cd /debian && echo usr/lib/postgresql/*/bin)

# In front of what refuses to run as root.
nobody='start-stop-daemon -S -q -c nobody -x'

ask() {
    on_disk "/$bin/psql" -h "$work" -U nobody -At -v ON_ERROR_STOP=1 postgres "$@"
}

prepare() {
    count=$((bytes / row))
    chown 65534 .
    # shellcheck disable=SC2086  # words
    on_disk $nobody "/$bin/initdb" -- -D "$work/data" -A trust --locale=C -E UTF8 --no-sync \
        > initdb.log 2>&1 || fail "initdb: $(tail -n 5 initdb.log)"
    cat >> data/postgresql.conf <<END
listen_addresses = ''
unix_socket_directories = '$work'
shared_buffers = $(((bytes >> 9) + 16384))kB
fsync = off
wal_level = minimal
max_wal_senders = 0
autovacuum = off
max_connections = 5
END
    # shellcheck disable=SC2086
    serve $nobody "/$bin/postgres" -- -D "$work/data"
    wait_for ask -c 'select 1'
    # What is new in a transaction is not in the log, too.
    ask -q <<END
begin;
create table pgbench_accounts(aid int not null, bid int, abalance int, filler char(84));
insert into pgbench_accounts
    select i, 1, (i * 1103515245::bigint + $seed) % 2147483647, '' from generate_series(1, $count) i;
alter table pgbench_accounts add primary key (aid);
commit;
vacuum analyze pgbench_accounts;
END
    echo "\\set aid random(1, $count)
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;" > load.sql
    load on_disk 10
}

# load RUNNER TRANSACTIONS
load() {
    $1 "/$bin/pgbench" -h "$work" -U nobody -n -M prepared -t "$2" --random-seed="$seed" \
        -f "$work/load.sql" postgres > load.txt 2> load.err || fail "pgbench: $(tail -n 5 load.err)"
}

run() {
    load measured "$updates"
}

check() {
    done=$(sed -n "s,^number of transactions actually processed: \([0-9]*\)/.*,\1,p" load.txt)
    errors=$((updates - done))
    set -- $(ask -F ' ' -c "select sum(abalance::bigint), count(*),
        count(*) filter (where abalance <> (aid * 1103515245::bigint + $seed) % 2147483647)
        from pgbench_accounts")
    [ "$2" = "$count" ] || errors=$((errors + 1))
    checksum=$(printf '%016x' "$1") errors=$((errors + $3))
}
