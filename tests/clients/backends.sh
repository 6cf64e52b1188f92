#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The protocol cases on SQLite, PostgreSQL and Redis, and the same answers from
# all, byte for byte up to ids, times and the order of keys. TAP.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# cases NAME URL: the cases on a storage, with the answers in $tmp/NAME.rec.
cases() {
	local port
	port=$(free_port)
	mkdir -p "$tmp/$1.files"
	cat > "$tmp/$1.ini" << INI
[app:main]
use = kinto
includes = kinto.plugins.default_bucket kinto.plugins.flush kinto_attachment
attachment.base_path = $tmp/$1.files
multiauth.policies = basicauth
userid_hmac_secret = some-secret-string
storage_backend = $1
storage_url = ${2//%/%%}
cache_backend = $([ "$1" = redis ] && echo redis || echo memory)
$([ "$1" = redis ] && echo "cache_url = $2")
INI
	[ "$1" != postgresql ] ||
	    "$top/build/serve/cliquet" migrate --ini "$tmp/$1.ini" >&2 ||
	    return 1
	serve "$1" --port "$port" --data "$tmp/$1" "$tmp/$1.ini" || return 1
	python3 -B "$top/tests/protocol/run.py" --record "$tmp/$1.rec" \
	    "$(url_of "$1")"
}

if [ -z "${CLQ_PG_URL:-}" ]; then
	bash "$top/tests/support/with-postgres" bash "${BASH_SOURCE[0]}"
	exit
fi
status=0

# alike NAME: as SQLite answered.
alike() {
	if diff "$tmp/sqlite.rec" "$tmp/$1.rec" > "$tmp/diff"; then
		echo "ok - SQLite and $1 answer alike"
	else
		echo "not ok - SQLite and $1 answer alike"
		cut -c 1-300 "$tmp/diff" | sed 's/^/# /' | head -n 40
		status=1
	fi
}

cases sqlite "sqlite:///$tmp/kinto.db" || status=1
cases postgresql "$CLQ_PG_URL" || status=1
alike postgresql
redis-server --port 0 --unixsocket "$tmp/redis.sock" --dir "$tmp" --save '' \
    > "$tmp/redis.log" 2>&1 < /dev/null &
serve_pids+=($!)
for _ in {1..600}; do
	[ "$(redis-cli -s "$tmp/redis.sock" ping 2> /dev/null)" = PONG ] && break
	sleep 0.1
done
cases redis "unix://$tmp/redis.sock" || status=1
alike redis
exit $status
