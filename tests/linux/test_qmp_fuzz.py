# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP commands with any arguments at all: QEMU answers, names what is wrong, and stays as it was.

The commands and their arguments are those that QEMU itself lists (query-qmp-schema), so a new one
is tried without a line here. DSEG_TEST_SEED asks for other arguments, DSEG_TEST_EFFORT for more.
"""

import os
import random
from collections import Counter

import pytest

from dseg.base.sizes import GiB, MiB

COMMANDS = 5000     # that are tried, of all kinds together
PAGE = 4096
SANE = (0, PAGE, 2 * PAGE, MiB, 2 * MiB, 64 * MiB, 128 * MiB)
WRONG = (None, True, 'no number', '', [], [1], {}, {'a': 1}, 1.5, -0.5, 1e300,
         'guest', 'x' * 10000)


class Schema:
    """What the x86-dseg module of a running QEMU takes."""

    def __init__(self, entries):
        self._types = {entry['name']: entry for entry in entries}
        self.commands = {
            entry['name']: self._types[entry['arg-type']]['members']
            for entry in entries
            if entry['meta-type'] == 'command' and 'x86-dseg' in entry['name']}

    def is_list(self, member):
        """Whether an argument is an array."""
        return self._types[member['type']]['meta-type'] == 'array'

    def values(self, member):
        """The values of an argument that has few, or None."""
        kind = self._types[member['type']]
        if kind['meta-type'] == 'enum':
            return [value['name'] for value in kind['members']]
        return [False, True] if kind.get('json-type') == 'boolean' else None


class Fuzzer:
    """Makes up arguments."""

    def __init__(self, schema, seed):
        self.schema = schema
        self.random = random.Random(seed)

    def command(self):
        """A command and its arguments: those of a careful user, or of nobody's."""
        name = self.random.choice(sorted(self.schema.commands))
        members = self.schema.commands[name]
        wild = self.random.choice((0, 0, 0.2, 0.7))
        arguments = {}
        for member in members:
            omit = 0.5 if 'default' in member else wild / 4
            if self.random.random() >= omit:
                arguments[member['name']] = self.value(member, wild)
        if self.random.random() < wild / 8:
            arguments[self.random.choice(('page-', 'Base', 'x' * 300))] = 1
        return name, arguments

    def value(self, member, wild):
        """One argument: the more wild, the likelier a wrong one."""
        if self.random.random() < wild:
            return self.random.choice(WRONG) if self.random.random() < 0.5 else self.edge()
        few = self.schema.values(member)
        if few:
            return self.random.choice(few)
        if self.schema.is_list(member):
            return [self.random.choice(SANE) for _ in range(self.random.randrange(4))]
        return self.random.choice((0, 1) if member['name'] == 'cpu' else SANE)

    def edge(self):
        """A number where rules change."""
        power = 1 << self.random.randrange(66)
        step = self.random.choice((0, 1, PAGE)) * self.random.choice((-1, 1))
        return self.random.choice((power, -power)) + step


def owned(qemu):
    """What a refused command must leave as it is."""
    return qemu.cmd('query-x86-dseg')


def names_an_argument(reply, command, arguments, schema):
    """Whether an error says which argument is wrong."""
    names = {member['name'] for member in schema.commands[command]} | set(arguments)
    return any(name in reply['error']['desc'] for name in names)


@pytest.fixture(name='qemu')
def fixture_qemu(bare_qemu):
    return bare_qemu('EPYC,dseg=on', '-smp', '2')


def test_any_arguments_get_an_answer_and_a_refusal_changes_nothing(qemu):
    schema = Schema(qemu.cmd('query-qmp-schema'))
    assert 'x86-dseg-set' in schema.commands
    seed = int(os.environ.get('DSEG_TEST_SEED', 2014))
    print(f'DSEG_TEST_SEED={seed}')
    fuzzer = Fuzzer(schema, seed)
    accepted, refused = Counter(), Counter()
    before = owned(qemu)
    for _ in range(COMMANDS * int(os.environ.get('DSEG_TEST_EFFORT', 1))):
        command, arguments = fuzzer.command()
        reply = qemu.qmp(command, arguments)
        now = owned(qemu)
        if 'return' in reply:
            accepted[command] += 1
        else:
            refused[command] += 1
            assert names_an_argument(reply, command, arguments, schema), (
                command, arguments, reply)
            assert now == before, (command, arguments, reply)
        before = now
    assert qemu.cmd('query-status')['status'] == 'prelaunch'
    # Or the arguments were too wild, or too tame, to say anything.
    # A machine that has not started yet has no page tables to scan.
    for command in schema.commands.keys() - {'x86-dseg-scan'}:
        assert accepted[command] and refused[command], (command, accepted, refused)


def test_memory_that_is_not_there_is_refused_on_each_cpu(qemu):
    """The last page of RAM is a target, the one after it is none."""
    segment = {'level': 'guest', 'base': 0, 'size': PAGE, 'force': True}
    for cpu in 0, 1:
        assert 'return' in qemu.qmp('x86-dseg-set', {**segment, 'cpu': cpu,
                                                     'target': 256 * MiB - PAGE})
        before = owned(qemu)
        for target in 256 * MiB, 3 * GiB, 2**40 - PAGE:
            reply = qemu.qmp('x86-dseg-set', {**segment, 'cpu': cpu, 'target': target})
            assert 'target must be RAM' in reply['error']['desc']
            assert owned(qemu) == before
