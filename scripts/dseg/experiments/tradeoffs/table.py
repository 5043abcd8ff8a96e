# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/tradeoffs: the poster's table of trade-offs, each cell an experiment that has run."""

import sys

from ... import run_main
from ...base import options
from ...base.progress import Narrator
from ...reports.table import aligned
from ...stack.modes import MODES
from ...stack.stack import Stack
from ...stack.ways import Modified
from ...stack.workload import Workload
from ..measure import measure
from ..provenance import hashes, provenance, write_numbers
from .setting import PROGRAM, Setting
from .sharing import Twin
from .vm import MONITOR

COLUMNS = ('base', 'dual-direct', 'vmm-direct', 'guest-direct')
L2_MEMORY = '256M'
BIG, PLAIN = 'gups --bytes 32M --updates 200000', 'chase --bytes 32M --updates 200000'
SHARE = 0.9             # of a program's walks that must be of a mode for it to have the mode

# Gandhi, Basu, Hill, Swift: the poster's section 5, in the order of COLUMNS.
POSTER = {
    'Page walk dimensions': ('2D', '0D', '1D', '1D'),
    '# of memory accesses for most page walks': tuple(str(MODES[mode].refs) for mode in COLUMNS),
    '# of base-bound checks for page walks': tuple(str(MODES[mode].checks) for mode in COLUMNS),
    'Guest OS modifications': ('none', 'required', 'none', 'required'),
    'VMM modifications': ('none', 'required', 'required', 'none'),
    'Application category': ('any', 'big memory', 'any', 'big memory'),
    'Page sharing': ('unrestricted', 'limited', 'limited', 'unrestricted'),
    'Ballooning': ('unrestricted', 'limited', 'limited', 'unrestricted'),
    'Guest OS swapping': ('unrestricted', 'limited', 'unrestricted', 'limited'),
    'VMM swapping': ('unrestricted', 'limited', 'limited', 'unrestricted'),
}

# The rows about what an operating system may do, as Setting calls them; last those that may end
# a segment, which has to be made anew then.
FREEDOMS = {'Guest OS swapping': 'guest swapping', 'VMM swapping': 'VMM swapping',
            'Ballooning': 'ballooning', 'Page sharing': 'page sharing'}


class Table:
    """What has come out so far."""

    def __init__(self):
        self.cells = {name: {} for name in POSTER}
        self.evidence = {}      # the numbers behind a cell, by property and mode
        self.wrong_data = []    # where data was wrong

    def set(self, name, mode, value, evidence):
        """evidence: a dict, with a text why the value is what it is as 'reason'"""
        self.cells[name][mode] = value
        self.evidence.setdefault(name, {})[mode] = evidence

    def matches(self, name):
        return tuple(self.cells[name][mode] for mode in COLUMNS) == POSTER[name]

    def to_json(self):
        return {'rows': [{'property': name, **self.cells[name],
                          'matches_poster': self.matches(name)} for name in POSTER],
                'evidence': self.evidence, 'problems': self.problems()}

    def to_text(self):
        rows = [('', *COLUMNS)]
        rows += [(name, *(self.cells[name][mode] for mode in COLUMNS)) for name in POSTER]
        return aligned(rows, left=len(rows[0]))

    def problems(self):
        """What is not as the poster says and why, and what does not prove anything, in words."""
        return [*self._differences(), *self._not_attempted(),
                *(f'wrong data in {where}' for where in self.wrong_data)]

    def _differences(self):
        for name, expected in POSTER.items():
            for mode, value in zip(COLUMNS, expected):
                if self.cells[name][mode] != value:
                    yield (f'{name}, {mode}: the poster says {value}, found '
                           f'{self.cells[name][mode]}: {self.evidence[name][mode]["reason"]}')

    def _not_attempted(self):
        for name in FREEDOMS:
            for mode, evidence in self.evidence.get(name, {}).items():
                for where in 'inside', 'outside':
                    if not evidence[where]['attempted']:
                        yield f'{name}, {mode}: there was nothing to attempt it with {where}'


