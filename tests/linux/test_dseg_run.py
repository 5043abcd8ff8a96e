# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's programs under dseg-run, in L1 and in L2: do they compute what they should, and are
their page walks those of a primary region?

What share of them is depends on how often the TLB is emptied, because walks for the kernel and
for the program's code follow: at each switch to another process, as QEMU's CPUs have no PCIDs,
and at each exit from L2, as it ignores ASIDs. So servers have a CPU of their own where they can,
and what is asserted is well below what docs/dseg-run.md reports.
"""

import base64
import hashlib
import json
import os
import subprocess
import textwrap
import time

import pytest

import guest_programs
from dseg import OUT, patient
from dseg.experiments import memcalls
from dseg.stack.stack import PROGRAMS, CommandError, Stack
from pinning import pin_l2

DIRECT = {'L1': 'native-direct', 'L2': 'guest-direct'}
LEAST_SHARE = {
    'L1': {'python3': 0.7, 'sqlite3': 0.3, 'redis-server': 0.1, 'memcached': 0.1},
    'L2': {'python3': 0.3, 'sqlite3': 0.1, 'redis-server': 0.01, 'memcached': 0.01},
}
SIZE = '64M'
REPORT = '/tmp/report.json'
MIB = 1 << 20
KEYS = 2000
EFFECTS = guest_programs.cases('run-effects')


PYTHON_LOAD = '''
    import hashlib, random
    random.seed(2014)
    table = {key: str(key * key) for key in range(100000)}
    keys = list(table)
    digest = hashlib.sha256()
    for turn in range(4):
        random.shuffle(keys)
        digest.update(''.join(map(table.get, keys)).encode())
    print(digest.hexdigest())
'''

# Fills memcached, then asks for everything in random order: in large requests, so that walks
# are those of the server at work.
MEMCACHED_CLIENT = '''
    import hashlib, random, socket
    random.seed(2014)
    server = socket.create_connection(('127.0.0.1', 11211))
    answers = server.makefile('rb')

    def value(key):
        return hashlib.md5(b'%d' % key).hexdigest().encode() * 100

    for first in range(0, {keys}, 100):
        server.sendall(b''.join(b'set k%d 0 0 3200 noreply\\r\\n%s\\r\\n' % (key, value(key))
                                for key in range(first, first + 100)))
    found = wrong = 0
    for turn in range(3):
        keys = list(range({keys}))
        random.shuffle(keys)
        for first in range(0, {keys}, 100):
            server.sendall(b'get ' + b' '.join(b'k%d' % key for key in keys[first:first + 100])
                           + b'\\r\\n')
            while (line := answers.readline()) != b'END\\r\\n':
                _, key, _, size = line.split()
                found += 1
                wrong += answers.read(int(size) + 2) != value(int(key[1:])) + b'\\r\\n'
    print(found, wrong)
'''

MEMCASLAP = '''
    key
    64 64 1
    value
    4096 4096 1
    cmd
    0 0.1
    1 0.9
'''

# A pool, a lock, a queue and shared memory: they need fork, semaphores and /dev/shm.
MULTIPROCESSING = '''
    import hashlib, multiprocessing
    from multiprocessing import shared_memory

    def digest(number):
        return hashlib.sha256(str(number).encode() * 2000).hexdigest()[:8]

    def work(lock, queue, name, first):
        memory = shared_memory.SharedMemory(name)
        for i in range(first, 4096, 4):
            with lock:
                memory.buf[4096] = (memory.buf[4096] + 1) % 251
            memory.buf[i] = i % 251
        memory.close()
        queue.put(first)

    if __name__ == '__main__':
        multiprocessing.set_start_method('fork')
        with multiprocessing.Pool(4) as pool:
            print(hashlib.sha256(''.join(pool.map(digest, range(400))).encode()).hexdigest())
        lock, queue = multiprocessing.Lock(), multiprocessing.Queue()
        memory = shared_memory.SharedMemory(create=True, size=8192)
        workers = [multiprocessing.Process(target=work, args=(lock, queue, memory.name, i))
                   for i in range(4)]
        for worker in workers:
            worker.start()
        print(sorted(queue.get() for worker in workers))
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        print(hashlib.sha256(bytes(memory.buf[:4097])).hexdigest())
        memory.close()
        memory.unlink()
'''

REDIS_FILL = ("for i=1,{keys} do "
              "redis.call('SET','k'..i,string.rep(tostring(i*7919%1000003),500)) end return 1")
# A different order than that of the keys.
REDIS_DIGEST = ("local h='' for j=0,{keys}-1 do "
                "h=redis.sha1hex(h..redis.call('GET','k'..(j*7919%{keys}+1))) end return h")


@pytest.fixture(scope='module')
def stack(tmp_path_factory):
    """With Debian's programs, those for tests, and a disk that is slow: 4 MiB a second."""
    folder = tmp_path_factory.mktemp('dseg-run')
    disk = folder / 'disk.img'
    with open(disk, 'wb') as image:
        image.truncate(2 * MIB)
    with Stack(cpu_extra='dseg=on', l1_cpus=2, l2_cpus=1, holes=False,
               initrd=guest_programs.ramdisk(folder), log_dir=OUT / 'log/test-dseg-run',
               extra_args=['-drive', f'file={PROGRAMS},format=raw,if=virtio,readonly=on',
                           '-drive', f'file={disk},format=raw,if=virtio,'
                                     'throttling.bps-total=4194304',
                           *memcalls.disk(folder)]) as both:
        both.boot_l1()
        yield both


