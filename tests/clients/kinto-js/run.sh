#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The npm package `kinto` against scripts/serve: once undisturbed, once with
# workers killed and the configuration reloaded in the middle. TAP.

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

npm_packages kinto-js kinto/dist/kinto.min.js
port=$(free_port)
serve kinto --port "$port" --data "$tmp/data" || {
	echo "Bail out! scripts/serve does not start"
	exit 1
}
base=$(url_of kinto)
cd "$cache" || exit 1
CLQ_BASE_URL=$base timeout 600 node main.cjs
status=$?
CLQ_BASE_URL=$base CLQ_MASTER_PID=$(cat "$tmp/data/run/$port/cliquetd.pid") \
    timeout 900 node main.cjs || status=1
if [ "$status" -ne 0 ]; then
	sed 's/^/# server: /' "$tmp/kinto.err" | tail -n 60
fi
exit $status
