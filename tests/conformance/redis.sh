# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For the scripts beside it: a suite on redis.so with a server of our own on a
# UNIX socket, which outlives its own death. To be sourced.
#
#	on_redis KIND	run tests/conformance/KIND

. "$(dirname "${BASH_SOURCE[0]}")/run.sh"

on_redis() {
	mkdir "$folder/data"
	own_service redis-server "redis-server --port 0 \
	    --unixsocket '$folder/redis.sock' --dir '$folder/data' \
	    --appendonly yes --appendfsync everysec --save '' --daemonize no" \
	    "redis-cli -s '$folder/redis.sock' ping 2> /dev/null |
	    grep -q PONG"
	suite "$1" redis "unix://$folder/redis.sock"
}
