#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# PostgreSQL: a cluster, a table with an index, joins, a rollback, a vacuum.
set -eu
. "$(dirname "$0")/common.sh"
bin=$(echo /usr/lib/postgresql/*/bin)
data=/tmp/postgresql

"$bin/postgres" --version
fresh_data "$data" "$bin/initdb" -D "$data" --locale=C -E UTF8 -A trust
# shellcheck disable=SC2086  # words
serve $RUN "$bin/postgres" -D "$data" -k /tmp -c listen_addresses=
ask() {
    "$bin/psql" -h /tmp -U nobody -At -v ON_ERROR_STOP=1 postgres "$@"
}
wait_for ask -c 'select 1'
ask -f - << 'END'
create table t(a int primary key, b text, c int);
insert into t select i, md5(i::text), i * 7919 % 20011 from generate_series(1, 20000) i;
create index x on t(c);
analyze t;
select count(*), sum(c), md5(string_agg(b, '' order by c, a)) from t;
select md5(string_agg(l.b || r.b, '' order by l.a)) from t l join t r on l.a = r.c;
begin; delete from t where a % 2 = 0; rollback;
update t set b = upper(b) where a % 3 = 0;
vacuum full t;
select md5(string_agg(b, '' order by a)) from t;
select length(string_agg(repeat(b, 40), '')) from t;
END
stop
