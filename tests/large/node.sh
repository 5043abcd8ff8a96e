#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# node: V8's heap, buffers, and memory of WebAssembly that grows.
set -eu
. "$(dirname "$0")/common.sh"
node --version
cat > load.js << 'END'
const crypto = require('crypto');
const table = new Map();
for (let i = 0; i < 200000; i++) table.set(i * 7919 % 200003, 'value ' + i);
const hash = crypto.createHash('sha256');
for (let i = 0; i < 200000; i++) hash.update(String(table.get(i)));
hash.update(Buffer.alloc(32 << 20, 'abc'));
const wasm = new WebAssembly.Memory({ initial: 16, maximum: 256 });
wasm.grow(100);
hash.update(new Uint8Array(wasm.buffer));
const sorted = [...table.entries()].sort((a, b) => a[0] - b[0]);
console.log(hash.digest('hex'), JSON.stringify(sorted).length);
END
# shellcheck disable=SC2086  # words
$RUN node load.js