def count_program(stack, table, mode, command, primary):
    """The walks of a program in L2, and the mode that they have: as numbers, too."""
    workload = Workload(stack, 'nested', command, primary=primary)
    result = measure(stack, workload, mode, rounds=2)
    workload.stop()
    if not result.checksum_ok:
        table.wrong_data.append(f'{mode}: {command}')
    walks = result.walks
    regime = max(walks.regimes, key=walks.regimes.get)
    found = regime if walks.share(regime) >= SHARE else 'mixed'
    return walks, found, {
        'walks': walks.count, 'regime': regime, 'share': round(walks.share(regime), 4),
        'reason': f'{walks.share(regime):.1%} of {walks.count} walks were {regime}'}


def count_walks(stack, table, say):
    """The first six rows."""
    way = Modified(stack, BIG)
    reached = {}        # the mode that walks have, by which kernels are modified: guest, VMM
    for mode in COLUMNS:
        wanted = MODES[mode]
        way.prepare(mode)
        say(f'{mode}: page walks of a program with much memory')
        walks, found, numbers = count_program(stack, table, mode, BIG, wanted.guest)
        reached[wanted.guest, wanted.vmm] = found
        guest, nested = max(walks.refs, key=walks.refs.get)
        table.set('Page walk dimensions', mode, f'{(guest > 0) + (nested > 0)}D', numbers)
        table.set('# of memory accesses for most page walks', mode, str(guest + nested), numbers)
        table.set('# of base-bound checks for page walks', mode, str(walks.checks_typical),
                  numbers)
        say(f'{mode}: page walks of a program without a primary region')
        _, plain, numbers = count_program(stack, table, mode, PLAIN, False)
        able = [name for name, has in (('big memory', found), ('any', plain)) if has == mode]
        table.set('Application category', mode, able[-1] if able else 'none', numbers)
        way.unprepare(mode)
    for mode in COLUMNS:
        wanted = MODES[mode]
        for name, without in (('Guest OS modifications', (False, wanted.vmm)),
                              ('VMM modifications', (wanted.guest, False))):
            table.set(name, mode, 'none' if reached[without] == mode else 'required',
                      {'reason': f'without that module walks were {reached[without]}'})


def try_freedoms(stack, table, say):
    """The last four rows.

    The modes with a VMM segment come last: what it is made of has all been touched then, and
    KSM would merge all those empty pages of L2 in the others.
    """
    say('a second VM boots, to share pages with')
    with Twin(stack, PROGRAM) as twin:
        for mode in sorted(COLUMNS, key=lambda name: MODES[name].vmm):
            say(f'{mode}: set up')
            with Setting(stack, mode, twin) as setting:
                for name, experiment in FREEDOMS.items():
                    say(f'{mode}: {experiment}')
                    outcome = setting.run(experiment)
                    table.set(name, mode, outcome.verdict, outcome.to_json())
                    if not outcome.data_right:
                        table.wrong_data.append(f'{mode}: {experiment}')


def make_table(stack, say=lambda text: None):
    """All of it, in a stack without holes that has not booted yet."""
    table = Table()
    stack.boot_l1()
    stack.boot_l2(arguments=MONITOR)
    try_freedoms(stack, table, say)
    count_walks(stack, table, say)
    say('done')
    return table


def parse_arguments(arguments):
    parser = options.Parser('scripts/tradeoffs')
    parser.add_argument('--json', type=options.new_file)
    parser.add_argument('--logs', type=options.new_folder)
    return parser.parse_args(arguments)


def main(arguments):
    args = parse_arguments(arguments)
    origin = provenance(hashes(), ['scripts/tradeoffs', *arguments])
    say = Narrator()
    with Stack(cpu_extra='dseg=on', holes=False, l2_memory=L2_MEMORY, log_dir=args.logs,
               progress=say) as stack:
        table = make_table(stack, say)
    print(f'\n{table.to_text()}\n')
    if args.json:
        write_numbers(args.json, origin, table.to_json())
        print(f'numbers: {args.json}')
    problems = table.problems()
    for problem in problems:
        print(f'tradeoffs: {problem}', file=sys.stderr)
    if not problems:
        print('every cell is as the poster says, and all data was right')
    return 1 if problems else 0


if __name__ == '__main__':
    run_main('tradeoffs', main)
