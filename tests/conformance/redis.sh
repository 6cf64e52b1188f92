# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For the scripts beside it: a suite on redis.so with a server of our own on a
# UNIX socket, which outlives its own death. To be sourced.
#
#	on_redis KIND	run tests/conformance/KIND

. "$(dirname "${BASH_SOURCE[0]}")/run.sh"

on_redis() {
	command -v redis-server > /dev/null ||
	    { echo "1..0 # SKIP no redis-server"; exit 0; }
	mkdir "$folder/data"
	# The commands the suite calls to take the service away and bring it back.
	cat > "$folder/start" <<-EOF
	#!/bin/bash
	redis-server --port 0 --unixsocket "$folder/redis.sock" \
	    --dir "$folder/data" --appendonly yes --appendfsync everysec \
	    --save '' --daemonize no < /dev/null > "$folder/log" 2>&1 &
	echo \$! > "$folder/pid"
	for i in {1..100}; do
		redis-cli -s "$folder/redis.sock" ping 2> /dev/null |
		    grep -q PONG && exit 0
		sleep 0.05
	done
	exit 1
	EOF
	cat > "$folder/stop" <<-EOF
	#!/bin/bash
	pid=\$(cat "$folder/pid")
	kill -KILL "\$pid" 2> /dev/null
	for i in {1..100}; do
		kill -0 "\$pid" 2> /dev/null || exit 0
		sleep 0.05
	done
	exit 1
	EOF
	trap 'bash "$folder/stop"; rm -rf "$folder"' EXIT
	bash "$folder/start" ||
	    { echo "Bail out! redis-server does not start"; exit 1; }
	export CLQ_TEST_STOP="bash $folder/stop"
	export CLQ_TEST_START="bash $folder/start"
	suite "$1" redis "unix://$folder/redis.sock"
}
