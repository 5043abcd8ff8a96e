# SPDX-License-Identifier: GPL-2.0-or-later
"""A debugger's view of a nested guest: what the guest itself has there.

A program in L2 says by /proc where it has what. The machine is then stopped in
that program, and gdb, the monitor and a memory dump have to agree. Where its
memory is in the machine follows from the layout of the stack.
"""

import hashlib
import re
import struct
import time
from dataclasses import dataclass

import pytest

from dseg import patient
from dseg.stack.modes import WorkArea, find_cr3
from gdbremote import Gdb, GdbError

PAGE = 0x1000
MARK = 'MARK=in-the-environment-of-a-program-in-L2'
AREA = 0x400000
CHUNK = 256 << 20
PRESENT = 1 << 63           # of an entry of /proc/PID/pagemap
FRAME = (1 << 55) - 1


@dataclass(frozen=True)
class Program:
    """What /proc says of a program in L2."""
    pid: str
    cr3: int            # its page tables: other programs are at its addresses
    maps: list          # (range of addresses, permissions, name)
    environment: int    # address of MARK, on its stack
    banner: int         # address of linux_banner, of the kernel
    version: str        # what is there


def pagemap(stack, pid, areas):
    """The pages of a program that are there: {gVA: gPA}."""
    # One command for all, because each takes its time.
    text = stack.l2.run(' ; '.join(
        f'dd if=/proc/{pid}/pagemap bs=8 count={len(area) // PAGE} '
        f'skip={area.start // PAGE} 2>/dev/null' for area in areas).join(
            ('{ ', ' ; } | od -An -v -tx8')))
    entries = [int(word, 16) for word in text.split()]
    addresses = [address for area in areas
                 for address in range(area.start, area.stop, PAGE)]
    assert len(entries) == len(addresses)
    return {address: (entry & FRAME) * PAGE
            for address, entry in zip(addresses, entries) if entry & PRESENT}


def page_of(address):
    begin = address // PAGE * PAGE
    return range(begin, begin + PAGE)


def read_maps(text):
    found = re.findall(r'^(\w+)-(\w+) (\S+) \S+ \S+ \S+ *(.*)$', text, re.M)
    return [(range(int(begin, 16), int(end, 16)), permissions, name)
            for begin, end, permissions, name in found]


@pytest.fixture(scope='module')
def program(session_stack):
    """GUPS in the background of L2, on a table of 4 MiB."""
    stack, layout = session_stack, session_stack.layout
    # Before the program takes the CPU: this reads 100,000 lines.
    symbol = stack.l2.run('grep -m 1 " linux_banner$" /proc/kallsyms',
                          timeout=300)
    stack.l2.run(f'{MARK} gups --bytes {AREA} --updates 200000 --rounds 0 '
                 f'--phys {layout.l2_work_gpa:#x} --at {layout.gva:#x} '
                 '>/tmp/program & '
                 'until [ $(grep -c " round " /tmp/program) -ge 2 ]; do sleep 0.1; done')
    pid = stack.l2.run('pidof gups').strip()
    maps = read_maps(stack.l2.run(f'cat /proc/{pid}/maps'))
    begin = int(stack.l2.run(f'cut -d" " -f50 /proc/{pid}/stat'))
    before = stack.l2.run(f'tr "\\0" "\\n" </proc/{pid}/environ').split(MARK)[0]
    cr3 = find_cr3(stack, WorkArea('nested', layout.gva, layout.l2_work_gpa,
                                   AREA))
    stack.qmp('x86-dseg-clear')
    yield Program(pid, cr3, maps, begin + len(before),
                  int(symbol.split()[0], 16),
                  stack.l2.run('cat /proc/version').strip())
    stack.l2.run('killall gups')


def stop_in(stack, program, timeout=60):
    """Stops the machine while its CPU executes the program."""
    deadline = time.monotonic() + patient(timeout)
    while time.monotonic() < deadline:
        stack.qmp('stop')
        [cpu] = stack.qmp('query-x86-dseg')
        if (cpu['guest-mode'], cpu['cpl'], cpu['cr3']) == (True, 3, program.cr3):
            return
        stack.qmp('cont')
        time.sleep(0.02)
    pytest.fail(f'the program did not run in {timeout} s')