@pytest.fixture(scope='module')
def l1(stack):
    stack.l1.run('modprobe dseg-guest')
    return stack.l1


@pytest.fixture(scope='module')
def l2(stack):
    stack.boot_l2(timeout=300)
    pin_l2(stack.l1, '1')
    stack.l2.run('modprobe dseg-guest')
    return stack.l2


@pytest.fixture(scope='module', params=['l1', 'l2'])
def guest(request):
    """All tests in L1 come first, when there is no L2 yet."""
    return request.getfixturevalue(request.param)


def put(guest, name, text):
    """A file in the guest."""
    data = base64.encodebytes(textwrap.dedent(text).lstrip().encode()).decode()
    guest.run(f'base64 -d >{name} <<"END"\n{data}END')


def report_of(guest):
    return json.loads(guest.run(f'cat {REPORT}'))


def run(guest, command, options='', timeout=300):
    """Run a program under dseg-run: returns what it prints, and the report on it."""
    guest.run(f'rm -f {REPORT}')
    output = guest.run(f'dseg-run --size {SIZE} --report {REPORT} {options} {command}', timeout)
    return output, report_of(guest)['programs'][0]


class Server:
    """A server under dseg-run, which ends with the with statement."""

    def __init__(self, guest, command, is_up):
        self.guest = guest
        guest.run(f'rm -f {REPORT}')
        # The last of one or two CPUs, by the mask; clients use the first.
        guest.run(f'taskset $(nproc) dseg-run --size {SIZE} --report {REPORT} {command} '
                  '>/tmp/server.log 2>&1 & echo $! >/tmp/server.pid')
        try:
            wait_for(guest, is_up)
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def stop(self):
        """dseg-run passes the signal on. Returns the report."""
        self.guest.run('pid=$(cat /tmp/server.pid); kill $pid; wait $pid; true', 120)

    def report(self):
        return report_of(self.guest)['programs'][0]


def wait_for(guest, command, timeout=60):
    end = time.monotonic() + patient(timeout)
    while True:
        try:
            return guest.run(command)
        except CommandError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def check_walks(guest, program):
    """They are direct or plain, and enough are direct."""
    walks = program['walks']
    plain = {'L1': 'native', 'L2': 'base'}[guest.name]
    assert {name for name, count in walks.items() if count} == {DIRECT[guest.name], plain}
    assert program['size'] == 64 * MIB and program['given'] == program['asked'] > MIB
    assert 0 < program['most_in_use'] <= program['size']
    share = walks[DIRECT[guest.name]] / sum(walks.values())
    assert program['direct_share'] == pytest.approx(share, abs=1e-5)
    print(f'{program["name"]} in {guest.name}: {share:.1%} of {sum(walks.values())} walks are '
          f'{DIRECT[guest.name]}, {program["refs_per_walk"]:.3f} references each')
    assert share > LEAST_SHARE[guest.name][program['name']]
    assert walks[DIRECT[guest.name]] > 1000


def redis(guest, script):
    text = script.replace('{keys}', str(KEYS))
    return guest.run(f'debian redis-cli eval "{text}" 0', 300).strip().strip('"')


def redis_digest():
    """What the server should say."""
    digest = ''
    for j in range(KEYS):
        key = j * 7919 % KEYS + 1
        digest = hashlib.sha1((digest + str(key * 7919 % 1000003) * 500).encode()).hexdigest()
    return digest


