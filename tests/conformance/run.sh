# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For the scripts beside it, KIND_BACKEND.sh: run the suite KIND on a backend
# of the build tree and print TAP. To be sourced.
#
#	folder			a temporary folder, removed at the end
#	suite KIND PLUGIN [URL]	run tests/conformance/KIND

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
