# SPDX-License-Identifier: GPL-2.0-or-later
"""A cluster of Slurm on this machine: munged, slurmctld and two slurmd, of Debian's packages.

All of its files are in a folder of its own, and its ports are free ones.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from dseg import patient
from dseg.base import processes

PROGRAMS = ('munged', 'slurmctld', 'slurmd', 'sbatch', 'squeue', 'scancel', 'sinfo', 'scontrol')
NODES = ('n1', 'n2')
DEAD_AFTER = 10                 # seconds without a word from a node
CONFIGURATION = '''\
ClusterName=dseg
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmdTimeout={dead_after}
KillWait=5
SchedulerParameters=sched_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory={memory}
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory={memory}
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
'''


def why_not():
    """Why there can be no cluster here, or ''."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path='/usr/sbin:/usr/bin')]
    if missing:
        return f'there is no {missing[0]}: install the group slurm of scripts/lib/packages'
    if os.geteuid() != 0:
        return 'only root can start jobs as slurmd does'
    return ''


def version():
    """Of Slurm, as (22, 5)."""
    text = subprocess.run(['/usr/sbin/slurmd', '-V'], check=True, text=True, timeout=60,
                          stdout=subprocess.PIPE).stdout
    return tuple(map(int, re.search(r'(\d+)\.(\d+)', text).groups()))


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(('127.0.0.1', 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Cluster(contextlib.ExitStack):
    """One that runs until the with statement ends, or the process that started it."""

    def __init__(self, folder, memory=16000):
        """memory: of each node, in MiB"""
        super().__init__()
        self.nodes = {}
        self.folder = folder
        self.env = {'SLURM_CONF': str(folder / 'slurm.conf')}
        for name in ('state', *(f'spool-{node}' for node in NODES)):
            (folder / name).mkdir()
        (folder / 'slurm.conf').write_text(CONFIGURATION.format(
            folder=folder, host=socket.gethostname(), ports=free_ports(3), dead_after=DEAD_AFTER,
            memory=memory))
        if version() >= (23, 11):       # these would set up cgroups otherwise
            (folder / 'cgroup.conf').write_text('CgroupPlugin=disabled\n')
        key = folder / 'munge.key'
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)

    def __enter__(self):
        try:
            self._begin(self.folder)
        except BaseException:
            self.close()
            raise
        return self

    def _begin(self, folder):
        self._daemon('munged', '--foreground', '--force', f'--key-file={folder}/munge.key',
                     f'--socket={folder}/munge.socket', f'--pid-file={folder}/munged.pid',
                     f'--log-file={folder}/munged.log', f'--seed-file={folder}/munged.seed')
        self._until(lambda: (folder / 'munge.socket').exists(), 'munged')
        self._daemon('slurmctld', '-D', '-c')
        self.nodes = {node: self._daemon('slurmd', '-D', '-N', node) for node in NODES}
        self._until(lambda: self.states() == {'idle'}, 'the nodes')

    def _daemon(self, program, *words):
        """Under a keeper, which finds all that it starts, and ends it."""
        output = self.enter_context(open(self.folder / f'{program}.out', 'ab'))
        return self.enter_context(processes.running(
            [f'/usr/sbin/{program}', *words], env={**os.environ, **self.env}, stdout=output,
            stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT))

    def _until(self, is_so, what, seconds=60):
        end = time.monotonic() + patient(seconds)
        while not is_so():
            assert time.monotonic() < end, f'{what}: {self.logs()}'
            time.sleep(0.2)

    def logs(self):
        """The last lines of each, for who looks at a failure."""
        return '\n'.join(f'{file.name}: {line}' for file in self.folder.glob('*.[lo][ou][gt]')
                         for line in file.read_text(errors='replace').splitlines()[-15:])

    def ask(self, program, *words):
        done = subprocess.run([program, *words], check=False, text=True, timeout=patient(60),
                              env={**os.environ, **self.env}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return done.stdout

    def states(self):
        """Of all nodes."""
        return {line.split()[-1] for line in
                self.ask('sinfo', '--noheader', '--Node', '--format=%N %t').splitlines()}

    def jobs(self):
        """Array and index of each job that is there, its state, and its node."""
        return [line.split(',') for line in self.ask(
            'squeue', '--noheader', '--array', '--format=%F,%K,%T,%N').splitlines()]

    def kill_node(self, node):
        """As if its power had gone: slurmd, slurmstepd, and the processes of its jobs."""
        keeper = self.nodes[node]
        pids = family({keeper.pid}) - {keeper.pid}
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            pids |= family(pids)
        keeper.wait()
        return pids


def family(pids):
    """Those and all of their descendants."""
    parents = {}
    for process in Path('/proc').glob('[0-9]*'):
        try:
            words = (process / 'stat').read_text(errors='replace').rpartition(')')[2].split()
        except OSError:
            continue
        parents[int(process.name)] = int(words[1])
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found