def redis_server(guest, options):
    return Server(guest, f'redis-server {options}', 'debian redis-cli ping')


def test_python_computes_the_same(guest):
    put(guest, '/tmp/load.py', PYTHON_LOAD)
    output, program = run(guest, 'python3 /tmp/load.py')
    expected = subprocess.run(['/usr/bin/python3', '-c', textwrap.dedent(PYTHON_LOAD)], check=True,
                              capture_output=True, text=True).stdout
    assert output == expected
    check_walks(guest, program)


def test_python_multiprocessing_computes_the_same(guest):
    put(guest, '/tmp/processes.py', MULTIPROCESSING)
    output, program = run(guest, 'python3 /tmp/processes.py')
    expected = subprocess.run(['/usr/bin/python3', '-c', textwrap.dedent(MULTIPROCESSING)],
                              check=True, capture_output=True, text=True).stdout
    assert output == expected
    assert program['walks'][DIRECT[guest.name]] > 1000


def test_shared_memory_has_its_file_system(guest):
    assert guest.run('stat -c %a /dev/shm; grep " /dev/shm " /proc/mounts').split()[:4] == [
        '1777', 'shm', '/dev/shm', 'tmpfs']
    guest.run('echo seen >/dev/shm/file')
    assert guest.run('debian cat /dev/shm/file; rm /dev/shm/file') == 'seen\n'


def test_sqlite_finds_what_was_inserted(guest):
    rows = 40000
    put(guest, '/tmp/load.sql', f'''
        create table t(a integer primary key, b text, c integer);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})
            insert into t select i, printf('%0128d', i), i * 7919 % 40009 from n;
        create index x on t(c);
        select count(*), sum(c) from t;
        select sum(b) from t indexed by x where c >= 0;
        select sum(b) from t where c in (select a from t where a % 7 = 0);
        pragma integrity_check;
    ''')
    output, program = run(guest, "sqlite3 :memory: '.read /tmp/load.sql'")
    table = {a: a * 7919 % 40009 for a in range(1, rows + 1)}
    chosen = sum(a for a, c in table.items() if c % 7 == 0 and c in table)
    assert output.split() == [f'{rows}|{sum(table.values())}', f'{sum(table)}', f'{chosen}', 'ok']
    check_walks(guest, program)


def test_redis_keeps_its_data_under_its_benchmark(guest):
    with redis_server(guest, '--save ""') as server:
        redis(guest, REDIS_FILL)
        benchmark = guest.run('taskset 1 debian redis-benchmark -t set,get -n 5000 -r 30000 '
                              '-d 512 -P 32 --csv', 300)
        assert [line.split(',')[0] for line in benchmark.splitlines()[1:]] == ['"SET"', '"GET"']
        assert redis(guest, REDIS_DIGEST) == redis_digest()
    check_walks(guest, server.report())


def test_redis_dump_by_fork_under_load_is_right(guest):
    files = '--dir /tmp --dbfilename fork.rdb'
    guest.run('rm -f /tmp/fork.rdb')
    with redis_server(guest, f'--save "" {files}') as server:
        redis(guest, REDIS_FILL)
        guest.run('taskset 1 debian redis-benchmark -t set -n 3000 -r 2000 -d 512 -P 32 -q '
                  '>/tmp/benchmark.log & debian redis-cli bgsave', 120)
        wait_for(guest, 'debian redis-cli info persistence | grep rdb_bgsave_in_progress:0', 120)
        assert 'rdb_last_bgsave_status:ok' in guest.run('debian redis-cli info persistence')
        assert redis(guest, REDIS_DIGEST) == redis_digest()
    check_walks(guest, server.report())
    guest.run(f'debian redis-server --save "" {files} --daemonize yes')
    try:
        wait_for(guest, 'debian redis-cli ping | grep PONG', 120)
        assert redis(guest, REDIS_DIGEST) == redis_digest()
    finally:
        guest.run('debian redis-cli shutdown nosave')


def test_memcached_returns_what_was_stored(guest):
    put(guest, '/tmp/client.py', MEMCACHED_CLIENT.replace('{keys}', str(KEYS)))
    with Server(guest, 'memcached -u root -m 48 -t 1 -U 0 -l 127.0.0.1',
                'debian memcping --servers=127.0.0.1') as server:
        found = guest.run('taskset 1 debian python3 /tmp/client.py', 600)
        assert found.split() == [str(3 * KEYS), '0']
    check_walks(guest, server.report())


