# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/experiment with real guests: experiments/smoke.toml, and what makes its numbers trusted."""

import csv
import json
import subprocess
import sys

import pytest

from dseg import ROOT, patient

EXPERIMENT = ROOT / 'experiments/smoke.toml'
SECONDS = 1500
# A server in a primary region, and its load.
PROGRAMS = '''\
[fixed]
size = "smoke"
[product]
workload = ["redis"]
configuration = ["dd"]
'''
CHECKSUM = '183ddd289630d112'       # of its values, with seed 1


def experiment(*words):
    """scripts/experiment, without what makes QEMU and the guests first."""
    return subprocess.run([sys.executable, '-m', 'dseg.experiments.sweep.commands', *map(str, words)],
                          cwd=ROOT, check=False, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=patient(SECONDS))


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    """The folder of a run of all of it."""
    folder = tmp_path_factory.mktemp('experiment') / 'results'
    done = experiment('run', EXPERIMENT, '--folder', folder)
    assert done.returncode == 0, done.stdout
    return folder


def records(folder):
    return {(record['axes']['workload'], record['axes']['configuration']): record
            for record in (json.loads(file.read_bytes())
                           for file in folder.glob('points/*/record.json'))}


def test_each_configuration_is_measured_and_every_claim_is_met(results, tmp_path):
    done = experiment('report', results, '--csv', tmp_path / 'all.csv', '--html', tmp_path / 'all.html')
    assert done.returncode == 0, done.stdout
    assert '18 of 18 points are measured' in done.stdout and 'not met' not in done.stdout
    with open(tmp_path / 'all.csv', encoding='utf-8', newline='') as file:
        assert len(list(csv.DictReader(file))) == 18
    assert (tmp_path / 'all.html').stat().st_size > 100000


def test_points_measured_again_after_another_boot_are_the_same_to_the_last_count(results, tmp_path):
    chosen = [f'--only=configuration={name}' for name in ('dd', 'native-4k')]
    done = experiment('run', EXPERIMENT, '--folder', tmp_path / 'again', *chosen)
    assert done.returncode == 0, done.stdout
    before, again = records(results), records(tmp_path / 'again')
    assert len(again) == 4
    for key, record in again.items():
        assert {**record, 'seconds': 0} == {**before[key], 'seconds': 0}


def test_a_server_of_debian_s_and_its_load_are_the_same_to_the_last_count_after_another_boot(tmp_path):
    file = tmp_path / 'programs.toml'
    file.write_text(PROGRAMS)
    found = []
    for folder in 'one', 'again':
        done = experiment('run', file, '--folder', tmp_path / folder)
        assert done.returncode == 0, done.stdout
        found.append(records(tmp_path / folder)['redis', 'dd'])
    first, again = found
    assert {**again, 'seconds': 0} == {**first, 'seconds': 0}
    assert first['checksum'] == CHECKSUM
    walks = [row for row in first['walks'] if row['privilege'] == 'user']
    direct = sum(row['walks'] for row in walks if row['regime'] == 'dual-direct')
    assert direct > sum(row['walks'] for row in walks) / 4


def test_what_shadow_paging_costs_is_in_its_exits_and_not_in_its_walks(results):
    found = records(results)
    shadow, native = (found['gups', name] for name in ('shadow-4k', 'native-4k'))

    def references(record):
        rows = [row for row in record['walks'] if row['privilege'] == 'user']
        return sum(row['guest-refs'] for row in rows) / sum(row['walks'] for row in rows)
    assert references(shadow) == references(native) == 4
    assert any(exit['name'] == 'exception-14' for exit in shadow['exits'])
    assert not any(row['regime'] == 'base' for row in shadow['walks'])


DUAL = '[fixed]\nsize = "smoke"\nworkload = "gups"\nconfiguration = "dd"\n'
ARRAYS = '{"level": "l1d", "pages": ["4k"], "entries": 64, "ways": 4}, ' \
    '{"level": "l1i", "pages": ["4k"], "entries": 64, "ways": 4}'
CACHES = '"caches": {"l1d": {"size": 32768, "ways": 8, "latency": 4}, "memory": 200}'


@pytest.mark.parametrize('text, told', [
    (f'{{"arrays": [{ARRAYS}], {CACHES}}}', None),
    (f'{{"arrays": [{ARRAYS}]}}'.replace('"ways": 4', '"ways": 5', 1),
     'arrays[0].ways: must divide entries (64)'),
    (f'{{"arrays": [{ARRAYS}]}}'.replace('l1i', 'l3'), "'level' does not accept value 'l3'"),
    (f'{{"arrays": [{ARRAYS}], "arays": []}}', "'arays' is unexpected"),
    (f'{{"arrays": [{ARRAYS}], {CACHES}}}'.replace('8,', '65,'), 'caches.l1d.ways: must be 1 to 64'),
], ids=['good', 'ways', 'level', 'key', 'caches'])
def test_a_plan_refuses_a_geometry_by_the_rules_of_qemu(tmp_path, text, told):
    (tmp_path / 'mine.json').write_text(text)
    file = tmp_path / 'mine.toml'
    file.write_text(f'{DUAL}tlb = "mine.json"\n')
    done = experiment('plan', file)
    assert done.returncode == (0 if told is None else 1), done.stdout
    if told:
        assert done.stdout.startswith(f'experiment: {file}:5: fixed.tlb: {tmp_path}/mine.json: ')
        assert told in done.stdout and len(done.stdout.splitlines()) == 1



