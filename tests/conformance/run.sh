# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For the scripts beside it, KIND_BACKEND.sh: run the suite KIND on a backend
# of the build tree and print TAP. To be sourced.
#
#	folder			a temporary folder, removed at the end
#	suite KIND PLUGIN [URL]	run tests/conformance/KIND
#	own_service NAME COMMAND ANSWERS
#				a server for it: COMMAND, a shell text, starts it,
#				ANSWERS is true once it does. The suite takes it
#				away (kill -9) and brings it back

set -u
srcdir=${CLQ_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
builddir=${CLQ_BUILDDIR:-$PWD}
export CLQ_PLUGIN_PATH=${CLQ_PLUGIN_PATH:-$builddir/plugins}
folder=$(mktemp -d "${TMPDIR:-/tmp}/clq-conf.XXXXXX") || exit 99
trap 'rm -rf "$folder"' EXIT
trap 'exit 99' INT TERM HUP

suite() {
	CLQ_TEST_PLUGIN=$2 CLQ_TEST_URL=${3:-} bash \
	    "$srcdir/scripts/run-criterion.sh" \
	    "$builddir/tests/conformance/$1" -j1
}

own_service() {
	command -v "$1" > /dev/null || { echo "1..0 # SKIP no $1"; exit 0; }
	cat > "$folder/start" <<-EOF
	#!/bin/bash
	$2 < /dev/null > "$folder/log" 2>&1 &
	echo \$! > "$folder/pid"
	for i in {1..1200}; do
		$3 && exit 0
		sleep 0.05
	done
	exit 1
	EOF
	cat > "$folder/stop" <<-EOF
	#!/bin/bash
	pid=\$(cat "$folder/pid")
	kill -KILL "\$pid" 2> /dev/null
	for i in {1..1200}; do
		kill -0 "\$pid" 2> /dev/null || exit 0
		sleep 0.05
	done
	exit 1
	EOF
	trap 'bash "$folder/stop"; rm -rf "$folder"' EXIT
	export CLQ_TEST_STOP="bash $folder/stop"
	export CLQ_TEST_START="bash $folder/start"
	$CLQ_TEST_START || { echo "Bail out! $1 does not start"; exit 1; }
}
