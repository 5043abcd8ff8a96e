#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# sqlite3 has a table in memory, in which random keys are looked up.
# shellcheck disable=SC2034,SC2046,SC2154  # variables of program, which reads this
set -eu

row=128         # bytes that one takes, about
heap=$((bytes * 3 / 2))

prepare() {
    count=$((bytes / row))
    # Numbers up to 2^31, as rand() once had them.
    cat > load.sql <<END
CREATE TABLE t(k INTEGER PRIMARY KEY, n INTEGER, filler TEXT);
WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < $count - 1)
    INSERT INTO t SELECT i, (i * 1103515245 + $seed) % 2147483648, printf('%090d', i) FROM c;
CREATE TEMP TABLE answers(sum INTEGER, rows INTEGER);
.shell /tmp/program/mark begin
WITH RECURSIVE c(i, x) AS (SELECT 1, $seed % 2147483648 UNION ALL
    SELECT i + 1, (x * 1103515245 + 12345) % 2147483648 FROM c WHERE i < $updates)
    INSERT INTO answers SELECT sum(t.n), count(*) FROM c CROSS JOIN t ON t.k = (c.x >> 8) % $count;
.shell /tmp/program/mark end
WITH RECURSIVE c(i, x) AS (SELECT 1, $seed % 2147483648 UNION ALL
    SELECT i + 1, (x * 1103515245 + 12345) % 2147483648 FROM c WHERE i < $updates)
    INSERT INTO answers
    SELECT sum((((c.x >> 8) % $count) * 1103515245 + $seed) % 2147483648), count(*) FROM c;
SELECT printf('%016x', min(sum)), (min(sum) <> max(sum)) + (min(rows) <> max(rows)) FROM answers;
PRAGMA integrity_check;
END
}

run() {
    # shellcheck disable=SC2086  # words
    on_disk $primary sqlite3 -batch -separator ' ' :memory: < load.sql > result.txt
}

check() {
    set -- $(cat result.txt)
    checksum=$1 errors=$2
    [ "$3" = ok ] || errors=$((errors + 1))
}
