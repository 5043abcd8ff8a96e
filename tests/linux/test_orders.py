# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that is stopped whenever something comes from outside does the same each time."""

import pytest

from dseg.stack.orders import Exact
from dseg.stack.stack import CommandError, StackError

OPTIONS = {'l1_memory': '1G', 'l2_memory': '256M', 'holes': False,
           'cpu_extra': 'dseg=on,dseg-tlb=sandybridge-ep'}
GUPS = 'gups --bytes 8M --updates 20000 --rounds 1'


def markers(stack):
    """All that they have kept, by label: counters of walks, of the TLB, and instructions."""
    return {marker['label']: marker for marker in stack.qmp('query-x86-dseg-markers')}


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """The state of a machine whose L2 waits for its first order."""
    file = tmp_path_factory.mktemp('state') / 'state'
    with Exact(**OPTIONS) as stack:
        stack.boot_l1()
        stack.boot_l2()
        stack.save(file)
    return file


def run_saved(file, command, **options):
    with Exact(state=file, **{**OPTIONS, **options}) as stack:
        stack.launch()
        return stack.run('l2', command), markers(stack)


def test_two_boots_are_the_same_to_the_last_instruction():
    def boot():
        with Exact(**OPTIONS) as stack:
            stack.boot_l1()
            return stack.run('l1', GUPS), markers(stack)
    first, second = boot(), boot()
    assert first == second
    assert {0x104, 0x105, 0x106, 0x107, 0x210} <= set(first[1])
    assert first[1][0x105]['instructions'] - first[1][0x104]['instructions'] > 20000


def test_nested_guest_goes_on_from_a_saved_state_in_the_same_way(saved):
    first, second = run_saved(saved, GUPS), run_saved(saved, GUPS)
    assert first == second
    assert 'checksum' in first[0]
    assert any(exit['name'] == 'npf' for exit in first[1][0x107]['walks']['exits'])


def test_saved_state_goes_on_with_a_tlb_of_another_geometry(saved):
    (_, small), (_, same) = (run_saved(saved, GUPS, cpu_extra=f'dseg=on,dseg-tlb={name}')
                             for name in ('sandybridge-ep', 'genoa'))
    counts = [markers[0x105]['walks']['total']['walks'] - markers[0x104]['walks']['total']['walks']
              for markers in (small, same)]
    assert counts[1] < counts[0]            # the larger second level has all of the table


def test_order_that_fails_says_so_and_the_next_one_runs(saved):
    with Exact(state=saved, **OPTIONS) as stack:
        stack.launch()
        with pytest.raises(CommandError) as error:
            stack.run('l2', 'echo what is wrong; exit 3')
        assert error.value.code == 3 and 'what is wrong' in error.value.output
        assert stack.run('l1', 'hostname').strip() == 'l1'
        assert stack.run('l2', 'hostname; echo ' + 'x' * 1000).strip().endswith('x' * 1000)


def test_run_stops_at_each_marker_asked_for_and_the_other_guest_obeys_meanwhile(saved):
    def through():
        said, passed = [], []

        def obey(marker):
            passed.append((marker['label'], marker['instructions']))
            if marker['label'] == 0x109:        # the updates of round 2 have ended
                said.append(stack.run('l1', 'echo while l2 works', at=(labels, passed.append)))
        with Exact(state=saved, **OPTIONS) as stack:
            stack.launch()
            said.append(stack.run('l2', f'{GUPS} --rounds 3', at=(labels, obey)))
        return said, passed
    labels = (0x105, 0x109, 0x10d)
    said, passed = through()
    assert 'while l2 works' in said[0] and said[1].count('ok errors 0') == 3
    assert [label for label, _ in passed] == list(labels)
    assert (said, passed) == through()


def test_command_of_one_guest_that_ends_while_the_other_has_one_is_an_error(saved):
    with Exact(state=saved, **OPTIONS) as stack:
        stack.launch()
        with pytest.raises(StackError, match='that of the other guest has ended'):
            stack.run('l2', GUPS, at=((0x105,), lambda marker: stack.run(
                'l1', 'sleep 60', at=((0x109,), None))))
