#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A program in Go, whose memory no library knows: it calls the kernel itself.
set -eu
. "$(dirname "$0")/common.sh"
fzf --version
seq 100000 | sed 's/$/ of many lines/' > lines
# shellcheck disable=SC2086  # words
$RUN fzf -f 77m < lines > found || fail "fzf ended with exit code $?"
wc -l < found
sha256sum < found
