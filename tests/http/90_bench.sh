#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/bench works: every operation is measured, and none is refused.
. "$(dirname "$0")/lib.sh"
need nginx
new_dir
trap 'rm -rf "$dir"' EXIT
. "$src/tests/support/tap.sh"
export PYTHONPATH=
CLQ_BUILDDIR=$builddir bash "$src/scripts/bench" --smoke > "$dir/out" \
    2> "$dir/err"
result "it ends well" $?
[ $failed -eq 0 ] || tail -n 20 "$dir/err" | sed 's/^/# /'
for operation in hello heartbeat GET 'GET 304' 'list of 100' \
    'filter + sort in 10^4' 'filter + sort in 1,000' 'poll, no change' POST \
    PUT PATCH DELETE 'batch of 25' mixed; do
	rows=$(grep -c -F "| $operation | nginx |" "$dir/out")
	rows=$((rows + $(grep -c -F "| $operation | socket |" "$dir/out")))
	[ $rows -eq 2 ]
	result "$operation, both ways" $?
done
grep -q -x '| errors | | 0 | 0 | |' "$dir/out"
result "no request was refused" $?
[ $failed -eq 0 ] || sed 's/^/# /' "$dir/err" | grep -v ' 0 errors$' | head -n 20
plan
