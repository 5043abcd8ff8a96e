# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows the modes of the poster in a running nested Linux, and checks them."""

import sys

from .. import OUT, run_main
from ..base import options
from ..base.atomically import beside
from ..base.progress import Narrator
from ..base.sizes import parse_size, size_text
from ..stack.layout import Layout
from ..stack.modes import MODES
from ..stack.stack import Stack
from ..stack.ways import Modified, Unmodified
from .measure import measure
from .provenance import hashes, provenance, write_numbers

SHARE = 0.95        # of a mode's walks that must be of its regime
ESCAPE = '+ 1 escape'


def run_modes(stack, way, args, say):
    """Runs GUPS in every mode, one after the other."""
    results = []
    for mode in MODES:
        say(f'{mode}: GUPS in {"L2" if MODES[mode].world == "nested" else "L1"}')
        workload = way.enter(mode)
        results.append(measure(stack, workload, mode, args.rounds))
        if mode == 'dual-direct':
            say(f'{mode} {ESCAPE}')
            results.append(run_escape(stack, way, workload, args.rounds))
    way.leave()
    return results


def escaped_page(area):
    """A page of the work area that GUPS hits as often as any other."""
    return area.pa + area.bytes // 2


def run_escape(stack, way, workload, rounds):
    """Measures dual-direct with one page of the table in the filter."""
    way.escape(escaped_page(workload.area))
    result = measure(stack, workload, 'dual-direct', rounds, ESCAPE)
    way.clear_escapes()
    return result


def run(args, say):
    """Boots the stack and measures."""
    way = Modified if args.modified else Unmodified
    with Stack(cpu_extra='dseg=on', holes=way.holes, log_dir=args.logs, progress=say) as stack:
        stack.boot_l1()
        stack.boot_l2()
        results = run_modes(stack, way(stack, f'gups --bytes {args.bytes}'), args, say)
    say('done')
    return results


COLUMNS = (
    # heading, width, text of a result
    ('mode', -23, lambda r, base: r.name),
    ('walks', 9, lambda r, base: f'{r.walks.count}'),
    ('typical', 8, lambda r, base: f'{r.walks.refs_typical}'),
    ('mean', 7, lambda r, base: f'{r.walks.refs_mean:.3f}'),
    ('guest', 7, lambda r, base: f'{r.walks.mean("guest-refs"):.3f}'),
    ('nested', 7, lambda r, base: f'{r.walks.mean("nested-refs"):.3f}'),
    ('checks', 7, lambda r, base: f'{r.walks.checks_typical}'),
    ('escapes', 8, lambda r, base: f'{r.walks.total["escapes"]}'),
    ('regime', 7, lambda r, base: f'{100 * r.share:.1f}%'),
    ('data', 6, lambda r, base: 'right' if r.checksum_ok else 'WRONG'),
    ('updates/s', 10, lambda r, base: f'{r.updates_per_s:.0f}'),
    ('speed', 6, lambda r, base: f'{r.updates_per_s / base:.2f}'),
)


def table(results):
    """The results as lines of text; the speed is relative to base."""
    base = results[0].updates_per_s
    rows = [[heading for heading, _, _ in COLUMNS]]
    rows += [[text(r, base) for _, _, text in COLUMNS] for r in results]
    return '\n'.join(' '.join(
        f'{cell:<{-width}}' if width < 0 else f'{cell:>{width}}'
        for cell, (_, width, _) in zip(row, COLUMNS)) for row in rows)


NOTES = '''\
typical, mean: memory references per page walk; guest, nested: mean by dimension
checks: base-bound checks of most walks; regime: share of the mode's own walks
escapes: translations that the escape filter sent to the nested page tables'''