def test_memcached_under_its_load_generator(guest):
    """Each request is a small one here, and most walks are the kernel's."""
    put(guest, '/tmp/memcaslap.cnf', MEMCASLAP)
    with Server(guest, 'memcached -u root -m 48 -t 1 -U 0 -l 127.0.0.1',
                'debian memcping --servers=127.0.0.1') as server:
        output = guest.run('taskset 1 debian memcaslap -s 127.0.0.1:11211 -F /tmp/memcaslap.cnf '
                           '-T 1 -c 1 -x 2000 -d 50 -w 2k -v 1', 600)
        assert 'cmd_get: 1800' in output and 'get_misses: 0' in output
        assert 'verify_misses: 0' in output and 'verify_failed: 0' in output
    check_walks(guest, server.report())


# What does not depend on where it is.

@pytest.fixture(scope='module')
def effects(l1):
    """The program for what is delicate, where programs of the disk find it."""
    l1.run('cp /usr/bin/run-* /tmp/; disk=$(for file in /sys/block/vd*; do '
           'grep -qx 4096 $file/size && echo ${file##*/}; done); test -b /dev/$disk; '
           'ln -sf $disk /dev/disk-for-tests')
    return '/tmp/run-effects'


@pytest.mark.parametrize('case', EFFECTS)
def test_program_is_none_the_wiser(l1, effects, case):
    """It finds the same by itself and under dseg-run, with a region all the time or up to then."""
    l1.run(f'debian {effects} {case}')
    _, program = run(l1, f'{effects} {case}', '--size 16M', timeout=60)
    assert program['size'] == 16 * MIB and program['given'] > 0
    assert program['bound_deep'] == (case == 'library-bound-deep')


def test_program_with_its_own_malloc_frees_what_others_allocate(l1, effects):
    l1.run('debian /tmp/run-own-malloc')
    _, program = run(l1, '/tmp/run-own-malloc', '--size 16M')
    assert program['given'] > 0


def test_library_that_the_user_preloads_comes_first(l1, effects):
    command = 'python3 -c "print(7 * 6)"'
    assert l1.run(f'debian env LD_PRELOAD=/tmp/run-first {command}') == '42\nmaps were seen\n'
    l1.run(f'rm -f {REPORT}')
    output = l1.run(f'debian env LD_PRELOAD=/tmp/run-first dseg-run --size 16M --report {REPORT} '
                    f'{command}')
    # And once more, of dseg-run itself.
    assert output == '42\nmaps were seen\n' + output.splitlines()[-1] + '\n'
    assert report_of(l1)['programs'][0]['given'] > 0


def fail(guest, command):
    """Exit code and output of a command that must fail."""
    with pytest.raises(CommandError) as caught:
        guest.run(command)
    return caught.value.code, caught.value.output


SEQUENCES = 24 * int(os.environ.get('DSEG_TEST_EFFORT', 1))
SEED = int(os.environ.get('DSEG_TEST_SEED', 2014))


def test_random_calls_say_the_same_as_without_dseg_run(l1):
    comparison = memcalls.Comparison(l1, SEED)
    for first in range(0, SEQUENCES, memcalls.BATCH):
        comparison.batch(first)
    print(comparison.report())
    assert not comparison.differences, '\n'.join(map(str, comparison.differences))
    # And there was something that could have differed.
    assert comparison.lines > 20 * SEQUENCES
    assert comparison.kept > SEQUENCES / 3


@pytest.mark.parametrize('option, said', [
    ('--size 5M', "--size: '5M' is no multiple of 2M"),
    ('--size 0', "--size: '0' is no multiple of 2M, or 0"),
    ('--size 12Q', "--size: '12Q' is no size"),
    ('--size 2M --at-least 4M', '--at-least: must not be more than --size'),
    ('--share 101', "--share: '101' is no number from 0 to 100"),
    ('--nonsense', "unrecognized option '--nonsense'")])
def test_bad_option_is_refused(l1, option, said):
    code, output = fail(l1, f'dseg-run {option} python3 -c "print(7 * 6)"')
    assert code == 125 and said in output and '42' not in output


def test_program_that_is_not_there(l1):
    code, output = fail(l1, 'dseg-run nosuchprogram')
    assert code == 127 and 'nosuchprogram: No such file or directory' in output


