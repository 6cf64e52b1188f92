#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Slow clients and large uploads before one worker, behind etc/nginx.conf.

sendfile=x-accel-redirect
. "$(dirname "${BASH_SOURCE[0]}")/webserver.sh"
skip_unless nginx
skip_unless python3

export CLIQUET_WORKERS=1 PYTHONPATH=$src/tests/support CLIQUET
export PYTHONDONTWRITEBYTECODE=1
start_cliquetd
start_nginx
await "$port" "$server"
python3 "$src/tests/http/slow_clients.py" "$port" "$cliquetd"
status=$?
[ "$status" -eq 0 ] || grep -h -v request.summary "$dir"/*.log | tail -n 40 |
    sed 's/^/# /'
exit "$status"