@pytest.fixture
def stopped(stack, program):
    stop_in(stack, program)
    yield stack
    stack.qmp('cont')


def in_machine(stack, gpa):
    """The hPA of an address in L2's memory, which is contiguous there."""
    return stack.layout.hole + gpa


def physical(stack, folder, address, size):
    """What the machine has there."""
    file = folder / 'physical'
    stack.qmp('pmemsave', val=address, size=size, filename=str(file))
    return file.read_bytes()


def examine(stack, address, size):
    """What the monitor's command x shows."""
    words = stack.hmp(f'x /{size}xb {address:#x}')
    lines = re.findall(r'^\w+: (.*)$', words, re.M)
    return bytes(int(word, 16) for word in ' '.join(lines).split())


def translated(stack, address):
    """What gva2gpa says: an address of the machine, or None."""
    found = re.search(r'gpa: (0x\w+)', stack.hmp(f'gva2gpa {address:#x}'))
    return int(found[1], 16) if found else None


def test_gdb_and_x_read_the_environment_of_a_program_in_l2(stopped, program):
    assert examine(stopped, program.environment, len(MARK)) == MARK.encode()
    with Gdb(stopped) as gdb:
        data = gdb.memory(program.environment, len(MARK))
    assert data == MARK.encode()


def test_gdb_and_x_read_the_memory_of_l2s_kernel(stopped, program):
    size = len(program.version)
    assert examine(stopped, program.banner, size) == program.version.encode()
    with Gdb(stopped) as gdb:
        assert gdb.memory(program.banner, size) == program.version.encode()


