#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The cases of Reading List on SQLite and PostgreSQL, with the ini of
# docs/readinglist.md. TAP.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ -z "${CLQ_PG_URL:-}" ]; then
	bash "$top/tests/support/with-postgres" bash "${BASH_SOURCE[0]}"
	exit
fi
status=0
for kind in sqlite postgresql; do
	# The ini of the documentation, on either database.
	sed -n '/^```ini$/,/^```$/p' "$top/docs/readinglist.md" |
	    sed -e '/^```/d' > "$tmp/$kind.ini"
	[ $kind = sqlite ] || sed -i -e '/^storage_/d' "$tmp/$kind.ini"
	[ $kind = sqlite ] || cat >> "$tmp/$kind.ini" << INI
storage_backend = postgresql
storage_url = ${CLQ_PG_URL//%/%%}
INI
	[ $kind != postgresql ] ||
	    "$top/build/serve/cliquet" migrate --ini "$tmp/$kind.ini" >&2 ||
	    status=1
	port=$(free_port)
	serve $kind --port "$port" --data "$tmp/$kind" "$tmp/$kind.ini" || {
		echo "Bail out! scripts/serve does not start"
		exit 1
	}
	python3 -B "$top/tests/protocol/run.py" "$(url_of $kind)" \
	    "$top"/tests/protocol/readinglist/*.case || status=1
done
exit $status
