# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/sanitize-modules: the tests of our kernel modules, on a kernel that finds errors by itself.

The kernel is Debian's, from its source and with its configuration, but for the checks, and for
modules that no guest needs. What it finds it complains of, and a test fails for each complaint.
"""

import os
import re

from .. import OUT, ROOT, run_main
from ..base import processes
from ..base.atomically import link
from ..base.locks import alone
from ..base.options import Parser
from ..base.progress import run_logged
from ..guests import images, kernelsource
from ..source.tree import IN_USE

TESTS = [f'tests/linux/test_{name}.py' for name in ('module_errors', 'dseg_guest', 'dseg_vmm')]
PYTEST = ('-v', '-p', 'no:cacheprovider', '--numprocesses=auto', '--maxprocesses=4', '--dist=loadfile',
          # A kernel with KASAN does not fit into a crash kernel's memory.
          '--deselect=tests/linux/test_module_errors.py::test_crash_kernel_finds_no_segment')
BUILD_SECONDS = 4 * 3600
TEST_SECONDS = 12 * 3600
PATIENCE = '20'         # time-outs are for kernels that check nothing
VM_MEMORY = '1G'        # such a kernel, and its ramdisk, need more than others

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
              'CRYPTO_LZO', 'FUSE_FS', 'LIBNVDIMM', 'ACPI_NFIT', 'BLK_DEV_PMEM')))

# Large parts of a kernel that the tests have no use for, to have it sooner.
WITHOUT = '''
    XEN ETHERNET WLAN NETFILTER IPV6 WIRELESS HYPERV SCSI ATA MD HID SECURITY_SELINUX
    SECURITY_APPARMOR SECURITY_TOMOYO SECURITY_SMACK SECURITY_YAMA SECURITY_LANDLOCK INTEGRITY
    QUOTA HIBERNATION SUSPEND EFI FB INFINIBAND PHYLIB NET_SCHED BRIDGE VLAN_8021Q MPTCP XFRM
    INET_DIAG NETLABEL TLS DCB NET_SWITCHDEV BPF_LSM AUDIT THERMAL WATCHDOG IOMMU_SUPPORT
    AMD_IOMMU INTEL_IOMMU EDAC REGULATOR GPIOLIB I2C SPI HWMON POWER_SUPPLY MEDIA_SUPPORT
    RC_CORE NVME_CORE BLK_DEV_NVME MMC USB_SUPPORT VIRTIO_NET ACCESSIBILITY AGP DMADEVICES
    INTEL_SGX X86_SGX X86_INTEL_TSX MICROCODE CPU_FREQ PERF_EVENTS_INTEL_UNCORE
    PERF_EVENTS_AMD_UNCORE PERF_EVENTS_INTEL_RAPL PERF_EVENTS_INTEL_CSTATE FIRMWARE_MEMMAP
    TCG_TPM PCIEPORTBUS HOTPLUG_PCI NET_IPIP WAN ATM X86_PLATFORM_DEVICES CHROME_PLATFORMS
    LIVEPATCH KPROBES UPROBES STACK_TRACER FUNCTION_TRACER BLK_DEV_IO_TRACE VFIO VHOST_MENU GNSS
'''.split()


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
        link(out / IN_USE.name, IN_USE.resolve())       # QEMU's Python
        environment = {'DSEG_PATIENCE': PATIENCE, **os.environ, 'DSEG_OUT': str(out),
                       'DSEG_QEMU': str(images.vmm_binary()), 'DSEG_TEST_VM_MEMORY': VM_MEMORY}
        made = python(['dseg.guests.images', '--kernel', kernel], environment)
        return made or python(['pytest', *PYTEST, *(tests or TESTS)], environment)


def python(words, environment):
    """Run a module of Python; returns its exit code."""
    return processes.run(['/usr/bin/python3', '-m', *words], cwd=ROOT, env=environment,
                         timeout=TEST_SECONDS).returncode


def build_kernel(kind, out):
    """Build the kernel of one kind; returns the folder that it has been built in."""
    source = OUT / 'linux-source'
    with alone(images.GUEST):           # whose lists of packages we use
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
    debians = next((images.KERNEL_TREE / 'boot').glob('config-*')).read_text()
    lines = re.sub(r'^(\w+)=m$', r'# \1 is not set', debians, flags=re.M)
    return lines + ''.join([*(f'# CONFIG_{name} is not set\n' for name in WITHOUT),
                            *(f'CONFIG_{entry}\n' for entry in (*ALWAYS, *CHECKS[kind]))])


def make(source, build, title, *words):
    """Run the kernel's make, with the timestamp that lets ccache know again what it has compiled."""
    run_logged(title, ['make', '-C', source, f'O={build}', 'CC=ccache gcc', 'KBUILD_BUILD_TIMESTAMP=@0',
                       *words], build.parent / 'log/build-kernel.log', timeout=BUILD_SECONDS)


if __name__ == '__main__':
    run_main('sanitize-modules', main)