@pytest.fixture
def measured(tmp_path):
    """Runs an experiment of that text; returns its records in order."""
    def run(text):
        (tmp_path / 'experiment.toml').write_text(text)
        done = experiment('run', tmp_path / 'experiment.toml', '--folder', tmp_path / 'results')
        assert done.returncode == 0, done.stdout
        points = json.loads((tmp_path / 'results/experiment.json').read_bytes())['points']
        return [json.loads((tmp_path / f'results/points/{point["id"]}/record.json').read_bytes())
                for point in points]
    return run


def program(record, regimes=('dual-direct', 'vmm-direct', 'mixed', 'guest-direct', 'base')):
    """The program's walks by these regimes, and their references."""
    rows = [row for row in record['walks'] if row['privilege'] == 'user'
            and row['regime'] in regimes]
    return tuple(sum(row[name] for row in rows) for name in ('walks', 'guest-refs', 'nested-refs'))


def test_region_that_finds_no_room_is_measured_without_and_walk_caches_save_references(measured):
    """Once with all memory in fragments that can't be moved, once more with walk caches, too."""
    geometry = json.dumps(str(ROOT / 'experiments/geometries/walk-caches.json'))
    plain, cached, movable = measured(
        f'{DUAL}fragmentation = 1.0\n[[zip]]\nfragments = ["pinned", "pinned", "movable"]\n'
        f'tlb = ["sandybridge-ep", {geometry}, "sandybridge-ep"]\n')
    assert 'no region of 16777216 bytes' in plain['no-region']
    walks, guest, nested = program(plain)
    assert program(plain, ['vmm-direct'])[0] == walks > 10000 and (guest, nested) == (4 * walks, 0)
    assert program(cached)[0] == walks and program(cached)[1] < 2 * walks
    assert 0 < cached['tlb']['walk-caches']['guest-hits'] <= \
        cached['tlb']['walk-caches']['guest-lookups']
    assert 'no-region' not in movable
    assert program(movable, ['dual-direct'])[0] > 0.99 * program(movable)[0]


def test_vmm_segment_is_lost_in_the_middle_of_a_run_and_restored(measured):
    record, = measured(f'{DUAL}event = "swap"\n')
    samples, events = record['timeline']['samples'], record['timeline']['events']
    assert [event['text'] for event in events][::3] == [
        'the VMM gives up the segment', 'the VM gets a new segment']
    assert len(samples) == 60 and record['data'] == 'right'

    def share(phase, regime):
        walks = [sample['walks'] for sample in samples if sample['phase'] == phase]
        return sum(found.get(regime, 0) for found in walks) / sum(
            sum(found.values()) for found in walks)
    assert share('before', 'dual-direct') > 0.99 and share('after', 'dual-direct') > 0.99
    assert share('between', 'guest-direct') > 0.99 and share('between', 'dual-direct') == 0
    times = [sample['at'] for sample in samples]
    assert times == sorted(times) and times[19] == events[0]['at'] < events[-1]['until'] < times[-1]


CACHED = '''\
[fixed]
size = "smoke"
workload = "gups"
configuration = "native-4k"
caches = true
tlb-mode = "exact"
[[figure]]
kind = "steps"
title = "Steps"
'''


def test_with_modelled_caches_steps_have_places_and_the_overhead_is_measured(measured, tmp_path):
    """Of 16 MiB the leaf entries are 32 KiB, as large as L1, which they share with data."""
    record, = measured(CACHED)
    leaves = {step['place']: step['count'] for step in record['caches']['steps']
              if (step['world'], step['privilege'], step['table-level']) == ('native', 'user', 1)}
    assert sum(leaves.values()) == program(record, ['native'])[0] > 100000
    assert leaves['l1'] > 0.2 * sum(leaves.values()) and leaves['l2'] > 0.2 * sum(leaves.values())
    done = experiment('report', tmp_path / 'results', '--costs', 'measured', '--csv',
                      tmp_path / 'all.csv', '--svg', tmp_path / 'svg')
    assert done.returncode == 0, done.stdout
    with open(tmp_path / 'all.csv', encoding='utf-8', newline='') as file:
        row, = csv.DictReader(file)
    assert 0 < float(row['overhead-measured']) < float(row['overhead-direct'])
    assert row['overhead'] == row['overhead-measured']
    assert (tmp_path / 'svg/1-steps.svg').stat().st_size > 5000
