# SPDX-License-Identifier: GPL-2.0-or-later
"""What the scripts are made of: one module a job, started by the shell scripts in scripts/."""

import argparse
import errno
import fcntl
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get('DSEG_OUT', ROOT / 'out')).absolute()

FULL = 'free some space on that disk, or name a folder on another one by DSEG_OUT'
NOT_OURS = ('if another user, as root by sudo, has made it, make it yours: '
            f'sudo chown -R "$(id -un)" {OUT}')
# What the user can mend of what the system refuses.
REMEDIES = {errno.ENOSPC: FULL, errno.EDQUOT: FULL,
            errno.EACCES: NOT_OURS, errno.EPERM: NOT_OURS, errno.EROFS: NOT_OURS}


class Failure(Exception):
    """Something that the user can mend: the text says what is wrong and what to do next."""


def unwritable(what, error):
    """The Failure that says why the file or stream of that name can't be written."""
    return Failure(f'{what} can\'t be written: {error.strerror}')


def remedy(error):
    """What the user can do about an OSError."""
    text = REMEDIES.get(error.errno)
    temporary = Path(os.environ.get('TMPDIR') or '/tmp')
    is_temporary = error.filename and not Path(str(error.filename)).is_relative_to(OUT) and \
        Path(str(error.filename)).is_relative_to(temporary)
    return text.replace('DSEG_OUT', 'TMPDIR') if text == FULL and is_temporary else text


def is_unwritable(error):
    """Whether an OSError is because standard output is for reading only."""
    return (error.errno == errno.EBADF and
            fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY)


def patient(seconds):
    """How long to wait, at most, for what an idle machine does well within @seconds.

    DSEG_PATIENCE is how many times as long, for a busy one.
    """
    text = os.environ.get('DSEG_PATIENCE', '1')
    try:
        factor = float(text)
    except ValueError:
        factor = 0
    if not 1 <= factor <= 1000:
        raise Failure(f'DSEG_PATIENCE is {text!r}: it must be a number from 1 to 1000')
    return seconds * factor


def positive_number(text):
    """For options that say how long."""
    number = float(text)
    if not 0 < number < float('inf'):
        raise argparse.ArgumentTypeError(f'must be a number above 0, not {text}')
    return number


def on_signal(action):
    """What to do when somebody wants us to end; what nohup has us ignore stays so."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, action)


def unwind(number, _):
    """A signal unwinds as any error does, so that what is half done is tidied up.

    Those that follow would cut that short. Not SIG_IGN, which commands would inherit.
    """
    on_signal(lambda *_: None)
    sys.exit(128 + number)


def run_main(name, main):
    """Run main(arguments) as the script called name, and end with its exit code."""
    on_signal(unwind)
    try:
        try:
            code = main(sys.argv[1:])
        finally:
            on_signal(signal.SIG_DFL)       # there is nothing more to tidy up
        sys.stdout.flush()
    except Failure as failure:
        code = f'{name}: {failure}'
    except BrokenPipeError as error:
        code = f'{name}: {unwritable("standard output", error)}'
    except OSError as error:
        if error.errno not in REMEDIES and not is_unwritable(error):
            raise
        where = error.filename or f'standard output, or a file in {OUT}'
        code = f'{name}: {where}: {error.strerror}: {remedy(error)}'
        if is_unwritable(error):
            code = f'{name}: {unwritable("standard output", error)}'
    try:
        sys.stdout.flush()
    except OSError:
        # Or Python would try to write the rest in the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
