# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For tests that run against scripts/serve: start it on a free port with data
# in a temporary folder, stop it; with tests/support/tap.sh. To be sourced. What
# a test started ends with it.

set -u
clients=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$(cd "$clients/../.." && pwd -P)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/clq-client.XXXXXX") || exit 1
serve_pids=()
. "$top/tests/support/tap.sh"

finish() {
	local pid
	trap '' INT TERM HUP
	for pid in ${serve_pids[@]+"${serve_pids[@]}"}; do
		kill -TERM "$pid" 2> /dev/null && wait "$pid" 2> /dev/null
	done
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# serve_begin NAME ARGUMENT...: start scripts/serve; its output is $tmp/NAME.out
# and .err, its pid $pid.
serve_begin() {
	local name=$1
	shift
	# Now: the last one of that name was ready, too.
	: > "$tmp/$name.out"
	# bash lets what it runs in the background ignore SIGINT.
	env --default-signal=INT "$top/scripts/serve" "$@" \
	    > "$tmp/$name.out" 2> "$tmp/$name.err" < /dev/null &
	pid=$!
	serve_pids+=("$pid")
	echo "$pid" > "$tmp/$name.pid"
}

# serve_ready NAME: wait for "ready:" (SERVE_WAIT seconds, 600 for a build).
serve_ready() {
	local name=$1 i
	for ((i = 0; i < ${SERVE_WAIT:-600} * 20; i++)); do
		grep -q '^ready: ' "$tmp/$name.out" && return 0
		kill -0 "$(cat "$tmp/$name.pid")" 2> /dev/null || break
		sleep 0.05
	done
	sed 's/^/# /' "$tmp/$name.err"
	return 1
}

# serve NAME ARGUMENT...: both.
serve() {
	serve_begin "$@"
	serve_ready "$1"
}

# stop PID: as a user would; the exit status is scripts/serve's.
stop() {
	kill -TERM "$1"
	wait "$1"
}

url_of() {
	sed -n 's/^ready: \(.*\)\/$/\1/p' "$tmp/$1.out"
}

# npm_packages NAME WITNESS: the packages of tests/clients/NAME in build/NAME,
# which git ignores, anew if the lock file changed or WITNESS, one of their
# files, is missing; with the programs of that folder. $cache is the folder.
npm_packages() {
	local from=$clients/$1 file
	cache=$top/build/$1
	mkdir -p "$cache"
	for file in package.json package-lock.json .npmrc; do
		cp "$from/$file" "$cache/$file.new"
	done
	if ! cmp -s "$cache/package-lock.json.new" \
	    "$cache/package-lock.json" ||
	    ! [ -e "$cache/node_modules/$2" ]; then
		rm -rf "$cache/node_modules"
		for file in package.json package-lock.json .npmrc; do
			mv "$cache/$file.new" "$cache/$file"
		done
		(cd "$cache" && npm ci --no-audit --no-fund --ignore-scripts) \
		    > "$tmp/npm.out" 2>&1 || {
			sed 's/^/# /' "$tmp/npm.out"
			rm -f "$cache/package-lock.json"
			echo "Bail out! npm ci failed"
			exit 1
		}
	fi
	rm -f "$cache"/*.new
	cp "$from"/*.cjs "$cache/"
}
