# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/apply-patches: qemu-patches/ as commits in a QEMU tree, the overlay linked into it."""

import email
import email.policy
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .. import ROOT, Failure, run_main
from ..base import options
from ..base.atomically import link, read_json, write_text
from ..base.locks import alone
from . import debian, git
from .tree import BASE, EPOCH, SRC, Tree

PATCHES = ROOT / 'qemu-patches'
SERIES = PATCHES / 'series'
SUPPORTED = '10.0'
OLDEST_RELEASE = 13     # of that line: 0052 changes what older ones have not
FIRST_DEVELOPMENT_RELEASE = 50      # 10.0.50 is on the way to 10.1
STAMP = 'dseg-stamp'

# Our folders and files, and where they appear in QEMU's tree.
OVERLAY = {
    'target/i386/dseg': ROOT / 'target-i386-ext',
    'hw/dseg': ROOT / 'hw',
    'qapi/x86-dseg.json': ROOT / 'target-i386-ext' / 'x86-dseg.json',
    'qapi/dseg-bad-frames.json': ROOT / 'hw' / 'dseg-bad-frames.json',
}


def main(arguments):
    """What the command line asks for."""
    parser = options.Parser('apply-patches')
    parser.add_argument('--tree', type=options.path)
    parser.add_argument('--any-version', action='store_true')
    parser.add_argument('--reset', action='store_true')
    parser.add_argument('--check', action='store_true')
    args = parser.parse_args(arguments)

    if args.check:
        with alone(SRC):
            return check_versions()
    tree = Tree(args.tree) if args.tree else Tree.in_use()
    check_version(tree, args.any_version)
    with tree.lock():
        return bring_up_to_date(tree, args.reset)


def bring_up_to_date(tree, reset):
    """Have the series in the tree; reset: also in the place of another one."""
    tree.make_repository()
    tree.require_base()
    patches = series()
    began_at = read_stamp(tree).get('applying')
    if began_at:
        undo(tree, patches, began_at)
    if reset:
        require_no_own_commits(tree)
    elif has_series(tree, patches):
        print(f'The {len(patches)} patches are in {tree.path} already')
        link_overlay(tree)
        return 0
    apply(tree, patches)
    link_overlay(tree)
    print(f'Applied {len(patches)} patches to {tree.path}')
    return 0


def check_version(tree, any_version):
    """Raise Failure for a QEMU that the series is not meant for."""
    line, _, release = tree.version.rpartition('.')
    if any_version or (line == SUPPORTED and int(release) < FIRST_DEVELOPMENT_RELEASE):
        return
    raise Failure(f'{tree.path} is QEMU {tree.version}; the patches are for {SUPPORTED}.x.\n'
                  'Get one by scripts/fetch-qemu, or try this one by --any-version.')


def series():
    """The patch files, in their order."""
    if not SERIES.exists():
        return []
    names = (line.partition('#')[0].strip() for line in SERIES.read_text().splitlines())
    patches = [PATCHES / name for name in names if name]
    for patch in patches:
        if not patch.is_file():
            raise Failure(f'{SERIES} names {patch.name}, which is not there')
    return patches


def series_hash(patches):
    """Tells one series from another."""
    digest = hashlib.sha256()
    for patch in patches:
        digest.update(f'{patch.name}\0'.encode() + patch.read_bytes() + b'\0')
    return digest.hexdigest()


def read_stamp(tree):
    """What the last apply-patches or refresh-patches left: the series and the newest commit."""
    stamp = read_json(tree.git_file(STAMP))
    return stamp if {'series', 'head'} <= set(stamp) else {'series': '', 'head': tree.base()}


def write_stamp(tree):
    """Note that the newest commit of the tree is the last patch of the series."""
    put_stamp(tree, series=series_hash(series()), head=tree.head())


def put_stamp(tree, **stamp):
    """Write it; applying, from that commit, or refreshing: that began, and may be cut short."""
    write_text(tree.git_file(STAMP), json.dumps(stamp) + '\n')


def has_series(tree, patches):
    """Whether the tree has the series; raises Failure if it has another one."""
    commits = tree.commits()
    if not commits:
        return False
    known = read_stamp(tree)['series']
    if known == series_hash(patches):
        require_any(tree, patches)
        return True
    if not known and not commits_of_others(tree):
        return False            # the stamp was lost: apply them once more
    raise Failure(f'{tree.path} has another series of patches ({len(commits)} commits since '
                  f'{BASE}) than {PATCHES}.\n'
                  'scripts/apply-patches --reset replaces it, unless that loses work of yours.')


