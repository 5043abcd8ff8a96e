# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/test --coverage counts the lines of all rooms."""

import subprocess

from dseg.testing import coverage

SOURCE = '''int used(int x)
{
    if (x) {
        return 1;
    }
    return 2;
}
'''
MAIN = 'int used(int x); int main(void) { return used(1) - 1; }\n'


def test_lines_of_each_room_are_counted_by_their_own_name(tmp_path, monkeypatch):
    ours, build = tmp_path / 'ours', tmp_path / 'build'
    for room in ('model', 'tlb'):
        (ours / room).mkdir(parents=True)
        (ours / room / 'same.c').write_text(SOURCE)
    build.mkdir()
    (build / 'main.c').write_text(MAIN)
    subprocess.run(['gcc', '--coverage', '-O0', '-o', 'program', ours / 'model/same.c', 'main.c'],
                   cwd=build, check=True, timeout=60)
    subprocess.run([build / 'program'], check=True, timeout=60)
    monkeypatch.setattr(coverage, 'OURS', ours)
    lines = coverage.measure([build])
    assert set(lines) == {'model/same.c', 'tlb/same.c'} and not lines['tlb/same.c']
    assert (lines['model/same.c'][4], lines['model/same.c'][6]) == (1, 0)
    rows, total = coverage.summary(lines)
    assert rows[0]['uncovered'] == [6] and total['lines'] == len(lines['model/same.c'])
