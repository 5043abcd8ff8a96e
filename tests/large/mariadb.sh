#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# MariaDB: InnoDB, joins, a table that is changed to another engine, and a check of it.
set -eu
. "$(dirname "$0")/common.sh"
data=/tmp/mariadb
settings="--no-defaults --datadir=$data --innodb-buffer-pool-size=32M --innodb-log-file-size=8M"

mariadbd --version 2> /dev/null
# shellcheck disable=SC2086  # words
fresh_data "$data" mariadb-install-db $settings \
    --auth-root-authentication-method=normal --skip-test-db
# shellcheck disable=SC2086
serve $RUN mariadbd $settings --skip-networking --socket=/tmp/mariadb.sock
ask() {
    mariadb --no-defaults -S /tmp/mariadb.sock -u root "$@"
}
wait_for ask -e 'select 1'
ask -N << 'END'
create database d; use d;
create table t(a int primary key, b varchar(64), c int, index(c)) engine=innodb;
insert into t select seq, md5(seq), seq * 7919 % 20011 from seq_1_to_20000;
select count(*), sum(c) from t;
set group_concat_max_len = 4000000;
select md5(group_concat(b order by c, a separator '')) from t;
select md5(group_concat(l.b, r.b order by l.a separator '')) from t l join t r on l.a = r.c;
update t set b = upper(b) where a % 3 = 0;
alter table t engine=aria;
select md5(group_concat(b order by a separator '')) from t;
check table t;
END
stop