def require_any(tree, patches):
    """Raise Failure if the tree has commits, and no patch: it was reset to its base commit.

    Patches that are being changed are other commits than those of apply(), of the same subject.
    """
    applied = read_stamp(tree)['head']
    subjects = tree.git('log', '--format=%s', f'{BASE}..HEAD').splitlines()
    if tree.stands_on(applied) or {subject(patch) for patch in patches} & set(subjects):
        return
    raise Failure(f'{tree.path} has none of the patches, and commits upon {BASE}:\n  ' +
                  '\n  '.join(tree.commits()) + '\nTo have them upon the patches: '
                  f'git -C {tree.path} rebase --onto {applied[:12]} {BASE}')


def subject(patch):
    """That of the commit which git makes of a patch."""
    message = email.message_from_bytes(patch.read_bytes(), policy=email.policy.default)
    return re.sub(r'^\[PATCH[^]]*\] *', '', message['Subject'] or '')


def require_no_own_commits(tree):
    """Raise Failure if going back to the base commit would lose somebody's work."""
    known = read_stamp(tree)['head']
    own = tree.commits(since=known if tree.stands_on(known) else BASE)
    if own:
        raise Failure(f'{tree.path} has commits that no patch has:\n  ' + '\n  '.join(own)
                      + '\nscripts/refresh-patches turns them into patches. '
                      f'To throw them away: git -C {tree.path} reset --hard {known[:12]}')


def commits_of_others(tree, known=BASE):
    """One line for each commit since the base, and not in a known one, that is not of apply()."""
    lines = tree.git('log', '--format=%ct %h %s', f'{BASE}..HEAD', f'^{known}').splitlines()
    return [line[2:] for line in lines if not line.startswith('0 ')]


def undo(tree, patches, began_at):
    """Go back to the base commit from an apply() that was cut short.

    It had begun with a tree that was clean, so what is not committed is its own, but for what
    has been changed since.
    """
    others = commits_of_others(tree, began_at)
    if others:
        raise Failure(f'applying the patches to {tree.path} was cut short, and it has commits that '
                      'no patch has:\n  ' + '\n  '.join(others) +
                      f'\nTo throw them away: git -C {tree.path} reset --hard {BASE}')
    for left in tree.git_file('.').rglob('*.lock'):
        left.unlink()           # of a git that was killed: nobody else may be at work here
    edited = edited_files(tree, patches, began_at)
    if edited:
        raise Failure(f'applying the patches to {tree.path} was cut short, and what these files '
                      'have is of no patch:\n  ' + '\n  '.join(edited) +
                      '\nMove what is yours elsewhere. To throw away what is not committed: '
                      f'git -C {tree.path} reset --hard {BASE}')
    go_back(tree, patches)


def go_back(tree, patches):
    """Go back to the base commit, and drop all that is not committed of the patches."""
    shutil.rmtree(tree.git_file('rebase-apply'), ignore_errors=True)
    tree.git('reset', '-q', '--hard', BASE)
    for name in untracked(tree, touched_files(patches)):
        (tree.path / name).unlink()


def untracked(tree, names):
    """Those of the names that the tree has, and git does not know."""
    known = set(tree.git('ls-files', '-z').split('\0'))
    return sorted(name for name in names - known if os.path.lexists(tree.path / name))


def edited_files(tree, patches, began_at):
    """The files with changes that apply() has not made, not even in part.

    Git unlinks a file, then writes it from its beginning.
    """
    changed = tree.git('diff', '--name-only', '-z', '--no-renames', 'HEAD').split('\0')
    names = {name for name in changed if name and os.path.lexists(tree.path / name)}
    names.update(untracked(tree, touched_files(patches)))
    made = {name: [file_at(tree, commit, name) or b'' for commit in (BASE, began_at, 'HEAD')]
            for name in names}

    def note(patch, folder):
        for name in touched_files([patch]) & names:
            if (folder / name).exists():
                made[name].append((folder / name).read_bytes())

    if names:
        dry_run(patches, lambda names, folder: copy_files(tree, names, folder), note)
    return sorted(name for name in names if not is_part(tree.path / name, made[name]))


def is_part(path, texts):
    """Whether one of the texts begins with all that the file has."""
    if path.is_symlink() or not path.is_file():
        return False
    found = path.read_bytes()
    return any(text.startswith(found) for text in texts)


