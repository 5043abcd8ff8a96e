# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests of a configuration: with its page sizes and segments, waiting for a program.

    with Guests(point, log_dir) as guests:      # boots, and sets all up
        guests.stack.save(file)
    with Guests(point, log_dir, state=file) as guests:
        print(guests.run('gups --rounds 1', 300))
"""

from ...base.sizes import GiB, MiB, size_text
from ...points.configurations import HUGE, PAGES
from ...stack.counting import counting
from ...stack.orders import Exact
from ...stack.ways import VMM
from ..tradeoffs import vm

ATTACH_SECONDS = 600
FRAGMENT_SECONDS = 600
SHADOW = 'rmmod kvm_amd && modprobe kvm_amd npt=0'
SPARE = 8 * MiB                         # of huge pages, beside those of the work area
NO_L2 = 256 * MiB                       # what the layout of a stack without L2 is told
LOW = 64 * MiB                          # that the image of L2's kernel takes
# Free memory of the first GiB, which Linux takes first, is given to a file. What dd itself has goes
# back there.
FILL_LOW = 'dd if=/dev/zero of=/dev/shm/low bs=4k count=32k 2>/dev/null'


def words_for_pages(pages, size):
    """For a kernel's command line: pages of that kind for @size bytes."""
    if pages == 'thp':
        return 'transparent_hugepage=always'
    if pages not in HUGE:
        return ''
    page = PAGES[pages]
    count = -(-(size + (SPARE if page < GiB else 0)) // page)
    return f'hugepagesz={size_text(page)} hugepages={count}'


def settings_of_l2(pages, grows=False):
    """For the command l2: of what pages its memory is, and whether there may be more of it.

    Pages of 1 GiB can't map the first GiB, as there is a BIOS in it: L2's kernel leaves it alone.
    """
    machine = 'L2_MACHINE=q35 ' if grows else ''
    if pages not in HUGE:
        return machine
    hole = f" L2_HOLE='{size_text(GiB - LOW)}${size_text(LOW)}'" if pages == '1g' else ''
    return f'{machine}L2_PAGES={size_text(PAGES[pages])}{hole}'


def how_to_count(point, tlb, measures):
    """Properties of the CPU. measures: a program runs; guests boot in the mode that is quickest.

    State does not depend on that: it has neither TLB nor caches in it.
    """
    mode, caches = (point.axes['tlb-mode'], point.axes['caches']) if measures else ('inclusive', False)
    return counting(tlb, mode, caches, point.axes['filter-bits'])


class Guests:
    """L1, and L2 if the configuration has it."""

    def __init__(self, point, tlb, log_dir, state=None, progress=lambda stage: None):
        """tlb: what dseg-tlb= is; state: where to go on, of an earlier one of the same group"""
        self.configuration = point.configuration
        self.world = 'l2' if self.configuration.world == 'nested' else 'l1'
        self.work = point.inputs['work']
        self._memory = point.memory
        self._has_monitor, self._grows = point.has_monitor, point.grows
        self.stack = Exact(
            l1_memory=self._memory.l1, l2_memory=self._memory.l2 or NO_L2, l2_split=True,
            holes=False, with_programs=point.inputs['programs'] is not None,
            cpu_extra=how_to_count(point, tlb, state is not None),
            append=self._l1_words(), log_dir=log_dir, state=state,
            counts_time=point.axes['clock'] == 'instructions',
            progress=progress)
        self._restored = state is not None

    def __enter__(self):
        try:
            if self._restored:
                self.stack.launch()
            else:
                self._boot()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *exception):
        self.stack.close()

    def run(self, command, timeout, **options):
        """In the guest that the programs run in; returns what it prints (Exact.run())."""
        return self.stack.run(self.world, command, timeout, **options)

    def fragment(self, share, movable):
        """Have no free block of 2 MiB in that share of the memory that is free, 0 to 1.

        In the guest that the programs run in; what takes it apart is then stopped, and keeps it so.
        movable: whether the kernel may move what is in the way, so that compaction helps
        """
        options = '--movable ' if movable else ''
        self.run('mount -o remount,size=100% /dev/shm; '
                 f"count=$(awk '/^MemFree/ {{ print int($2 * {1 - share} / 4) }}' /proc/meminfo); "
                 '[ $count = 0 ] || dd if=/dev/zero of=/dev/shm/whole bs=4k count=$count 2>/dev/null; '
                 f'fragment {options}--block 2M >/tmp/fragment 2>&1 & '
                 'until grep -q ready /tmp/fragment; do kill -0 $! || exit; sleep 0.1; done; '
                 'kill -STOP $!; rm -f /dev/shm/whole', FRAGMENT_SECONDS)

    def _l1_words(self):
        if self.world == 'l1':
            return self._words_for_program()
        return words_for_pages(self.configuration.host, self._memory.l2)

    def _words_for_program(self):
        """Of the kernel that the program runs under; a segment needs none."""
        configuration = self.configuration
        return '' if configuration.guest_segment else words_for_pages(configuration.guest, self.work)

    def _boot(self):
        self.stack.boot_l1()
        if self.world == 'l2':
            self._boot_l2()
        if self.configuration.guest_segment:
            self.run('modprobe dseg-guest', 60)

    def _boot_l2(self):
        configuration = self.configuration
        if configuration.paging == 'shadow':
            self.stack.run('l1', SHADOW)
        self.stack.boot_l2(append=self._words_for_program(),
                           settings=settings_of_l2(configuration.host, self._grows),
                           arguments=vm.MONITOR if self._has_monitor else '')
        if configuration.host == '1g':
            self.run(FILL_LOW, 120)
        if configuration.vmm_segment:
            self.stack.run('l1', f'modprobe dseg-vmm && dseg-vm attach {VMM}', ATTACH_SECONDS)
