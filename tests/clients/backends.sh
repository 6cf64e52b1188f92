#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The protocol cases on SQLite and on PostgreSQL, and the same answers from
# both, byte for byte up to ids, times and the order of keys. TAP.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# cases NAME URL: the cases on a storage, with the answers in $tmp/NAME.rec.
cases() {
	local port
	port=$(free_port)
	cat > "$tmp/$1.ini" << INI
[app:main]
use = kinto
includes = kinto.plugins.default_bucket kinto.plugins.flush
multiauth.policies = basicauth
userid_hmac_secret = some-secret-string
storage_backend = $1
storage_url = ${2//%/%%}
cache_backend = memory
INI
	[ "$1" = sqlite ] ||
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
cases sqlite "sqlite:///$tmp/kinto.db" || status=1
cases postgresql "$CLQ_PG_URL" || status=1
if diff "$tmp/sqlite.rec" "$tmp/postgresql.rec" > "$tmp/diff"; then
	echo "ok - both answer alike"
else
	echo "not ok - both answer alike"
	cut -c 1-300 "$tmp/diff" | sed 's/^/# /' | head -n 40
	status=1
fi
exit $status
