# SPDX-License-Identifier: GPL-2.0-or-later
"""A run with an event in its middle: which rounds count for what, and what is no right run."""

from types import SimpleNamespace

import pytest

from dseg.experiments.counted import updates_of
from dseg.experiments.sweep import timeline
from dseg.experiments.sweep.timeline import ENDS, Timeline
from dseg.points.configurations import CONFIGURATIONS
from dseg.reports import counts
from dseg.stack.console import StackError

ROUND = 1000            # instructions of the updates of a round, and as many to the next
L1_TURN = 0x210
KINDS = ('load', 'store', 'fetch')


def snapshot(label, instructions, walks):
    """A marker as QEMU shows it; walks: by regime, of user programs."""
    return {'label': label, 'instructions': instructions, 'walks': {
        'regimes': [{'regime': regime, 'access': 'load', 'privilege': privilege, 'walks': count}
                    for regime, count in walks.items() for privilege in ('user', 'kernel')],
        'refs-histogram': [], 'checks-histogram': [], 'steps': [], 'pages': [], 'exits': [],
        'faults': {}}, 'tlb': {'hits': [], 'misses': [], **{
            name: dict.fromkeys(KINDS, 0)
            for name in ('walks', 'segment-hits', 'segment-hits-l1')}}}


class Machine:
    """Stands in for a stack: rounds of 1000 instructions with 7 walks of one regime each."""

    def __init__(self, said='1', **during):
        """said: what each order prints; during: rounds that end while L1 obeys it"""
        self.now, self.walks, self.seen = 5000, {}, {}
        self.number, self.regime, self.orders = 0, 'vmm-direct', []
        self._said, self._during = said, during

    def mark(self, label):
        self.now += ROUND
        self.seen[label] = snapshot(label, self.now, dict(self.walks))

    def markers(self):
        return self.seen

    def end_round(self, at):
        """One more round, and what is called behind it."""
        self.number += 1
        begin, end = updates_of(self.number)[0]
        self.mark(begin)
        self.walks[self.regime] = self.walks.get(self.regime, 0) + 7
        self.mark(end)
        labels, action = at
        assert end in labels
        action(self.seen[end])

    def run(self, guest, order, timeout, at):
        assert guest == 'l1'
        self.orders.append(order)
        self.regime = {'lose': 'base', 'restore': 'vmm-direct'}[order]
        for _ in range(self._during.get(order, 0)):
            self.end_round(at)
        self.mark(L1_TURN)
        return f'something else\n{self._said}\n'


@pytest.fixture(autouse=True)
def event(monkeypatch):
    """What happens is what Machine does."""
    monkeypatch.setattr(timeline, 'give_way', lambda stack: None)
    monkeypatch.setitem(timeline.EVENTS, 'test', lambda guests: SimpleNamespace(
        lose=lambda: [('it has lost {} pages', 'lose')], restore=lambda: [('undone', 'restore')]))


def run(machine, rounds=9):
    found = Timeline(SimpleNamespace(stack=machine), 'test', rounds)
    while machine.number < rounds:
        machine.end_round(found.at)
    return found


def said(numbers, outcome='ok errors 0'):
    return ''.join(f'gups: round {number} updates 9 checksum abc {outcome}\n' for number in numbers)


def test_labels_are_those_of_the_workloads():
    """linux/workloads/common.h: FIRST_LABEL + 4 * (round % 4) + phase."""
    assert [updates_of(number)[0] for number in (1, 2, 3, 4, 5)] == [
        (0x104, 0x105), (0x108, 0x109), (0x10c, 0x10d), (0x100, 0x101), (0x104, 0x105)]
    assert set(ENDS) == {0x101, 0x105, 0x109, 0x10d}


def test_the_event_comes_after_a_third_of_the_rounds_and_is_undone_after_two():
    machine = Machine(said='512')
    found = run(machine).as_record()
    assert machine.orders == ['lose', 'restore']
    assert [sample['phase'] for sample in found['samples']] == \
        ['before'] * 3 + ['between'] * 3 + ['after'] * 3
    assert [sample['walks'] for sample in found['samples']] == \
        [{'vmm-direct': 7}] * 3 + [{'base': 7}] * 3 + [{'vmm-direct': 7}] * 3
    assert [event['text'] for event in found['events']] == ['it has lost 512 pages', 'undone']


