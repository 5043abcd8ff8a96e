# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/explain --counts: what a machine says becomes a picture or a table, or an error."""

import json
from xml.etree import ElementTree

import pytest

from dseg import Failure
from dseg.experiments import explain, explaincounts
from sample_runs import Walks, record_of, with_caches

pytest.importorskip('matplotlib')
WALKS = [Walks(10, 'nested', '4k', ('4k',) * 5), Walks(4, 'native', '2m'),
         Walks(6, 'native', '4k', privilege='kernel')]


def machine(walks=WALKS, with_model=True):
    """What sends QMP commands to a machine whose programs have made these walks."""
    record = with_caches(record_of({}, walks))
    tlb = {'cpu': 1, 'geometry': {'arrays': [], 'caches': record['caches'].pop('geometry')},
           **({'caches': record['caches']} if with_model else {})}
    replies = {'query-x86-dseg-tlb': [tlb], 'query-x86-dseg-walks': [
        {'cpu': 1, 'regimes': record['walks']}]}

    def command(name, cpu):
        assert cpu == 1
        return replies[name]
    return command


@pytest.fixture
def kept(tmp_path):
    """The file of a reply."""
    file = tmp_path / 'kept.json'
    file.write_text(json.dumps(explaincounts.ask(machine(), 1)))
    return file


def test_programs_of_each_world_have_a_map_and_kernels_have_none():
    maps = explaincounts.maps_of(explaincounts.ask(machine(), 1))
    assert {title: len(cells.cells) for title, cells in maps.items()} == {
        'Programs of L1, 4 walks': 3, 'Programs of nested guests, 10 walks': 24}


def test_the_table_has_the_cycles_and_places_of_each_step(kept, tmp_path, capsys):
    assert explain.main(['--counts', '--json', str(kept), '--out', str(tmp_path / 'x.txt')]) == 0
    lines = (tmp_path / 'x.txt').read_text().splitlines()
    assert lines[0] == 'Programs of L1, 4 walks: 20.0 cycles of steps per walk'     # 4 + 4 + 12
    own, = [line.split() for line in lines if line.startswith('guest 1 ') and 's entry' in line]
    assert own[4:] == ['115.00', '0.0%', '0.0%', '50.0%', '50.0%', '0.0%']
    assert sum('  nested ' in line for line in lines) == 20


@pytest.mark.parametrize('suffix', ['svg', 'png', 'pdf'])
def test_what_was_kept_is_drawn(kept, tmp_path, capsys, suffix):
    picture = tmp_path / 'new' / f'x.{suffix}'
    assert explain.main(['--counts', '--json', str(kept), '--out', str(picture)]) == 0
    assert picture.stat().st_size > 5000
    if suffix == 'svg':
        assert ElementTree.parse(picture).getroot().tag.endswith('svg')


def test_a_machine_without_caches_is_named_with_what_to_do():
    for command in machine(with_model=False), lambda name, cpu: []:
        with pytest.raises(Failure, match='CPU 1 has no modelled caches: .*dseg-caches=on'):
            explaincounts.ask(command, 1)


def test_nothing_is_written_of_a_machine_whose_programs_have_not_walked(tmp_path, capsys):
    file, picture = tmp_path / 'kept.json', tmp_path / 'new/x.svg'
    file.write_text(json.dumps(explaincounts.ask(machine(WALKS[2:]), 1)))
    with pytest.raises(Failure, match='no program has walked page tables'):
        explain.main(['--counts', '--json', str(file), '--out', str(picture)])
    assert not picture.parent.exists()


@pytest.mark.parametrize('text', ['[]', '{}', '{"walks": {"regimes": []}}', '{"walks": null}'])
def test_a_file_of_something_else_is_named(tmp_path, text):
    file = tmp_path / 'other.json'
    file.write_text(text)
    with pytest.raises(Failure, match='other.json is none that scripts/explain --counts has kept'):
        explain.main(['--counts', '--json', str(file), '--out', str(tmp_path / 'x.svg')])


@pytest.mark.parametrize('words, told', [
    (['--out', 'x.svg'], '--counts: --qmp or --json is needed'),
    (['--qmp', '/nowhere', '--address', '0', '--out', 'x.svg'], '--counts and --address: only one'),
    (['--qmp', '/nowhere', '--level', 'vmm', '--out', 'x.svg'], '--counts and --level: only one'),
    (['--qmp', '/nowhere', '--out', 'x.gif'], 'the picture must end in .svg, .png, .pdf, .txt'),
])
def test_what_does_not_go_with_counts_is_refused(words, told, capsys):
    with pytest.raises(SystemExit):
        explain.main(['--counts', *words])
    assert told in capsys.readouterr().err
