# SPDX-License-Identifier: GPL-2.0-or-later
"""Experiment files: what they mean, and that whatever is wrong is named by file, line and key."""

import itertools
import re
import tomllib

import pytest

from conftest import ROOT
from dseg import Failure
from dseg.points import workloads
from dseg.points.axes import PRESETS, all_axes
from dseg.points.combinations import examine, read
from dseg.points.configurations import CONFIGURATIONS
from dseg.points.positions import lines_of
from dseg.stack.modes import MODES

WORKLOADS = ('gups', 'chase', 'redis')
GOOD = '[product]\nworkload = ["gups"]\nconfiguration = ["dd"]\n'


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Writes files into the current folder; the last one is the experiment."""
    monkeypatch.chdir(tmp_path)

    def write(text, name='exp.toml'):
        (tmp_path / name).write_text(text)
        return name
    return write


def refusal(function, *arguments, **options):
    with pytest.raises(Failure) as refused:
        function(*arguments, **options)
    return str(refused.value)


def test_a_combination_has_all_axes_with_the_defaults_of_those_not_given(file):
    [axes] = read(file(GOOD), WORKLOADS).combinations
    assert axes == {
        'workload': 'gups', 'configuration': 'dd', 'tlb': 'sandybridge-ep', 'tlb-mode': 'inclusive',
        'caches': False, 'escapes': 0, 'filter-bits': 256, 'fragmentation': 0.0,
        'fragments': 'pinned', 'remedy': 'none', 'event': 'none', 'size': 'small',
        'clock': 'instructions', 'seed': 1, 'repeat': 1}


@pytest.mark.parametrize('seeds, repeats, zipped, more', itertools.product(
    (1, 3), (1, 4), (0, 1, 5), (0, 2)))
def test_the_number_of_points_is_the_product_of_lists_zips_and_repeats(
        file, seeds, repeats, zipped, more):
    text = f'[fixed]\nrepeats = {repeats}\n[product]\nworkload = ["gups", "chase"]\n' \
        f'configuration = ["dd", "4k+vd"]\nseed = {list(range(seeds))}\n'
    if zipped:
        text += f'[[zip]]\nescapes = {list(range(zipped))}\nfragmentation = ' \
            f'{[number / 10 for number in range(zipped)]}\n'
    if more:
        text += '[[zip]]\ntlb-mode = ["inclusive", "exact"]\nclock = ["host", "instructions"]\n'
    found = read(file(text), WORKLOADS).combinations
    assert len(found) == 2 * 2 * seeds * repeats * max(zipped, 1) * max(more, 1)
    assert len({str(axes) for axes in found}) == len(found)
    assert {axes['repeat'] for axes in found} == set(range(1, repeats + 1))
    for axes in found:
        assert not zipped or axes['fragmentation'] == axes['escapes'] / 10
        assert not more or (axes['tlb-mode'] == 'exact') == (axes['clock'] == 'instructions')


def test_points_are_in_the_order_of_the_file(file):
    found = read(file('[product]\nworkload = ["gups", "chase"]\nconfiguration = ["dd", "4k+vd"]\n'),
                 WORKLOADS).combinations
    assert [(axes['workload'], axes['configuration']) for axes in found] == [
        ('gups', 'dd'), ('gups', '4k+vd'), ('chase', 'dd'), ('chase', '4k+vd')]


def test_what_matches_all_keys_of_an_exclude_is_left_out_and_nothing_else(file):
    text = '[product]\nworkload = ["gups", "chase", "redis"]\nconfiguration = ["dd", "4k+4k"]\n' \
        'seed = [1, 2]\n[[exclude]]\nworkload = "redis"\nconfiguration = "dd"\n' \
        '[[exclude]]\nworkload = ["gups", "chase"]\nseed = 2\n'
    found = [(axes['workload'], axes['configuration'], axes['seed'])
             for axes in read(file(text), WORKLOADS).combinations]
    assert found == [('gups', 'dd', 1), ('gups', '4k+4k', 1), ('chase', 'dd', 1),
                     ('chase', '4k+4k', 1), ('redis', '4k+4k', 1), ('redis', '4k+4k', 2)]


def test_a_share_of_nothing_is_the_same_point_as_a_whole_number_or_not(file):
    whole, part = (read(file(f'[fixed]\nfragmentation = {text}\n{GOOD}'), WORKLOADS).combinations
                   for text in ('0', '0.0'))
    assert repr(whole) == repr(part)


def test_a_size_of_the_command_line_overrides_the_file_s(file):
    experiment = read(file(f'[fixed]\nsize = "paper"\n{GOOD}'), WORKLOADS, 'smoke')
    assert experiment.combinations[0]['size'] == 'smoke' and experiment.name == 'exp-smoke'
    assert read('exp.toml', WORKLOADS).name == 'exp-paper'
    text = refusal(read, file(f'{GOOD}size = ["paper", "small"]\n'), WORKLOADS, 'smoke')
    assert text.startswith('exp.toml:4: product.size: --size can\'t be given')
    assert read('exp.toml', WORKLOADS).name == 'exp'


def test_what_is_extended_gives_what_the_file_does_not(file, tmp_path):
    (tmp_path / 'bases').mkdir()
    (tmp_path / 'bases/deep.toml').write_text('title = "deep"\n[fixed]\nseed = 7\nclock = "host"\n')
    (tmp_path / 'bases/base.toml').write_text(
        'extends = "deep.toml"\n[fixed]\nclock = "instructions"\n[product]\nworkload = ["gups"]\n'
        'configuration = ["dd", "4k+4k"]\n[[exclude]]\nconfiguration = "dd"\n')
    text = 'extends = "bases/base.toml"\n[product]\nworkload = ["chase", "redis"]\n[[exclude]]\n' \
        'workload = "redis"\n'
    experiment = read(file(text), WORKLOADS)
    assert [(axes['workload'], axes['configuration'], axes['seed'], axes['clock'])
            for axes in experiment.combinations] == [
        ('chase', 'dd', 7, 'instructions'), ('chase', '4k+4k', 7, 'instructions')]
    assert experiment.title == 'deep'
    assert experiment.place('seed') == 'bases/deep.toml:3'
    assert experiment.place('workload') == 'exp.toml:3'
    assert experiment.place('configuration') == 'bases/base.toml:6'


@pytest.mark.parametrize('base, own', [
    ('[fixed]\nseed = 3\n', f'{GOOD}seed = [4, 5]\n'),
    ('[product]\nseed = [3, 6]\n', f'{GOOD}[[zip]]\nseed = [4, 5]\n'),
    ('[product]\nseed = [3, 6]\nworkload = ["redis"]\n', f'[fixed]\nseed = 4\n{GOOD}')])
def test_an_axis_takes_the_place_of_that_in_what_is_extended_wherever_it_was(file, base, own):
    file(base, 'base.toml')
    found = read(file(f'extends = "base.toml"\n{own}'), WORKLOADS).combinations
    assert {axes['seed'] for axes in found} in ({4, 5}, {4})
    assert {axes['workload'] for axes in found} == {'gups'}


def test_extending_in_a_circle_is_refused(file):
    file('extends = "exp.toml"\n', 'b.toml')
    assert refusal(read, file('\nextends = "b.toml"\n'), WORKLOADS) == \
        'b.toml:1: extends: exp.toml extends this file, too: leave one of these out'
    assert 'exp.toml:1: extends' in refusal(read, file('extends = "exp.toml"\n'), WORKLOADS)


BAD = [
    ('[product]\nworkload = ["gups"\n', 'exp.toml:3: is no TOML'),
    ('[fixed]\nseed = = 1\n', 'exp.toml:2: is no TOML'),
    (f'{GOOD}colour = ["red"]\n', 'exp.toml:4: product.colour: is no axis: use workload, '),
    (f'colour = 1\n{GOOD}', 'exp.toml:1: colour: is no key of an experiment'),
    ('[product]\nworkload = ["gups"]\nconfiguration = [\n"dd",\n"de",\n]\n',
     'exp.toml:5: product.configuration: "de" is no value of configuration: use native-4k, '),
    (f'[fixed]\nescapes = 65\n{GOOD}', 'exp.toml:2: fixed.escapes: 65 is no value of escapes: use '
     'a whole number from 0 to 64'),
    (f'[fixed]\nfilter-bits = 96\n{GOOD}', 'exp.toml:2: fixed.filter-bits: 96 is no value of '
     'filter-bits: use 64, 128, 256, 512, 1024'),
    (f'[fixed]\nfilter-bits = 64.0\n{GOOD}', 'exp.toml:2: fixed.filter-bits: 64.0 is no value'),
    (f'[fixed]\nseed = true\n{GOOD}', 'exp.toml:2: fixed.seed: true is no value'),
    (f'[fixed]\nseed = 1.0\n{GOOD}', 'exp.toml:2: fixed.seed: 1.0 is no value'),
    (f'[fixed]\nfragmentation = 1.01\n{GOOD}', 'exp.toml:2: fixed.fragmentation: 1.01 is no'),
    (f'[fixed]\ntlb = "haswell"\n{GOOD}', 'exp.toml:2: fixed.tlb: "haswell" is no value'),
    (f'[fixed]\nclock = "wall"\n{GOOD}', 'exp.toml:2: fixed.clock: "wall" is no value of clock: use '
     'instructions, host'),
    (f'[fixed]\nseed = [1]\n{GOOD}', 'exp.toml:2: fixed.seed: must be one value'),
    (f'{GOOD}seed = 1\n', 'exp.toml:4: product.seed: must be a list'),
    (f'{GOOD}seed = []\n', 'exp.toml:4: product.seed: must be a list'),
    (f'{GOOD}seed = [1, 2,\n1]\n', 'exp.toml:5: product.seed: has 1 twice'),
    (f'{GOOD}repeat = [1, 2]\n', 'exp.toml:4: product.repeat: say repeats = N under [fixed]'),
    (f'[fixed]\nrepeats = 0\n{GOOD}', 'exp.toml:2: fixed.repeats: must be a whole number from 1'),
    (f'{GOOD}repeats = [1]\n', 'exp.toml:4: product.repeats: is no axis'),
    (f'[fixed]\nworkload = "chase"\n{GOOD}', 'exp.toml:4: product.workload: workload has its values '
     'in fixed.workload (exp.toml:2) already: leave one of these out'),
    (f'{GOOD}[[zip]]\nseed = [1]\n[[zip]]\nseed = [2]\n',
     'exp.toml:7: zip.2.seed: seed has its values in zip.1.seed (exp.toml:5) already'),
    (f'{GOOD}[[zip]]\nseed = [1, 2]\nescapes = [0, 1, 2]\n',
     'exp.toml:4: zip.1: its lists must be of the same length, but they have seed 2, escapes 3'),
    (f'{GOOD}[[zip]]\nseed = [1, 2, 1]\nescapes = [0, 1, 0]\n', 'exp.toml:4: zip: has a row twice'),
    (f'zip = 1\n{GOOD}', 'exp.toml:1: zip: must be tables: [[zip]]'),
    ('product = 1\n[fixed]\nworkload = "gups"\nconfiguration = "dd"\n', 'exp.toml:1: product: must be a table: [product]'),
    (f'{GOOD}[[exclude]]\nworkload = "gusp"\n', 'exp.toml:5: exclude.1.workload: "gusp" is no value'),
    (f'{GOOD}[[exclude]]\ncolour = 1\n', 'exp.toml:5: exclude.1.colour: is no axis'),
    (f'{GOOD}[[exclude]]\n', 'exp.toml:4: exclude.1: needs an axis'),
    (f'{GOOD}[[exclude]]\nworkload = "gups"\n', 'exp.toml: has no point'),
    ('[product]\nworkload = ["gups"]\n', 'exp.toml: configuration: has no value: give it one in '),
    (f'extends = 3\n{GOOD}', 'exp.toml:1: extends: must be the name of a file'),
    (f'extends = "no.toml"\n{GOOD}', 'exp.toml:1: extends: there is no file no.toml'),
    (f'title = 3\n{GOOD}', 'exp.toml:1: title: must be a text'),
    (f'{GOOD}[claim]\ntext = "x"\n', 'exp.toml:4: claim: must be tables: [[claim]]'),
]


@pytest.mark.parametrize('text, told', BAD, ids=[told for _, told in BAD])
def test_what_is_wrong_is_named_by_file_line_and_key(file, text, told):
    found = refusal(read, file(text), WORKLOADS)
    assert found.startswith(told) and len(found.splitlines()) == 1, found


def test_all_that_is_wrong_is_named_at_once(file):
    found = refusal(read, file('[fixed]\nseed = -1\n[product]\nworkload = ["gusp", "cups"]\n'
                               'colour = [1]\n[[zip]]\nescapes = [99]\n'), WORKLOADS)
    assert [line.split(': ')[:2] for line in found.splitlines()] == [
        ['exp.toml:2', 'fixed.seed'], ['exp.toml:4', 'product.workload'],
        ['exp.toml:4', 'product.workload'], ['exp.toml:5', 'product.colour'],
        ['exp.toml:7', 'zip.1.escapes'], ['exp.toml', 'configuration']]


def test_points_of_what_is_right_are_known_where_only_values_are_wrong(file):
    text = '[product]\nworkload = ["gups", "gusp"]\nconfiguration = ["dd"]\n' \
        '[[zip]]\nseed = [1, 2, -3]\nescapes = [4, 99, 5]\n'
    experiment, problems = examine(file(text), WORKLOADS)
    assert [(axes['workload'], axes['seed'], axes['escapes']) for axes in experiment.combinations] \
        == [('gups', 1, 4)]
    assert len(problems) == 3
    for more in '[[exclude]]\nseed = -1\n', '[fixed]\ncolour = 1\n':
        assert examine(file(text + more), WORKLOADS)[0].combinations == []


def test_a_value_of_what_is_extended_is_named_where_it_is(file):
    file('[fixed]\nseed = -1\n', 'base.toml')
    assert refusal(read, file(f'extends = "base.toml"\n{GOOD}'), WORKLOADS).startswith(
        'base.toml:2: fixed.seed: -1 is no value')


@pytest.mark.parametrize('what, told', [('none.toml', 'there is no file none.toml'),
                                        ('.', 'is a folder; a file is needed')])
def test_a_file_that_is_none_is_named(file, what, told):
    file(GOOD)
    assert told in refusal(read, what, WORKLOADS)


def test_a_file_that_is_no_text_is_named(file, tmp_path):
    (tmp_path / 'exp.toml').write_bytes(b'\xff\xfe')
    assert refusal(read, 'exp.toml', WORKLOADS).startswith('exp.toml: is no text')


POSITIONS = '''\
top = 1  # a = 2
"quoted key" = "# no comment = 3"
a.b.c = [1, 2,
  # [table]
  { x = 1, "y z" = [ "]", '}' ] },
  3]
text = """
[no.table]
"""
other = \'\'\'
b = 1\'\'\'
[table."sub.table"]
x = 0.5
long = ["""
two lines""", 1]
[[zip]]
one = 1979-05-27 07:32:00
[[zip]]
  two = {p.q = 1}
[zip.inner]
three = "a\\"b"
'''


def paths_of(value, path=()):
    """All paths that tomllib knows."""
    parts = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from paths_of(part, (*path, key))


def test_each_key_is_on_the_line_where_it_is():
    lines = lines_of(POSITIONS)
    assert set(lines) == set(paths_of(tomllib.loads(POSITIONS))) | {('table', 'sub.table')}
    text = POSITIONS.splitlines()
    wanted = {('top',): 1, ('quoted key',): 2, ('a', 'b', 'c'): 3, ('a', 'b', 'c', 2): 5,
              ('a', 'b', 'c', 2, 'y z', 1): 5, ('a', 'b', 'c', 3): 6, ('text',): 7, ('other',): 10,
              ('table', 'sub.table', 'x'): 13, ('table', 'sub.table', 'long', 0): 14,
              ('table', 'sub.table', 'long', 1): 15, ('zip', 0): 16, ('zip', 0, 'one'): 17,
              ('zip', 1): 18, ('zip', 1, 'two', 'p', 'q'): 19, ('zip', 1, 'inner'): 20,
              ('zip', 1, 'inner', 'three'): 21}
    assert {path: lines[path] for path in wanted} == wanted
    for path in wanted:
        last = [part for part in path if isinstance(part, str)][-1]
        assert last in text[lines[path] - 1] or isinstance(path[-1], int)


def test_the_presets_of_tlbs_are_those_of_qemu():
    text = (ROOT / 'target-i386-ext/tlb/presets.c').read_text()
    assert tuple(re.findall(r'^\s*\.name = "(.*)"', text, re.M)) == PRESETS


def test_each_configuration_has_a_mode_of_the_same_world_and_segments():
    for configuration in CONFIGURATIONS.values():
        mode = MODES[configuration.mode]
        name = configuration.name.partition('+')
        assert (mode.world == 'native') == name[0].startswith('native-') == (configuration.host is None)
        assert mode.guest == (configuration.name in ('native-ds', 'dd') or name[2] == 'gd')
        assert mode.vmm == (configuration.name == 'dd' or name[2] == 'vd') == (
            configuration.host == 'segment')
        without = MODES[configuration.without_guest_segment.mode]
        assert (without.world, without.guest, without.vmm) == (mode.world, False, mode.vmm)


@pytest.mark.parametrize('word, value', [('seed=3', 3), ('escapes=x', None), ('tlb=a.json', 'a.json'),
                                         ('fragmentation=0', 0.0), ('configuration=4k+4k', '4k+4k'),
                                         ('tlb-mode=exact', 'exact'), ('seed=', None)])
def test_a_word_of_the_command_line_is_read_as_the_file_s_values_are(word, value):
    axis, _, text = word.partition('=')
    found = all_axes(WORKLOADS)[axis].parse(text)
    assert found == value and type(found) is type(value)


WORKLOAD = '''\
[gups]
about = "updates"
class = "big-memory"
command = "gups --bytes {bytes} --seed {seed}"
primary = "--primary"
[gups.smoke]
bytes = "16M"
updates = 10
memory = "32M"
seconds = 2
'''


def test_a_workload_is_what_its_table_says(file):
    found = workloads.read(file(WORKLOAD, 'w.toml'))['gups']
    assert found.sizes['smoke'] == workloads.Size('16M', 10, 32 << 20, 2)
    assert found.command_line('smoke', 5, False) == 'gups --bytes 16M --seed 5'
    assert found.command_line('smoke', 5, True) == 'gups --bytes 16M --seed 5 --primary'
    assert not found.programs
    found = workloads.read(file(WORKLOAD.replace('"--primary"', '"dseg-run"\nprograms = true'),
                                'w.toml'))['gups']
    assert found.programs
    assert found.command_line('smoke', 5, True) == 'dseg-run gups --bytes 16M --seed 5'


@pytest.mark.parametrize('old, new, told', [
    ('"updates"', '3', 'w.toml:2: gups.about: must be a text'),
    ('big-memory', 'big', 'w.toml:3: gups.class: must be big-memory or compute'),
    ('{seed}', '{sead}', 'w.toml:4: gups.command: must be a command line; in {} only bytes, updates'),
    ('{seed}', '{seed', 'w.toml:4: gups.command: must be'),
    ('"--primary"', '"yes"', 'w.toml:5: gups.primary: must be --primary or dseg-run'),
    ('"--primary"', '"--primary"\nprograms = 1', 'w.toml:6: gups.programs: must be true or false'),
    ('gups.smoke', 'gups.tiny', 'w.toml:6: gups.tiny: is no key of this table: use about, '),
    ('"16M"', '16', 'w.toml:7: gups.smoke.bytes: must be a size such as "512M"'),
    ('"16M"', '"0M"', 'w.toml:7: gups.smoke.bytes: must be a size'),
    ('= 10', '= 0', 'w.toml:8: gups.smoke.updates: must be a whole number from 1 on'),
    ('memory = "32M"\n', '', 'w.toml:6: gups.smoke: needs memory: a size'),
    ('seconds = 2', 'seconds = -1', 'w.toml:10: gups.smoke.seconds: must be a number above 0'),
    ('[gups]', 'gups = 1\n[other]', 'w.toml:1: gups: must be a table: [gups]'),
])
def test_what_is_wrong_with_a_workload_is_named_by_file_line_and_key(file, old, new, told):
    text = WORKLOAD.replace(old, new)
    if 'gups = 1' in new:
        text = new.splitlines()[0] + '\n'
    assert refusal(workloads.read, file(text, 'w.toml')).splitlines()[0].startswith(told)


def test_a_workload_without_a_size_is_refused(file):
    text = WORKLOAD[:WORKLOAD.index('[gups.smoke]')]
    assert refusal(workloads.read, file(text, 'w.toml')) == \
        'w.toml:1: gups: needs a size: [gups.smoke]'


@pytest.mark.parametrize('name', sorted(path.name for path in (ROOT / 'experiments').glob('*.toml')
                                        if path.name != 'workloads.toml'))
def test_each_experiment_that_ships_can_be_read_in_each_size(name):
    known = workloads.read()
    for size in None, 'smoke', 'small', 'paper':
        assert read(ROOT / 'experiments' / name, known, size).combinations


def test_the_paper_s_experiment_has_every_configuration_for_at_least_eight_workloads():
    found = read(ROOT / 'experiments/paper.toml', workloads.read()).combinations
    pairs = {(axes['workload'], axes['configuration']) for axes in found}
    names = {workload for workload, _ in pairs}
    assert len(names) >= 8 and pairs == set(itertools.product(names, CONFIGURATIONS))
