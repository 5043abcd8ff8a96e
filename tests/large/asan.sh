#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A program with AddressSanitizer, as a user's own compiler makes it.
set -eu
. "$(dirname "$0")/common.sh"
# shellcheck disable=SC2086  # words
$RUN "$here/asan"
