# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/experiment: what its command line asks for."""

import importlib

from ... import OUT, Failure, run_main
from ...base import options
from ...base.locks import alone
from ...points import workloads
from ...points.axes import SIZES, all_axes, value_text
from ...points.combinations import examine, read
from ...points.memory import gigabytes
from ...points.plan import Plan, minutes, total_memory
from ...points.store import EXPERIMENT, Store, described, refuse_others
from ...reports.costs import NAMES
from ...reports.report import check
from ..provenance import hashes
from . import geometry, status
from .local import WORKER, Local
from .run import Sweep, show_failed
from .slurm import Slurm

FOLDERS = OUT / 'experiments'
# What each takes besides its FILE or FOLDER.
COMMANDS = {
    'plan': ('size', 'folder', 'jobs'),
    'run': ('size', 'folder', 'jobs', 'slurm', 'retry', 'only'),
    'status': ('size', 'folder'),
    'report': ('size', 'folder', 'costs', 'html', 'csv', 'json', 'svg', 'pdf'),
    'compare': ('size', 'costs', 'html', 'csv', 'json', 'svg', 'pdf'),
}


def parse_arguments(arguments):
    """The options; an experiment that is to be planned or run has been read, too."""
    parser = options.Parser('experiment')
    parser.add_argument('command', choices=COMMANDS)
    parser.add_argument('what', nargs='+', type=options.path)
    parser.add_argument('--size', choices=SIZES)
    parser.add_argument('--folder', type=options.new_folder)
    parser.add_argument('--jobs', type=options.count)
    parser.add_argument('--slurm', action='store_true', default=None)
    parser.add_argument('--retry', action='store_true', default=None)
    parser.add_argument('--only', action='append', type=options.text)
    parser.add_argument('--costs', choices=NAMES)
    parser.add_argument('--html', type=options.new_file)
    parser.add_argument('--csv', type=options.new_file)
    parser.add_argument('--json', type=options.new_file)
    parser.add_argument('--svg', type=options.new_folder)
    parser.add_argument('--pdf', type=options.new_folder)
    args = parser.parse_args(arguments)
    if arguments[0] != args.command:
        parser.error(f'{args.command} must be the first word')      # for the shell script
    for name, value in vars(args).items():
        if name not in ('command', 'what') and value is not None and \
                name not in COMMANDS[args.command]:
            parser.error(f'{args.command} has no option --{name}')
    if len(args.what) != (2 if args.command == 'compare' else 1):
        parser.error('compare takes two folders' if args.command == 'compare' else
                     f'{args.command} takes one file'
                     f'{"" if args.command in ("plan", "run") else " or folder"}')
    if args.slurm and args.jobs:
        parser.error('--jobs is for this machine; Slurm knows how many tasks it runs at a time')
    if args.command in ('plan', 'run'):
        args.workloads = workloads.read()
        args.experiment, problems = examine(args.what[0], args.workloads, args.size)
        check(args.experiment.tables, problems)
        # What can't work is refused before anything is built.
        plan = make_plan(args, {}, problems)
        args.chosen = _chosen(args)
        _check_folder(args, plan)
        _refuse_none(args, plan.points, but='id')       # as IDs depend on what is built
    return args


def _check_folder(args, plan):
    """Raise Failure for results of others, or damaged ones; or where QEMU could find no geometry."""
    folder = results_of(args)
    if plan.geometries and ',' in str(folder.resolve()):
        raise Failure(f'{folder.resolve()}: QEMU can read no geometry of a TLB from a path with a '
                      'comma: name another folder by --folder')
    refuse_others(folder, described(args.experiment, plan.points), is_built=False)
    if (folder / EXPERIMENT).exists():
        Store(folder).records()


def _chosen(args):
    """The values of each axis, or of id, that --only asks for."""
    axes = all_axes(args.workloads)
    found = {}
    for word in args.only or ():
        key, equals, text = word.partition('=')
        if not equals or key != 'id' and key not in axes:
            raise Failure(f'--only {word}: must be KEY=VALUE, with one of these keys: id, '
                          f'{", ".join(axes)}')
        value = text if key == 'id' else axes[key].parse(text)
        if value is None:
            raise Failure(f'--only {word}: {key} is {axes[key].values}')
        found.setdefault(key, []).append(value)
    return found


