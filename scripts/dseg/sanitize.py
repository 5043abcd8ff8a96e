# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/sanitize-modules: the tests of our kernel modules, on a kernel that finds errors by itself.

The kernel is Debian's, from its source and with its configuration, but for the checks, and for
modules that no guest needs. What it finds it complains of, and a test fails for each complaint.
"""

import os
import re

from . import OUT, ROOT, guests, kernelsource, processes, run_main
from .locks import alone
from .options import Parser
from .progress import run_logged

TESTS = [f'tests/linux/test_{name}.py' for name in ('module_errors', 'dseg_guest', 'dseg_vmm')]
BUILD_SECONDS = 4 * 3600
TEST_SECONDS = 12 * 3600
PATIENCE = '20'         # such a kernel is that much slower, about

# What KCSAN makes of the kernel's own code would be complaints of that.
BUILD_VARIABLES = {'kasan': (), 'kcsan': ('KCSAN_SANITIZE=n',)}
CHECKS = {
    'kasan': ('KASAN=y', 'KASAN_GENERIC=y', 'KASAN_INLINE=y', 'KASAN_VMALLOC=y'),
    'kcsan': ('KCSAN=y', 'KCSAN_REPORT_ONCE_IN_MS=100'),
}
ALWAYS = ('PROVE_LOCKING=y', 'DEBUG_KERNEL=y', 'DEBUG_ATOMIC_SLEEP=y', 'DEBUG_LIST=y', 'DEBUG_VM=y',
          # Types for BPF, which need a tool more; keys that only Debian has.
          'DEBUG_INFO_NONE=y', 'DEBUG_INFO_BTF=n', 'SYSTEM_TRUSTED_KEYS=""',
          # What the guests load.
          *(f'{name}=m' for name in (
              'KVM', 'KVM_AMD', 'VIRTIO_PCI', 'VIRTIO_MMIO', 'VIRTIO_BLK', 'VIRTIO_BALLOON', 'ZRAM',
              'CRYPTO_LZO', 'FUSE_FS')))


def parse_arguments(arguments):
    """The kind, and what is for pytest."""
    parser = Parser('sanitize-modules')
    parser.add_argument('kind', choices=CHECKS)
    return parser.parse_known_args(arguments)


def main(arguments):
    """What the command line asks for."""
    options, tests = parse_arguments(arguments)
    out = OUT / options.kind
    with alone(out):
        kernel = build_kernel(options.kind, out)
        environment = {'DSEG_PATIENCE': PATIENCE, **os.environ, 'DSEG_OUT': str(out),
                       'DSEG_QEMU': str(guests.vmm_binary())}
        made = python(['dseg.guests', '--kernel', kernel], environment)
        return made or python(['pytest', '-v', '-p', 'no:cacheprovider', *(tests or TESTS)], environment)


def python(words, environment):
    """Run a module of Python; returns its exit code."""
    return processes.run(['/usr/bin/python3', '-m', *words], cwd=ROOT, env=environment,
                         timeout=TEST_SECONDS).returncode


def build_kernel(kind, out):
    """Build the kernel of one kind; returns the folder that it has been built in."""
    source = OUT / 'linux-source'
    with alone(guests.GUEST):           # whose lists of packages we use
        if not source.exists():
            kernelsource.unpack_into(source)
    build = out / 'kernel'
    build.mkdir(parents=True, exist_ok=True)
    config = configuration(kind)
    if not (build / '.config.asked').exists() or (build / '.config.asked').read_text() != config:
        (build / '.config').write_text(config)
        make(source, build, f'Configuring a kernel with {kind.upper()}', 'olddefconfig')
        (build / '.config.asked').write_text(config)
    make(source, build, f'Building a kernel with {kind.upper()}', f'-j{os.cpu_count()}',
         *BUILD_VARIABLES[kind], 'bzImage', 'modules')
    return build


def configuration(kind):
    """Debian's, without its modules, and with what we ask for: the last word on a symbol counts."""
    debians = next((guests.KERNEL_TREE / 'boot').glob('config-*')).read_text()
    lines = re.sub(r'^(\w+)=m$', r'# \1 is not set', debians, flags=re.M)
    return lines + ''.join(f'CONFIG_{entry}\n' for entry in (*ALWAYS, *CHECKS[kind]))


def make(source, build, title, *words):
    """Run the kernel's make, with the timestamp that lets ccache know again what it has compiled."""
    run_logged(title, ['make', '-C', source, f'O={build}', 'CC=ccache gcc', 'KBUILD_BUILD_TIMESTAMP=@0',
                       *words], build.parent / 'log/build-kernel.log', timeout=BUILD_SECONDS)


if __name__ == '__main__':
    run_main('sanitize-modules', main)