def test_region_that_cannot_be_had(l1):
    code, output = fail(l1, 'dseg-run --size 64G python3 -c "print(7 * 6)"')
    assert code == 125 and '42' not in output
    assert 'no primary region of 65536.0 MiB: no contiguous memory could be had' in output
    output = l1.run('dseg-run --size 64G --if-possible python3 -c "print(7 * 6)"')
    assert '42' in output and 'no primary region of 65536.0 MiB' in output
    output, program = run(l1, 'python3 -c "print(7 * 6)"', '--size 64G --at-least 16M')
    assert output == '42\n' and 16 * MIB <= program['size'] < 2048 * MIB


def test_no_module(l1):
    l1.run('rmmod dseg-guest')
    try:
        code, output = fail(l1, 'dseg-run python3 -c "print(7 * 6)"')
        assert code == 125 and 'is the module dseg-guest loaded?' in output and '42' not in output
        assert '42\n' in l1.run('dseg-run --if-possible python3 -c "print(7 * 6)"')
    finally:
        l1.run('modprobe dseg-guest')


def test_static_program_is_told_of(l1):
    assert 'linked statically' in l1.run('dseg-run busybox true')


def test_child_of_a_static_program_has_a_region_of_its_own(l1):
    """Through a file of its own: that of dseg-run may be closed, and another have its number."""
    l1.run(f'rm -f {REPORT}')
    output = l1.run(f'dseg-run --size 16M --report {REPORT} busybox sh -c "for fd in 3 4 5 6 7 8 9; '
                    'do eval \\"exec \\$fd</dev/null\\"; done; '
                    'python3 -c \'import os; print([os.path.exists(f\\"/proc/self/fd/{i}\\") '
                    'for i in range(3, 10)])\'; exit 3" || echo $?')
    assert output == f'{[True] * 7}\n3\n'
    program, = report_of(l1)['programs']
    assert program['name'] == 'python3' and program['walks']['native-direct'] > 0


def test_killed_program_is_reported_on(l1):
    l1.run(f'rm -f {REPORT}')
    code, _ = fail(l1, f'dseg-run --report {REPORT} python3 -c '
                       '"import os; x = list(range(99999)); os.kill(os.getpid(), 9)"')
    report = report_of(l1)
    assert code == 128 + 9 == report['exit_code']
    assert report['programs'][0]['walks']['native-direct'] > 0


def test_exit_code_is_handed_on(l1):
    assert fail(l1, 'dseg-run python3 -c "raise SystemExit(3)"')[0] == 3


def test_program_that_replaces_another_has_no_region(l1):
    output, program = run(l1, 'python3 -c "import os; os.execvp(\'sqlite3\', '
                              '[\'sqlite3\', \':memory:\', \'select 7 * 6\'])"')
    assert output == '42\n'
    assert program['name'] == 'python3' and program['walks']['native-direct'] > 0


def test_children_have_regions_if_asked_for(l1):
    l1.run(f'rm -f {REPORT}')
    l1.run(f'dseg-run --children --size 16M --report {REPORT} python3 -c "import subprocess; '
           'subprocess.run([\'sqlite3\', \':memory:\', \'select 7 * 6\'])"')
    programs = report_of(l1)['programs']
    assert [program['name'] for program in programs] == ['python3', 'sqlite3']
    assert all(program['walks']['native-direct'] > 0 for program in programs)


@pytest.mark.parametrize('percent', [0, 40])
def test_share_bounds_what_the_region_gets(l1, percent):
    output, program = run(l1, 'python3 -c "print(sum(map(len, map(str, list(range(200000))))))"',
                          f'--share {percent} --no-malloc')
    assert output == '1088890\n'
    assert program['given'] <= percent / 100 * program['asked']
    assert program['given'] >= percent / 100 * program['asked'] - 2 * MIB


def test_forked_child_has_a_copy(l1):
    put(l1, '/tmp/fork.py', '''
        import os
        table = [str(i) for i in range(100000)]
        if child := os.fork():
            assert os.waitpid(child, 0)[1] == 0
            assert table == [str(i) for i in range(100000)]
            print('right')
        else:
            assert table == [str(i) for i in range(100000)]
            table[:] = [x + 'x' for x in table]
    ''')
    output, program = run(l1, 'python3 /tmp/fork.py')
    assert output == 'right\n' and program['walks']['native-direct'] > 0
