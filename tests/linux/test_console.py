# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands in a guest's shell: what has failed is said at once, whatever the command does."""

import pytest

from dseg.stack.stack import CommandError


@pytest.mark.parametrize('command, code', [
    ('false', 1), ('echo before; exit 3', 3), ('until false; do kill -0 99999 || exit; done', 1)])
def test_command_that_fails_or_exits_is_an_error_at_once_and_the_next_one_runs(stack, command, code):
    with pytest.raises(CommandError) as error:
        stack.l1.run(command, timeout=30)
    assert error.value.code == code
    assert stack.l1.run('echo $((1 + 1))') == '2\n'


def test_command_that_exits_well_has_its_output(stack):
    assert stack.l1.run('echo before; exit 0').startswith('before\n')
    assert stack.l1.run('echo after') == 'after\n'


def test_interrupted_command_leaves_no_mark_behind(stack):
    stack.l1.start('while :; do echo again; sleep 1; done')
    stack.l1.expect('again')
    stack.l1.interrupt()
    assert stack.l1.run('echo after') == 'after\n'
