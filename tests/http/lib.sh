# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For tests/http/*.sh that test cliquetd by itself: where things are, the test
# application, and a few functions for tests in shell. To be sourced.
#
#	python NAME		run tests/http/NAME.py instead of this script
#	on_postgres NAME [OPTION...]
#				the same, with a PostgreSQL of its own
#				(tests/support/with-postgres OPTION...)
#	need COMMAND		skip the test without it
#	new_dir			$dir, removed at the end
#	start_cliquetd INI	its pid is $cliquetd; ended at the end
#	wait_ready SOCKET	until it answers
#	fcgi SOCKET METHOD URI ...	one request (tests/support/fcgi.py)
#
# The application is compiled here, as anybody's plugin is: with the installed
# headers and nothing of the build.

set -u
export PATH="$PATH:/usr/sbin:/sbin"
src=${CLQ_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)}
builddir=${CLQ_BUILDDIR:-$PWD}
export CLIQUETD=${CLIQUETD:-$builddir/cliquetd}
export CLIQUET=${CLIQUET:-$builddir/cliquet}
export CLQ_PLUGIN_PATH=${CLQ_PLUGIN_PATH:-$builddir/plugins}
export PYTHONPATH=$src/tests/support PYTHONDONTWRITEBYTECODE=1
export PYTHONUNBUFFERED=1
apps=$builddir/plugins/test	# `make clean` removes plugins
export CLQ_TEST_APP=$apps/slow.so CLQ_TEST_SICK=$apps/sick.so
dir=
cliquetd=

need() {
	command -v "$1" > /dev/null && return
	echo "1..0 # SKIP no $1"
	exit 0
}

# compile_app NAME [FILE]: tests/apps/NAME.c, or FILE, to $apps/NAME.so.
compile_app() {
	local out=$apps/$1.so in=${2:-$src/tests/apps/$1.c}
	[ "$out" -nt "$in" ] && return
	mkdir -p "$apps"
	# shellcheck disable=SC2046
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O1 -g -fPIC -shared \
	    -I"$src/core/include" $(pkg-config --cflags libcjson) \
	    -o "$out.$$" "$in" && mv "$out.$$" "$out" && return
	echo "Bail out! $in does not compile"
	exit 99
}

# compile_doc PAGE NAME: what stands in docs/PAGE below `<!-- file: NAME.c -->`
# to $apps/NAME.so. It is replaced, never missing: other tests may use it.
compile_doc() {
	local file
	mkdir -p "$apps"
	file=$apps/$2.$$.c
	awk -v mark="<!-- file: $2.c -->" '
	    $0 == mark { found = 1; next }
	    found && /^```/ { if (inside) exit; inside = 1; next }
	    inside { print }' "$src/docs/$1" > "$file"
	compile_app "$2" "$file"
	rm -f "$file"
}

python() {
	need python3
	exec python3 "$src/tests/http/$1.py"
}

on_postgres() {
	local name=$1 status
	shift
	need python3
	"$src/tests/support/with-postgres" "$@" \
	    python3 "$src/tests/http/$name.py"
	status=$?
	[ $status -eq 77 ] || exit $status
	echo "1..0 # SKIP no PostgreSQL"
	exit
}

new_dir() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/clq-http.XXXXXX") || exit 99
	trap clean_up EXIT
	trap 'exit 99' INT TERM HUP
}

clean_up() {
	local i
	if [ -n "$cliquetd" ]; then
		kill -TERM "$cliquetd" 2> /dev/null
		for ((i = 0; i < 100; i++)); do
			kill -0 "$cliquetd" 2> /dev/null || break
			sleep 0.05
		done
		kill -KILL "$cliquetd" 2> /dev/null
	fi
	rm -rf "$dir"
}

start_cliquetd() {
	"$CLIQUETD" "$1" > "$dir/cliquetd.log" 2>&1 < /dev/null &
	cliquetd=$!
}

fcgi() {
	python3 "$src/tests/support/fcgi.py" "$@"
}

wait_ready() {
	local i
	for ((i = 0; i < 1200; i++)); do
		fcgi "$1" GET / > /dev/null 2>&1 && return
		kill -0 "$cliquetd" 2> /dev/null || break
		sleep 0.05
	done
	echo "Bail out! cliquetd does not answer"
	exit 99
}

compile_app slow
compile_app sick
