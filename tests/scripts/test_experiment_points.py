# SPDX-License-Identifier: GPL-2.0-or-later
"""Points of an experiment: what makes them others, what they take, and where their results are."""

import dataclasses
import json
import os
import re

import pytest

from dseg import Failure
from dseg.base.sizes import GiB, MiB
from dseg.experiments.sweep.status import text as status_text
from dseg.points import point as points
from dseg.points import store as stores
from dseg.points.combinations import read
from dseg.points.configurations import CONFIGURATIONS
from dseg.points.memory import MOST_L2, PROGRAMS, QEMU, memory_of
from dseg.points.plan import Plan
from dseg.points.point import Point, identity
from dseg.points.store import Store, described, refuse_others, to_json
from dseg.points.workloads import Size, Workload
from dseg.stack.layout import Layout
from sample_runs import EMPTY

SIZES = {'smoke': Size('16M', 10, 16 * MiB, 2), 'small': Size('2G', 10, 2 * GiB, 20),
         'paper': Size('4G', 10, 4 * GiB, 200)}
WORKLOADS = {
    'gups': Workload('gups', '', 'big-memory', 'gups --bytes {bytes} --seed {seed}', '--primary', SIZES),
    'chase': Workload('chase', '', 'big-memory', 'chase --rounds 1 --seed {seed}', '--primary',
                      SIZES),
    'zstd': Workload('zstd', '', 'compute', 'zstd --seed {seed}', None, {'smoke': SIZES['smoke']}),
    'redis': Workload('redis', '', 'big-memory', 'program redis', '--primary', SIZES, programs=True),
}
BUILT = {'qemu': 'q', 'kernel': 'k', 'ramdisk': 'r', 'programs': 'p'}
RECORD = {**EMPTY, 'seconds': 3.0}


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Makes the Plan of an experiment file of that text."""
    monkeypatch.chdir(tmp_path)

    def make(text, **options):
        (tmp_path / 'exp.toml').write_text(text)
        return Plan(read('exp.toml', WORKLOADS), WORKLOADS, BUILT, **options)
    return make


def experiment(configurations='"4k+4k", "dd", "native-4k"', more='', size='smoke', workloads='"gups"'):
    return f'[fixed]\nsize = "{size}"\n[product]\nworkload = [{workloads}]\n' \
        f'configuration = [{configurations}]\n{more}'


@pytest.fixture
def begin(plan, tmp_path):
    """Begins the results of an experiment in the folder results."""
    def begin_it(text=None, folder='results', **options):
        made = plan(text or experiment(), **options)
        return Store.begin(tmp_path / folder, described(made.experiment, made.points),
                           made.geometries)
    return begin_it


def refusal(function, *arguments, **options):
    with pytest.raises(Failure) as refused:
        function(*arguments, **options)
    return str(refused.value)


# Identity

def test_the_order_of_keys_makes_no_other_point():
    axes, inputs = {'workload': 'gups', 'seed': 1}, {'qemu': 'q', 'memory': {'l1': 1, 'l2': 2}}
    other = Point(dict(reversed(axes.items())),
                  {'memory': {'l2': 2, 'l1': 1}, 'qemu': 'q'})
    assert other.id == Point(axes, inputs).id
    assert len(other.id) == 16 and set(other.id) <= set('0123456789abcdef')


def test_each_axis_and_each_input_makes_another_point(plan):
    [point] = plan(experiment('"dd"')).points
    for key in point.axes:
        assert Point({**point.axes, key: 'other'}, point.inputs).id != point.id
    assert set(point.inputs) == {'schema', 'work', 'geometry', 'command', 'memory', 'programs',
                                 *points.BOOT}
    for key in point.inputs:
        assert Point(point.axes, {**point.inputs, key: 'other'}).id != point.id


@pytest.mark.parametrize('change', [
    lambda workload: dataclasses.replace(workload, command=f'{workload.command} --threads 1'),
    lambda workload: dataclasses.replace(workload, primary='dseg-run'),
    lambda workload: dataclasses.replace(workload, programs=True),
    lambda workload: dataclasses.replace(workload, sizes={
        'smoke': dataclasses.replace(SIZES['smoke'], bytes='32M')}),
    lambda workload: dataclasses.replace(workload, sizes={
        'smoke': dataclasses.replace(SIZES['smoke'], memory=32 * MiB)})],
    ids=['command', 'primary', 'programs', 'bytes', 'memory'])
def test_what_a_workload_is_makes_another_point(plan, change):
    [point] = plan(experiment('"dd"')).points
    assert points.make(point.axes, WORKLOADS['gups'], BUILT, None).id == point.id
    assert points.make(point.axes, change(WORKLOADS['gups']), BUILT, None).id != point.id


@pytest.mark.parametrize('about', ['about', 'kind'])
def test_what_is_said_of_a_workload_makes_no_other_point(plan, about):
    [point] = plan(experiment('"dd"')).points
    other = dataclasses.replace(WORKLOADS['gups'], **{about: 'other'})
    assert points.make(point.axes, other, BUILT, None).id == point.id


def test_the_content_of_a_geometry_makes_another_point_and_is_kept(plan, begin, tmp_path):
    text = experiment('"dd"', 'tlb = ["tiny.json"]\n')
    ids = []
    for content in '{"arrays": []}', '{"arrays": [1]}':
        (tmp_path / 'tiny.json').write_text(content)
        store = begin(text, folder=f'results{len(ids)}')
        [point] = store.points
        ids.append(point.id)
        (tmp_path / 'tiny.json').unlink()
        with open(store.tlb(point), encoding='ascii') as file:
            assert file.read() == content
    assert ids[0] != ids[1]
    [point] = begin().points[:1]
    assert begin().tlb(point) == 'sandybridge-ep'


def test_points_share_a_boot_unless_it_depends_on_what_differs(plan):
    found = plan(experiment('"dd", "4k+4k"', 'seed = [1, 2]\nescapes = [0]\nclock = ["host", '
                            '"instructions"]\n[[zip]]\ntlb-mode = ["exact", "inclusive"]\n'
                            'caches = [true, false]\n')).points
    assert len(found) == 16
    by_group = {}
    for point in found:
        by_group.setdefault(point.group, set()).add((point.axes['configuration'], point.axes['clock']))
    assert len(by_group) == 4 and all(len(same) == 1 for same in by_group.values())
    one = found[0]
    for name in points.BOOT:
        assert Point(one.axes, {**one.inputs, name: 'other'}).group != one.group
    assert Point(one.axes, {**one.inputs, 'memory': {'l1': 1, 'l2': 1}}).group != one.group
    assert Point({**one.axes, 'filter-bits': 64}, one.inputs).group != one.group
    for name in 'command', 'geometry', 'work':
        assert Point(one.axes, {**one.inputs, name: 'other'}).group == one.group


def test_only_points_that_need_the_disk_of_programs_depend_on_it_and_have_a_boot_with_it(plan,
                                                                                        monkeypatch):
    text = experiment('"dd"', workloads='"gups", "redis"')
    gups, redis = plan(text).points
    assert (gups.inputs['programs'], redis.inputs['programs']) == (None, 'p')
    assert gups.group != redis.group and redis.memory.host - gups.memory.host == PROGRAMS
    monkeypatch.setitem(BUILT, 'programs', 'other')
    changed = plan(text).points
    assert changed[0].id == gups.id
    assert changed[1].id != redis.id and changed[1].group != redis.group


# Memory

@pytest.mark.parametrize('name, l1, l2', [
    ('native-4k', 64 + 768, 0), ('native-1g', 4096, 0), ('4k+4k', 64 + 256 + 768, 64 + 256),
    ('2m+2m', 64 + 256 + 768, 64 + 256), ('4k+1g', 5120, 2048), ('1g+1g', 7168, 4096),
    ('dd', 64 + 256 + 768, 64 + 256), ('thp+thp', 640 + 768, 640)])
def test_pages_of_1_gib_are_whole_ones_and_not_where_a_kernel_boots(name, l1, l2):
    memory = memory_of(CONFIGURATIONS[name], 16 * MiB)
    assert (memory.l1 // MiB, memory.l2 // MiB) == (l1, l2)
    assert memory.host == memory.l1 + QEMU


def test_the_memory_of_each_configuration_is_one_that_the_stack_can_have():
    assert MOST_L2 == Layout.l2_low_end
    for configuration in CONFIGURATIONS.values():
        for work in (4096, 16 * MiB, 100 * MiB, GiB, 2 * GiB):
            memory = memory_of(configuration, work)
            Layout(memory.l1, memory.l2 or 256 * MiB, holes=False, l2_split=True)
            if configuration.vmm_segment:
                Layout(memory.l1, memory.l2, holes=False)


def test_what_has_to_be_contiguous_fits_into_one_piece_of_memory():
    # RAM of L1 is in two pieces, below 2 GiB and above 4 GiB; a kernel keeps some of either.
    for name, frames, kept in (('native-ds', 'work', 512), ('4k+vd', 'l2', 512), ('dd', 'l2', 512)):
        for work in (16 * MiB, 256 * MiB, 2 * GiB):
            memory = memory_of(CONFIGURATIONS[name], work)
            wanted = work if frames == 'work' else memory.l2
            low = min(memory.l1, Layout.low_end)
            assert max(low, memory.l1 - low) >= wanted + kept * MiB
    assert memory.l2 <= Layout.l2_low_end
    assert memory.l2 >= 2 * GiB + 512 * MiB, 'a region of 2 GiB between what a kernel keeps'


def test_a_vm_that_migrates_is_there_twice():
    alone, moving = (memory_of(CONFIGURATIONS['dd'], 16 * MiB, event=event)
                     for event in ('ksm', 'migration'))
    assert moving.l2 == alone.l2 == memory_of(CONFIGURATIONS['dd'], 16 * MiB).l2
    assert moving.l1 - alone.l1 == alone.l2


def test_an_event_has_many_rounds_about_it_and_a_boot_of_its_own(plan):
    found = plan(experiment('"dd"', 'event = ["none", "ksm", "balloon"]\n', workloads='"chase"'))
    plain, *others = found.points
    assert plain.inputs['command'] == 'chase --rounds 1 --seed 1 --primary'
    assert [point.inputs['command'] for point in others] == \
        ['chase --rounds 60 --seed 1 --primary'] * 2
    assert plain.group != others[0].group == others[1].group
    assert [found.seconds(point) for point in found.points] == [2, 120, 120]


# Plans

@pytest.mark.parametrize('text, told', [
    (experiment('"4k+4k"', 'escapes = [0,\n1]\n'), [
        'exp.toml:6: product.escapes: 1 with 4k+4k: pages escape from a VMM segment, which it has '
        'not; [[exclude]] it for configuration = "4k+4k"']),
    (experiment('"shadow-4k", "shadow-2m"', 'escapes = [2]\n'), [
        f'exp.toml:6: product.escapes: 2 with shadow-{size}: shadow page tables have no VMM segment '
        f'to escape from; [[exclude]] it for configuration = "shadow-{size}"'
        for size in ('4k', '2m')]),
    (experiment('"dd", "native-ds", "4k+vd"', workloads='"zstd"'), [
        f'exp.toml:4: product.workload: zstd with {name}: it can\'t have a primary region'
        for name in ('dd', 'native-ds')]),
    (experiment('"native-2m", "native-thp", "2m+gd"', '', workloads='"gups", "redis"'), [
        'exp.toml:4: product.workload: redis with native-2m: it is a program of Debian\'s, which asks '
        'for no pages of 2M; [[exclude]] it for configuration = "native-2m"']),
    (experiment('"1g+1g", "2m+vd", "shadow-2m"', '', workloads='"redis"'), [
        f'exp.toml:4: product.workload: redis with {name}: it is a program of Debian\'s, which asks '
        f'for no pages of {size}; [[exclude]] it for configuration = "{name}"'
        for name, size in (('1g+1g', '1G'), ('2m+vd', '2M'), ('shadow-2m', '2M'))]),
    (experiment('"4k+4k"', workloads='"gups", "zstd"', size='small'), [
        'exp.toml:4: product.workload: zstd has no size small, only smoke: add it to workloads.toml']),
    (experiment('"dd"', size='paper'), [
        'exp.toml:5: product.configuration: gups of size paper with dd needs 5.0G of memory in L2, of '
        'which a VMM segment can cover 3.0G: take a smaller size, or [[exclude]] it']),
    (experiment('"dd", "4k+vd"', 'filter-bits = [256, 64]\n'), [
        'exp.toml:6: product.filter-bits: 64 without escapes: an empty filter is the same, of '
        'whatever size; [[exclude]] it for escapes = 0']),
    (experiment('"4k+4k", "native-4k"', 'event = ["ksm"]\n', workloads='"chase"'), [
        f'exp.toml:6: product.event: ksm with {name}: it ends a VMM segment, which this has not; '
        for name in ('4k+4k', 'native-4k')]),
    (experiment('"dd"', 'event = ["swap"]\nescapes = [1]\nclock = ["host"]\n'), [
        'exp.toml:6: product.event: swap with escapes: the segment that is made after it has none',
        'exp.toml:6: product.event: swap with clock = "host": walks by time need a clock that counts',
        'exp.toml:4: product.workload: gups with event = "swap": it has no rounds']),
    (experiment('"dd"', 'fragments = ["movable"]\nremedy = ["compaction"]\n'), [
        'exp.toml:6: product.fragments: movable without fragmentation: there is nothing that it',
        'exp.toml:7: product.remedy: compaction without fragmentation: there is nothing that it']),
    (experiment('"dd", "native-ds", "4k+gd"', 'remedy = ["self-balloon"]\nfragmentation = [1]\n'), [
        f'exp.toml:6: product.remedy: self-balloon with {name}: it is of L2, and its balloon would'
        for name in ('dd', 'native-ds')]),
    (experiment('"dd"', 'tlb = ["sandybridge-ep", "bare.json", "cached.json"]\ncaches = [false,\n'
                'true]\n'), [
        'exp.toml:7: product.caches: true with bare.json: that file has no "caches", in which data']),
    (experiment('"dd"', 'tlb = ["none.json"]\n'), [
        'exp.toml:6: product.tlb: none.json can\'t be read: No such file']),
    (experiment('"dd"', 'tlb = ["exp.toml.json"]\n'), [
        'exp.toml:6: product.tlb: exp.toml.json is no geometry of a TLB: ']),
])
def test_what_can_not_work_is_named_by_file_line_and_key(plan, tmp_path, text, told):
    (tmp_path / 'exp.toml.json').write_text('[1]')
    (tmp_path / 'bare.json').write_text('{"arrays": [], "caches": 7}')
    (tmp_path / 'cached.json').write_text('{"arrays": [], "caches": {"l1d": {}}}')
    text = re.sub(r',\n(?=1]|true])', ', ', text)
    found = refusal(plan, text).splitlines()
    assert len(found) == len(told)
    for line, beginning in zip(found, told):
        assert line.startswith(beginning), line


def test_all_that_can_not_work_is_named_at_once_and_each_once(plan):
    found = refusal(plan, experiment('"4k+4k", "dd"', 'escapes = [3]\nseed = [1, 2, 3]\n'
                                     'tlb = ["none.json"]\n', workloads='"gups", "zstd"'))
    assert [line.split(': ')[1] for line in found.splitlines()] == [
        'product.tlb', 'product.escapes', 'product.workload']


def test_what_does_not_fit_this_machine_s_memory_is_refused(plan):
    text = experiment('"native-4k", "native-1g"')
    least = memory_of(CONFIGURATIONS['native-4k'], 16 * MiB).host
    found = refusal(plan, text, host_memory=least)
    assert found.startswith('exp.toml:5: product.configuration: gups of size smoke with native-1g, '
                            'whose pages of 1 GiB are whole ones, needs 4.5G of this machine')
    assert len(found.splitlines()) == 1
    most = memory_of(CONFIGURATIONS['native-1g'], 16 * MiB).host
    plan(text, host_memory=most)
    assert 'exp.toml: --jobs: 2 guests at a time need' in refusal(plan, text, host_memory=most, jobs=2)
    plan(text, host_memory=least + most, jobs=2)
    plan(text, host_memory=None, jobs=100)


def test_tasks_have_each_point_once_and_one_boot_each(plan):
    made = plan(experiment(more='seed = [1, 2, 3, 4, 5, 6, 7]\n'))
    for wanted in 1, 2, 5, 21, 100:
        tasks = made.tasks(made.points, wanted)
        assert sorted(point.id for task in tasks for point in task) == \
            sorted(point.id for point in made.points)
        assert all(len({point.group for point in task}) == 1 for task in tasks)
        assert len(tasks) == max(3, min(wanted, 21))
    assert not made.tasks([], 3)


def test_a_task_takes_no_longer_than_about_half_an_hour(plan):
    made = plan(experiment('"4k+4k"', f'seed = {list(range(1000))}\n'))
    assert made.seconds(made.points[0]) == 2
    tasks = made.tasks(made.points)
    assert [len(task) for task in tasks] == [500, 500]


def test_a_plan_estimates_from_what_has_been_measured(plan, begin):
    made = plan(experiment('"4k+4k", "native-4k"', 'seed = [1, 2, 3, 4]\n'))
    nested = [point for point in made.points if point.configuration.world == 'nested']
    assert {made.seconds(point) for point in nested} == {2}
    made.learn([(point, {'seconds': seconds}) for point, seconds in zip(nested, (10, 50, 20))]
               + [(nested[3], None)])
    assert {made.seconds(point) for point in nested} == {20}
    assert {made.seconds(point) for point in made.points if point not in nested} == {1}
    assert made.total_seconds(made.points) == 4 * 20 + 40 + 4 * 1 + 15


# Results

def test_a_record_is_read_as_it_was_written_and_the_same_for_any_order_of_keys(begin):
    store = begin()
    one, other, _ = store.points
    store.write_record(one, RECORD)
    assert store.record(one) == {**RECORD, 'schema': 1, 'id': one.id, 'axes': one.axes,
                                 'inputs': one.inputs, 'group': one.group}
    assert store.record(other) is None and store.is_done(one) and not store.is_done(other)
    file = store.place(one) / 'record.json'
    first = file.read_bytes()
    store.write_record(one, dict(reversed(RECORD.items())))
    assert file.read_bytes() == first


@pytest.mark.parametrize('data', ['wrong', None, ''])
def test_a_point_with_wrong_data_has_no_record(begin, data):
    store = begin()
    assert 'was' in refusal(store.write_record, store.points[0], {**RECORD, 'data': data})
    assert not store.is_done(store.points[0])


def test_an_error_is_gone_when_the_point_is_done_and_a_part_of_a_file_with_the_next(begin):
    store = begin()
    point = store.points[0]
    assert store.error(point) is None and store.error_stamp(point) is None
    store.write_error(point, 'why')
    stamp = store.error_stamp(point)
    store.write_error(point, 'why')
    assert store.error(point) == 'why\n' and store.error_stamp(point) != stamp
    (store.place(point) / '.record-12.json').write_text('{"sch')
    assert not store.is_done(point)
    store.write_record(point, RECORD)
    assert [path.name for path in store.place(point).iterdir()] == ['record.json']
    assert store.error(point) is None


@pytest.mark.parametrize('damage, told', [
    (lambda text: text[:-40], 'is damaged, it is no JSON'),
    (lambda text: '', 'is damaged, it is no JSON'),
    (lambda text: '[]', 'is damaged, it has no keys'),
    (lambda text: text.replace('"schema": 1', '"schema": 2'), 'has schema 2, and this version knows'),
    (lambda text: text.replace('"seed": 1', '"seed": 2'), 'is damaged, it is no record of point'),
    (lambda text: text.replace('"right"', '"wrong"'), 'is damaged, it is no record of point'),
    (lambda text: text.replace('"qemu": "q"', '"qemu": "z"'), 'is damaged, it is no record of'),
], ids=['short', 'empty', 'list', 'schema', 'axes', 'data', 'inputs'])
def test_a_damaged_record_is_named_and_never_taken_for_done(begin, damage, told):
    store = begin()
    point = store.points[0]
    store.write_record(point, RECORD)
    file = store.place(point) / 'record.json'
    # The schema of the record, which is the last one in the file.
    head, _, tail = file.read_text().rpartition('"schema": 1')
    changed = damage(file.read_text())
    if told.startswith('has schema'):
        changed = f'{head}"schema": 2{tail}'
    file.write_text(changed)
    for function in (lambda: store.record(point), store.records, lambda: status_text(store)):
        found = refusal(function)
        assert found.startswith(f'{file} {told}'), found
        assert 'remove it, and scripts/experiment run measures that point again' in found


def test_a_folder_can_be_gone_on_with_and_its_claims_may_change(begin):
    store = begin()
    store.write_record(store.points[0], RECORD)
    again = begin(experiment(more='[[claim]]\ntext = "x"\nbelow = 1\n'))
    assert again.record(again.points[0]) == store.record(store.points[0])
    assert again.experiment['file']['claim'] == [{'text': 'x', 'below': 1}]
    assert again.experiment['where']['claim.0.below'] == 'exp.toml:8'


def test_a_folder_of_another_file_is_refused_and_left_alone(begin, tmp_path):
    begin()
    before = (tmp_path / 'results/experiment.json').read_bytes()
    found = refusal(begin, experiment(more='seed = [1, 2]\n'))
    assert 'results has results of other points (3, of ' in found and '--folder' in found
    assert (tmp_path / 'results/experiment.json').read_bytes() == before


def test_a_folder_of_another_qemu_is_refused_with_the_reason(begin, monkeypatch):
    begin()
    monkeypatch.setitem(BUILT, 'qemu', 'other')
    assert 'has results of the same points with another qemu: name' in refusal(begin)


def early_refusal(made, folder):
    """What is said of a folder before anything is built; '' if nothing is."""
    bare = [Point(point.axes, {**point.inputs, **dict.fromkeys(BUILT)}) for point in made.points]
    try:
        refuse_others(folder, described(made.experiment, bare), is_built=False)
    except Failure as failure:
        return str(failure)
    return ''


def test_before_anything_is_built_a_folder_is_refused_for_what_no_build_changes(
        begin, plan, tmp_path, monkeypatch):
    folder = begin().folder
    assert early_refusal(plan(experiment(more='seed = [1]\n')), folder) == ''
    assert early_refusal(plan(experiment()), tmp_path / 'none') == ''
    assert 'has results of other points (3, of ' in early_refusal(
        plan(experiment(more='seed = [2]\n')), folder)
    monkeypatch.setitem(WORKLOADS, 'gups', dataclasses.replace(WORKLOADS['gups'], command='gups -x'))
    assert 'has results of the same points with another command: name' in early_refusal(
        plan(experiment()), folder)
    (tmp_path / 'thesis').mkdir()
    (tmp_path / 'thesis/thesis.tex').touch()
    assert 'has files, but no' in early_refusal(plan(experiment()), tmp_path / 'thesis')


def test_a_beginning_that_was_killed_is_no_other_s_folder(begin, tmp_path):
    (tmp_path / 'results').mkdir()
    for name in 'lock', '.experiment-12.json':
        (tmp_path / 'results' / name).touch()
    assert len(begin().points) == 3


def test_a_beginning_that_is_killed_among_geometries_can_be_gone_on_with(begin, tmp_path, monkeypatch):
    for name in 'one', 'two':
        (tmp_path / f'{name}.json').write_text(f'{{"{name}": []}}')
    text = experiment('"dd"', 'tlb = ["one.json", "two.json"]\n')

    def killed(file, text, write=stores.write_text):
        write(file, text)
        if len(list(tmp_path.glob('results/geometries/*'))) == 1:
            raise KeyboardInterrupt
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(stores, 'write_text', killed)
        begin(text)
    assert all(os.path.exists(begin(text).tlb(point)) for point in begin(text).points)


def test_a_folder_of_something_else_is_refused(begin, tmp_path):
    (tmp_path / 'results').mkdir()
    (tmp_path / 'results/thesis.tex').touch()
    assert 'has files, but no experiment.json' in refusal(begin)
    assert [path.name for path in (tmp_path / 'results').iterdir()] == ['thesis.tex']


@pytest.mark.parametrize('damage, told', [
    (lambda text: text[:-9], 'it is no JSON'), (lambda text: '{"schema": 3}', 'has schema 3'),
    (lambda text: '{"schema": 1}', 'title: this key is missing; so the file is damaged'),
    (lambda text: text.replace('"title": "exp"', '"title": 3'), 'title: must be a text, not 3; so'),
    (lambda text: text.replace('"dd"', '"de"'), 'points[1].axes.configuration: must be one of nat'),
    (lambda text: text.replace('"tlb": "sandy', '"t": "sandy'), 'points[0].axes.tlb: this key is'),
    (lambda text: text.replace('"qemu": "q"', '"qemu": "z"', 1), 'the hash of point')])
def test_a_damaged_experiment_is_named(begin, tmp_path, damage, told):
    store = begin()
    file = tmp_path / 'results/experiment.json'
    file.write_text(damage(file.read_text()))
    found = refusal(Store, store.folder)
    assert found.startswith(str(file)) and told in found and 'remove the folder' in found


def test_a_folder_without_results_is_named(tmp_path):
    assert 'has no results' in refusal(Store, tmp_path)


def test_the_status_has_each_state_and_why_a_point_has_failed(begin):
    store = begin(experiment(more='seed = [1, 2]\n'))
    store.write_record(store.points[0], RECORD)
    store.write_record(store.points[1], RECORD)
    store.write_error(store.points[2], 'one\ntwo\nthree\nfour\nfive\nL2 did not boot')
    found = status_text(store)
    assert '6 points: 2 done, 1 failed, 3 to do\n' in found
    rows = dict(line.split('  ', 1) for line in found.splitlines()
                if '  ' in line and line[0] != ' ')
    assert {name: row.strip() for name, row in rows.items()} == {
        '4k+4k': '2 done', 'dd': '1 failed, 1 to do', 'native-4k': '2 to do'}
    assert 'L2 did not boot' in found and '  one' not in found
    assert str(store.place(store.points[2]) / 'error.txt') in found


def test_json_is_the_same_for_what_is_the_same():
    assert to_json({'b': 1, 'a': {'d': 2, 'c': 3}}) == to_json({'a': {'c': 3, 'd': 2}, 'b': 1})
    assert json.loads(to_json({'a': 'é'})) == {'a': 'é'}
    assert identity([1, 2]) != identity([2, 1])