def _refuse_none(args, points, but=None):
    """Raise Failure where none of the points is chosen; but: a key that does not matter."""
    chosen = {key: values for key, values in args.chosen.items() if key != but}
    if not any(_is_chosen(point, chosen) for point in points):
        raise Failure(f'--only {" --only ".join(args.only)}: no point of {args.experiment.file}'
                      ' is so')


def make_plan(args, built, problems=(), must_know=False):
    """The Plan; raises Failure with all that can't work.

    problems: that the experiment has already
    must_know: geometries of TLBs have to be right, too; else only if a QEMU can say that already
    """
    return Plan(args.experiment, args.workloads, built, jobs=args.jobs or 1,
                host_memory=None if args.slurm else total_memory(), problems=problems,
                broken_rule=geometry.broken_rule if must_know or geometry.can_be_asked() else None)


def default_folder(experiment):
    """Where its results are if nobody says where."""
    return FOLDERS / experiment.name


def results_of(args):
    """Where those of an experiment that is planned or run are."""
    return args.folder or default_folder(args.experiment)


def folder_of(args, what):
    """The folder of results that a file or a folder stands for."""
    if getattr(args, 'folder', None):
        return args.folder
    if what.is_dir() or not what.suffix == '.toml':
        return what
    return default_folder(read(what, workloads.read(), args.size))


def show_plan(args):
    """plan"""
    plan = make_plan(args, hashes())
    folder = results_of(args)
    if (folder / EXPERIMENT).exists():
        store = Store(folder)
        plan.learn(store.records())
    tasks = plan.tasks(plan.points, plan.jobs)
    measured = sum(map(plan.is_measured, plan.points))
    print(f'{args.experiment.file}: {args.experiment.title}')
    for axis in all_axes(args.workloads):
        values = list(dict.fromkeys(value_text(point.axes[axis]) for point in plan.points))
        print(f'  {axis:14} {", ".join(values[:12])}{", ..." if len(values) > 12 else ""}')
    print(f'points   {len(plan.points)}, after {len(tasks)} boots')
    print(f'time     about {minutes(plan.total_seconds(plan.points))} with --jobs {plan.jobs}; '
          f'estimated from records for {measured} points, from workloads.toml for the rest')
    print(f'memory   {gigabytes(plan.memory())}')
    print(f'disk     at most {gigabytes(plan.disk())} in {folder}')
    if plan.geometries and not geometry.can_be_asked():
        print('tlb      the rules of its files are checked when QEMU is built, before the first point')
    return 0


def run(args, worker=WORKER):
    """run: worker is the command that takes FOLDER ID..."""
    built = hashes()
    plan = make_plan(args, built, must_know=True)
    folder = results_of(args)
    with alone(folder, folder / 'lock'):
        store = Store.begin(folder, described(args.experiment, plan.points), plan.geometries)
        records = store.records()       # raises Failure for a damaged one
        plan.learn(records)
        _refuse_none(args, store.points)
        chosen = [(point, record) for point, record in records if _is_chosen(point, args.chosen)]
        wanted = [point for point, record in chosen if not record and
                  (store.error(point) is not None or not args.retry)]
        print(f'{len(chosen)} points, {len(wanted)} to run; results in {folder}', flush=True)
        executor = Slurm(store, worker) if args.slurm else Local(store, args.jobs or 1, worker)
        left = Sweep(store, plan, wanted, executor, args.jobs or 1).run() if wanted else []
        show_failed(store, left)
        done = sum(store.record(point) is not None for point, _ in chosen)
        print(f'{done} of {len(chosen)} points are done')
        return 0 if done == len(chosen) else 1


def _is_chosen(point, chosen):
    return all((point.id if key == 'id' else point.axes[key]) in values
               for key, values in chosen.items())


def show_status(args):
    """status"""
    print(status.text(Store(folder_of(args, args.what[0]))))
    return 0


def report(args):
    """report"""
    return _reports('report').main(folder_of(args, args.what[0]), args)


def compare(args):
    """compare"""
    return _reports('compared').main([folder_of(args, what) for what in args.what], args)


def _reports(name):
    """They draw, which takes its time to import."""
    return importlib.import_module(f'dseg.reports.{name}')


def main(arguments, **more):
    """What the command line asks for."""
    args = parse_arguments(arguments)
    if args.command == 'run':
        return run(args, **more)
    return {'plan': show_plan, 'status': show_status, 'report': report,
            'compare': compare}[args.command](args)


if __name__ == '__main__':
    run_main('experiment', main)