def failures(results):
    """Every expectation that was not met, in words."""
    failed = []

    def expect(result, what, found, expected):
        if found != expected:
            failed.append(f'{result.name}: {what} should be {expected}, '
                          f'found {found}')

    for r in results:
        mode = MODES[r.mode]
        expect(r, 'typical references', r.walks.refs_typical, mode.refs)
        expect(r, 'typical checks', r.walks.checks_typical, mode.checks)
        expect(r, 'data right', r.checksum_ok, True)
        if r.share < SHARE:
            failed.append(f'{r.name}: {100 * SHARE:.0f} % of the walks should '
                          f'be {r.mode}, found {100 * r.share:.1f} %')
        if r.remark != ESCAPE:
            expect(r, 'escapes', r.walks.total['escapes'], 0)
            continue
        # Each escape is a walk with the guest segment and one nested walk.
        escapes = r.walks.total['escapes']
        expect(r, 'walks of 0 + 4 references', r.walks.refs[0, 4], escapes)
        expect(r, 'false escapes', r.walks.total['false-escapes'], 0)
        expect(r, 'escapes above 0', escapes > 0, True)
    return failed


def numbers(result):
    """One result as in the JSON file."""
    walks = result.walks
    histogram = sorted(walks.refs_histogram.items())
    return {
        'mode': result.mode,
        'walks': walks.count,
        'refs_typical': walks.refs_typical,
        'refs_mean': round(walks.refs_mean, 4),
        'refs_guest_mean': round(walks.mean('guest-refs'), 4),
        'refs_nested_mean': round(walks.mean('nested-refs'), 4),
        'checks_typical': walks.checks_typical,
        'refs_histogram': {str(refs): n for refs, n in histogram},
        'checksum_ok': result.checksum_ok,
        'updates_per_s': round(result.updates_per_s),
    }


def document(results, version):
    """The numbers of the JSON file."""
    [escape] = (r for r in results if r.remark == ESCAPE)
    return {
        'qemu': version,
        'modes': [numbers(r) for r in results if r is not escape],
        'escape': {**numbers(escape), 'pages': 1,
                   'escapes': escape.walks.total['escapes'],
                   'false_escapes': escape.walks.total['false-escapes']},
    }


def parse_arguments(arguments):
    parser = options.Parser('scripts/demo')
    parser.add_argument('--json', type=options.new_file)
    parser.add_argument('--chart', type=options.new_file, default=OUT / 'demo.svg')
    parser.add_argument('--rounds', type=options.count, default=2)
    parser.add_argument('--bytes', default='128M')
    parser.add_argument('--logs', type=options.new_folder)
    parser.add_argument('--unmodified', dest='modified', action='store_false')
    args = parser.parse_args(arguments)
    try:
        size = parse_size(args.bytes)
    except ValueError as error:
        parser.error(f'--bytes: {error}')
    most = min(Layout().l1_work_size, Layout().l2_work_size)
    if size not in (1 << bit for bit in range(12, most.bit_length())):
        parser.error(f'--bytes: must be a power of two from 4K to {size_text(most)}')
    if args.chart.suffix not in ('.svg', '.png'):
        parser.error('--chart: the file must end in .svg or .png')
    return args


def main(arguments):
    args = parse_arguments(arguments)
    origin = provenance(hashes(), ['scripts/demo', *arguments])
    # What draws is of a package that reading the options does not need.
    from ..drawing import chart  # pylint: disable=import-outside-toplevel
    results, version = run(args, Narrator()), origin['versions']['qemu']
    print(f'\n{table(results)}\n\n{NOTES}\n')
    with beside(args.chart) as part:
        chart.draw(results, part, f'GUPS on QEMU {version} with direct '
                   'segments: what a page walk costs')
    print(f'chart: {args.chart}')
    if args.json:
        write_numbers(args.json, origin, document(results, version))
        print(f'numbers: {args.json}')
    failed = failures(results)
    for failure in failed:
        print(f'demo: {failure}', file=sys.stderr)
    if failed:
        return 1
    print('every mode cost what the poster says, and all data was right')
    return 0


if __name__ == '__main__':
    run_main('demo', main)
