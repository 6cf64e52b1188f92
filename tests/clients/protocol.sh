#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The protocol cases (tests/protocol) against scripts/serve as it comes from a
# clone: nginx, cliquetd, Kinto on SQLite. TAP.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
serve cases --port "$port" --data "$tmp/data" || {
	echo "1..0"
	echo "Bail out! scripts/serve does not start"
	exit 1
}
python3 -B "$top/tests/protocol/run.py" "$(url_of cases)"
