#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Run one Criterion program and print its results as TAP, one line a case.
#
# Used by `make check` as the compiler of logs for programs. A program that
# fails without a failing case (a crash of the runner, a leak found at exit)
# gets a line of its own, so that no failure is lost.
# Exit status: 0; what failed is in the TAP. 77 of the program is kept.

program=$1
shift
tap=$(mktemp "${TMPDIR:-/tmp}/cliquet-tap.XXXXXX") || exit 99
trap 'rm -f "$tap"' EXIT

${CLQ_TEST_WRAPPER:-} "$program" --color=never --tap="$tap" \
    ${CLQ_TEST_JOBS:+"-j$CLQ_TEST_JOBS"} "$@" >&2
status=$?
[ "$status" -eq 77 ] && { echo "1..0 # SKIP $program"; exit 77; }

# The plan is written last: lines may be added.
grep -v -e '^1\.\.' -e '^TAP version' "$tap"
cases=$(grep -c -E '^(not )?ok' "$tap")
failed=$(grep -c -E '^not ok' "$tap")
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
	echo "not ok - $(basename "$program") ends with status $status"
	cases=$((cases + 1))
fi
echo "1..$cases"