def test_gdb_and_x_read_a_table_that_the_program_changes(stopped, tmp_path):
    layout = stopped.layout
    expected = physical(stopped, tmp_path, layout.l2_work_hpa, AREA)
    for offset in (0, PAGE - 24, AREA // 2 + 8, AREA - 48):
        here = expected[offset:offset + 48]
        assert examine(stopped, layout.gva + offset, 48) == here
    with Gdb(stopped) as gdb:
        for offset in range(0, AREA, AREA // 16):
            here = expected[offset:offset + 512]
            assert gdb.memory(layout.gva + offset, 512) == here


def test_what_gdb_writes_is_what_the_program_finds(stack, program):
    other = MARK[::-1].encode()
    stop_in(stack, program)
    with Gdb(stack) as gdb:
        gdb.checked(f'M{program.environment:x},{len(other):x}:{other.hex()}')
    assert other.decode() in stack.l2.run(f'cat /proc/{program.pid}/environ')
    stop_in(stack, program)
    with Gdb(stack) as gdb:
        gdb.checked(f'M{program.environment:x},{len(MARK):x}:'
                    f'{MARK.encode().hex()}')
    assert MARK in stack.l2.run(f'cat /proc/{program.pid}/environ')


def test_gva2gpa_gives_the_address_in_the_machine(stack, program):
    [gpa] = pagemap(stack, program.pid,
                    [page_of(program.environment)]).values()
    layout = stack.layout
    stop_in(stack, program)
    at = {layout.gva + offset: layout.l2_work_hpa + offset
          for offset in (0, 8, PAGE + 1, AREA - 1)}
    at[program.environment] = in_machine(stack, gpa) + \
        program.environment % PAGE
    found = {address: translated(stack, address) for address in at}
    stack.qmp('cont')
    assert found == at


def test_what_l2_does_not_map_is_no_memory_for_a_debugger(stopped):
    unmapped = stopped.layout.gva + 64 * AREA
    for address in (unmapped, 1 << 62):
        assert translated(stopped, address) is None
        assert 'Cannot access memory' in stopped.hmp(f'x /1xb {address:#x}')
    with Gdb(stopped) as gdb, pytest.raises(GdbError):
        gdb.memory(unmapped, 8)


def tlb(stack):
    """What 'info tlb' shows: {gVA: (gPA, flags)}."""
    lines = re.findall(r'^(\w+): (\w+) (\S+)$', stack.hmp('info tlb'), re.M)
    return {int(gva, 16): (int(gpa, 16), flags) for gva, gpa, flags in lines}


def test_info_tlb_shows_each_page_of_the_program(stack, program):
    """All that are user pages, and no others."""
    # pagemap is silent about memory that is not the kernel's own.
    silent = ('/dev/mem', '[vvar]', '[vsyscall]')
    expected = pagemap(stack, program.pid, [
        area for area, _, name in program.maps if name not in silent])
    stop_in(stack, program)
    pages = tlb(stack)
    stack.qmp('cont')
    layout = stack.layout
    expected |= {layout.gva + offset: layout.l2_work_gpa + offset
                 for offset in range(0, AREA, PAGE)}
    vvar = next(area for area, _, name in program.maps if name == '[vvar]')
    found = {gva: gpa for gva, (gpa, _) in pages.items()
             if not gva >> 47 and gva not in vvar}
    assert found == expected


def test_info_tlb_shows_the_flags_of_the_entry(stopped):
    layout = stopped.layout
    pages = tlb(stopped)
    flags = {pages[layout.gva + offset][1] for offset in range(0, AREA, PAGE)}
    # No execute, dirty, accessed, user, writable; not cached, as /dev/mem is.
    assert flags == {'X--DAC-UW'}


def test_info_mem_shows_the_ranges_of_the_program(stopped, program):
    lines = re.findall(r'^(\w+)-(\w+) (\w+) (\S+)$', stopped.hmp('info mem'),
                       re.M)
    ranges = [(int(begin, 16), int(end, 16), int(size, 16), mode)
              for begin, end, size, mode in lines]
    table = stopped.layout.gva
    assert (table, table + AREA, AREA, 'urw') in ranges
    for begin, end, size, mode in ranges:
        assert size == (end - begin) % 2**64
        if begin >> 47:
            continue
        around = [permissions for area, permissions, _ in program.maps
                  if area.start < end and begin < area.stop]
        assert around and mode[0] == 'u'
        # What is not writable may still be copied on write.
        assert mode[2] == '-' or all('w' in p for p in around)


def load_segments(file):
    """The PT_LOAD headers of a dump: (offset, vaddr, paddr, size)."""
    data = file.read_bytes()
    assert data[:6] == b'\x7fELF\x02\x01'
    [offset] = struct.unpack_from('<Q', data, 0x20)
    size, count = struct.unpack_from('<HH', data, 0x36)
    headers = [struct.unpack_from('<IIQQQQQQ', data, offset + i * size)
               for i in range(count)]
    return data, [(at, vaddr, paddr, length)
                  for kind, _, at, vaddr, paddr, length, _, _ in headers
                  if kind == 1]


def dump(stack, folder, begin, length):
    file = folder / 'dump'
    stack.qmp('dump-guest-memory', paging=True, protocol=f'file:{file}',
              begin=begin, length=length)
    return load_segments(file)


def test_a_dump_has_the_table_at_its_addresses(stopped, tmp_path):
    layout = stopped.layout
    data, segments = dump(stopped, tmp_path, layout.l2_work_hpa, AREA)
    expected = physical(stopped, tmp_path, layout.l2_work_hpa, AREA)
    [(offset, _, paddr, size)] = [s for s in segments if s[1] == layout.gva]
    assert (paddr, size) == (layout.l2_work_hpa, AREA)
    assert data[offset:offset + size] == expected


def test_a_dump_has_a_page_of_the_stack_at_its_addresses(stack, program,
                                                         tmp_path):
    [(page, gpa)] = pagemap(stack, program.pid,
                            [page_of(program.environment)]).items()
    stop_in(stack, program)
    data, segments = dump(stack, tmp_path, in_machine(stack, gpa), PAGE)
    stack.qmp('cont')
    [(offset, _, paddr, size)] = [s for s in segments if s[1] == page]
    assert (paddr, size) == (in_machine(stack, gpa), PAGE)
    begin = offset + program.environment - page
    assert data[begin:begin + len(MARK)] == MARK.encode()


def hashes(stack, folder):
    """Of all memory of the machine, piece by piece."""
    layout, result = stack.layout, []
    for begin in range(0, min(layout.l1_memory, layout.low_end), CHUNK):
        data = physical(stack, folder, begin, CHUNK)
        result.append(hashlib.blake2b(data).hexdigest())
    return result


def test_looking_changes_no_memory_and_no_counter(stack, program, tmp_path):
    """So no accessed or dirty bit either, in the tables of L2 or of KVM."""
    layout = stack.layout
    stack.l2.run(f'echo 1 >/proc/{program.pid}/clear_refs')
    stop_in(stack, program)
    with Gdb(stack) as gdb:
        memory = hashes(stack, tmp_path)
        walks = stack.qmp('query-x86-dseg-walks')
        pages = tlb(stack)
        unused = [gva for gva, (_, flags) in pages.items() if 'A' not in flags]
        assert unused
        for address in (*unused, layout.gva, program.banner):
            assert translated(stack, address) is not None
            examine(stack, address, 8)
            gdb.memory(address, 8)
        stack.hmp('info mem')
        dump(stack, tmp_path, layout.l2_work_hpa, AREA)
        assert tlb(stack) == pages
        assert stack.qmp('query-x86-dseg-walks') == walks
        assert hashes(stack, tmp_path) == memory


def test_the_program_has_computed_right_all_the_time(stack, program):
    stack.l2.run(f'grep -q " round " /tmp/program && [ -d /proc/{program.pid} ]')
    bad = stack.l2.run('grep " round " /tmp/program | grep -vc " ok errors 0" '
                       '|| true')
    assert int(bad) == 0


SEGMENT = 0x500000345000    # where L2's page tables map nothing
SEGMENT_PAGES = 4


@pytest.fixture
def segment(stopped):
    """A guest segment there, that leads to the program's table."""
    stopped.qmp('x86-dseg-set', level='guest', base=SEGMENT,
                size=SEGMENT_PAGES * PAGE, target=stopped.layout.l2_work_gpa,
                world='nested', force=True)
    yield stopped
    stopped.qmp('x86-dseg-clear')


def test_debuggers_read_through_a_guest_segment(segment):
    layout = segment.layout
    last = SEGMENT_PAGES * PAGE - 8
    assert (translated(segment, SEGMENT + last)
            == in_machine(segment, layout.l2_work_gpa + last))
    assert translated(segment, SEGMENT + SEGMENT_PAGES * PAGE) is None
    expected = examine(segment, layout.gva + 8, 64)
    assert examine(segment, SEGMENT + 8, 64) == expected
    with Gdb(segment) as gdb:
        assert gdb.memory(SEGMENT + 8, 64) == expected


def test_info_tlb_and_info_mem_show_a_guest_segment(segment):
    pages = tlb(segment)
    for i in range(SEGMENT_PAGES):
        gpa, _ = pages[SEGMENT + i * PAGE]
        assert gpa == segment.layout.l2_work_gpa + i * PAGE
    assert SEGMENT + SEGMENT_PAGES * PAGE not in pages
    end = SEGMENT + SEGMENT_PAGES * PAGE
    assert f'{SEGMENT:016x}-{end:016x} ' in segment.hmp('info mem')


def test_debuggers_read_through_a_vmm_segment(stopped):
    """Forced to lead to the next page: the CPU would go there, too."""
    layout = stopped.layout
    stopped.qmp('x86-dseg-set', level='vmm', base=layout.l2_work_gpa, size=PAGE,
                target=layout.l2_work_hpa + PAGE, force=True)
    try:
        assert (translated(stopped, layout.gva + 8)
                == layout.l2_work_hpa + PAGE + 8)
        assert (examine(stopped, layout.gva, 64)
                == examine(stopped, layout.gva + PAGE, 64))
    finally:
        stopped.qmp('x86-dseg-clear')