def test_times_are_those_of_the_guests_clock_from_the_first_updates_on():
    found = run(Machine()).as_record()
    microseconds = [(sample['from'] * 1e6, sample['at'] * 1e6) for sample in found['samples']]
    assert microseconds[:4] == [pytest.approx(pair) for pair in ((0, 2), (4, 6), (8, 10), (14, 16))]
    lost, undone = ((event['at'] * 1e6, event['until'] * 1e6) for event in found['events'])
    assert lost == pytest.approx((10, 12)) and undone == pytest.approx((24, 26))


def test_rounds_that_end_while_it_happens_are_of_no_phase():
    found = run(Machine(lose=2, restore=2)).as_record()
    assert [sample['phase'] for sample in found['samples']] == \
        ['before'] * 3 + ['during'] * 2 + ['between'] + ['during'] * 2 + ['after']


def test_an_event_that_lasts_until_it_is_to_be_undone_is_undone_when_it_has_been_seen():
    """For a twelfth of the rounds."""
    found = run(Machine(lose=9), 24).as_record()
    assert [sample['phase'] for sample in found['samples']] == \
        ['before'] * 8 + ['during'] * 9 + ['between'] * 2 + ['after'] * 5
    assert [event['text'] for event in found['events']] == ['it has lost 1 pages', 'undone']


def test_an_event_of_which_nothing_has_come_is_an_error():
    for nothing in '0', '':
        with pytest.raises(StackError, match='nothing has come of it that it has lost some pages'):
            machine = Machine(said=nothing)
            machine.run = lambda *arguments, **more: nothing
            run(machine)


def test_all_rounds_must_be_there_and_right():
    found = run(Machine())
    assert found.check(said(range(1, 10))) == (True, 'abc')
    assert found.check(said(range(1, 9)) + said([9], 'BAD errors 3')) == (False, 'abc')
    with pytest.raises(StackError, match='8 rounds of 9'):
        found.check(said(range(1, 9)))


def test_a_program_that_ends_before_the_segment_is_restored_is_an_error():
    machine = Machine()
    found = Timeline(SimpleNamespace(stack=machine), 'test', 9)
    found.samples, found.parts = [{}] * 9, []
    with pytest.raises(StackError, match='before the segment was restored: nothing came last'):
        found.check(said(range(1, 10)))


def test_a_round_that_was_missed_is_an_error():
    machine = Machine()
    found = Timeline(SimpleNamespace(stack=machine), 'test', 9)
    machine.end_round(found.at)
    machine.number += 1
    with pytest.raises(StackError, match='round 2 has not ended with marker 0x109, but with 0x10d'):
        machine.end_round(found.at)


def test_pages_that_a_step_is_about_are_a_number_of_the_record():
    lost, undone = run(Machine(said='512')).as_record()['events']
    assert lost['pages'] == 512 and 'pages' not in undone


def test_the_share_that_ksm_merges_is_of_the_memory_of_l2():
    record = {'axes': {'event': 'ksm'}, 'inputs': {'memory': {'l1': 9, 'l2': 1 << 20}},
              'timeline': {'events': [{'pages': 64}, {'text': 'undone'}]}}
    assert counts.merged_share(record) == 0.25
    assert counts.merged_share({**record, 'axes': {'event': 'swap'}}) is None


def test_shares_of_segments_are_of_the_phase_and_of_the_mode():
    record = {'timeline': {'samples': [
        {'phase': 'before', 'walks': {'vmm-direct': 6, 'mixed': 2}},
        {'phase': 'before', 'walks': {'vmm-direct': 2}},
        {'phase': 'during', 'walks': {'base': 100}},
        {'phase': 'after', 'walks': {'base': 3, 'vmm-direct': 1}}], 'events': []}}
    configuration = CONFIGURATIONS['4k+vd']
    assert counts.segment_share(record, configuration, 'before') == 0.8
    assert counts.segment_share(record, configuration, 'between') is None
    assert counts.segment_share(record, configuration, 'after') == 0.25
    assert counts.segment_share(record, CONFIGURATIONS['dd'], 'before') == 0
    assert counts.segment_share({}, configuration, 'before') is None
