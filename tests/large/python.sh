#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Python's multiprocessing, in each way of starting processes.
set -eu
. "$(dirname "$0")/common.sh"
python3 --version
cat > load.py << 'END'
import array, hashlib, multiprocessing, sys
from multiprocessing import shared_memory


def digest(number):
    return hashlib.sha256(str(number).encode() * 5000).hexdigest()


def count(name, lock, queue, first):
    memory = shared_memory.SharedMemory(name)
    for i in range(first, 8192, 4):
        memory.buf[i] = i % 251
        with lock:
            memory.buf[8192] = (memory.buf[8192] + 1) % 251
    memory.close()
    queue.put(array.array('q', range(first, 100000)))


if __name__ == '__main__':
    for way in 'fork', 'spawn', 'forkserver':
        ways = multiprocessing.get_context(way)
        with ways.Pool(4) as pool:
            digests = ''.join(pool.map(digest, range(400)))
        print(way, hashlib.sha256(digests.encode()).hexdigest())
        lock, queue = ways.Lock(), ways.Queue()
        memory = shared_memory.SharedMemory(create=True, size=12288)
        workers = [ways.Process(target=count, args=(memory.name, lock, queue, i)) for i in range(4)]
        for worker in workers:
            worker.start()
        print(sorted(sum(queue.get()) for _ in workers))
        for worker in workers:
            worker.join()
        print([worker.exitcode for worker in workers],
              hashlib.sha256(bytes(memory.buf[:8193])).hexdigest())
        memory.close()
        memory.unlink()
END
# shellcheck disable=SC2086  # words
$RUN python3 load.py