def apply(tree, patches):
    """Make the series the commits upon the base commit, or change nothing."""
    tree.require_clean()
    in_the_way = untracked(tree, touched_files(patches))
    if in_the_way:
        raise Failure(f'files of {tree.path} that git does not know are in the way of the patches:'
                      '\n  ' + '\n  '.join(in_the_way) + '\nMove them elsewhere.')
    report = dry_run(patches, lambda names, folder: copy_files(tree, names, folder))
    if report.failed:
        raise Failure(f'the series does not apply to QEMU {tree.version}, nothing is changed:\n'
                      f'{report.failed}')
    began_at = tree.head()
    put_stamp(tree, series='', head=tree.base(), applying=began_at)
    tree.git('reset', '-q', '--hard', BASE)
    if patches:
        try:
            tree.git('am', '-q', '--keep-non-patch', '--no-gpg-sign', *patches,
                     env={'GIT_COMMITTER_DATE': EPOCH})
        except Failure:
            go_back(tree, patches)
            put_stamp(tree, series='', head=tree.base())
            raise
    write_stamp(tree)


def link_overlay(tree):
    """Link our folders into the tree, where its git does not see them."""
    exclude = tree.git_file('info/exclude')
    excluded = exclude.read_text().splitlines() if exclude.exists() else []
    new = [f'/{name}' for name in OVERLAY if f'/{name}' not in excluded]
    if new:
        exclude.parent.mkdir(exist_ok=True)
        write_text(exclude, '\n'.join(excluded + new) + '\n')
    for name, target in OVERLAY.items():
        path = tree.path / name
        if target.is_file() or (target.is_dir() and any(target.iterdir())):
            link(path, target)
        elif path.is_symlink():
            path.unlink()


@dataclass
class Report:
    """How a dry run went: the first failure, if any, and whether lines had moved."""
    failed: str = ''
    offsets: bool = False


def dry_run(patches, copy, note=lambda patch, folder: None):
    """Apply the patches, one upon the other, to copies of the files that they touch.

    copy(names, folder) brings those of the files named that there are; note(patch, folder) sees
    what each patch has made of them.
    """
    SRC.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.dry-run-', dir=SRC) as folder:
        copy(touched_files(patches), Path(folder))
        report = Report()
        for patch in patches:
            done = subprocess.run(['git', 'apply', '--verbose', patch], cwd=folder, text=True,
                                  check=False, capture_output=True,
                                  env=git.environment(LC_ALL='C',
                                                      GIT_CEILING_DIRECTORIES=str(SRC)))
            if done.returncode:
                errors = re.findall(r'^error: (?!while searching)(.*)$', done.stderr, re.MULTILINE)
                report.failed = '\n'.join(f'{patch.name}: {error}' for error in errors)
                return report
            report.offsets |= '(offset' in done.stderr
            note(patch, Path(folder))
        return report


def touched_files(patches):
    """The files that patches change, delete or rename."""
    names = set()
    for patch in patches:
        names.update(re.findall(r'^diff --git a/(\S+) b/', patch.read_text(), re.MULTILINE))
    return names


def copy_files(tree, names, folder):
    """The files as the tree's base commit has them."""
    for name in names:
        text = file_at(tree, BASE, name)
        if text is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)


def file_at(tree, commit, name):
    """What a file has in a commit, or None."""
    done = subprocess.run(git.command(tree.path, 'show', f'{commit}:{name}'), check=False,
                          env=git.environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return None if done.returncode else done.stdout


def extract_files(tarball, names, folder):
    """The files as a release tarball has them."""
    with tarfile.open(tarball, 'r|*') as archive:
        for member in archive:
            name = member.name.partition('/')[2]
            if name in names and member.isfile():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.extractfile(member).read())


def check_versions():
    """Try the series on every QEMU that Debian's suites list, from the supported line on."""
    patches = series()
    by_version = {}
    for source in reversed(debian.versions()):
        if is_new_enough(source.version):
            by_version.setdefault(source.version, []).append(source)
    broken = False
    for version, sources in by_version.items():
        result, failed = check_sources(sources, patches)
        line, _, release = version.rpartition('.')
        broken |= failed and line == SUPPORTED and int(release) >= OLDEST_RELEASE
        suites = ' '.join(suite for source in sources for suite in source.suites)
        print(f'{version:<10} {suites:<36} {result}', flush=True)
    return 1 if broken else 0


def is_new_enough(version):
    """Whether a version is of the supported line or newer."""
    return [int(part) for part in version.split('.')[:2]] >= [int(part) for part in
                                                             SUPPORTED.split('.')]


def check_sources(sources, patches):
    """What to say of one version, and whether the series fails on it."""
    for source in sources:
        try:
            tarball = debian.download_tarball(source)
        except debian.Missing:
            continue
        report = dry_run(patches, lambda names, folder: extract_files(tarball, names, folder))
        if report.failed:
            return f'does not apply: {report.failed.splitlines()[0]}', True
        return 'applies with offsets' if report.offsets else 'applies', False
    return 'could not be fetched', False


if __name__ == '__main__':
    run_main('apply-patches', main)
