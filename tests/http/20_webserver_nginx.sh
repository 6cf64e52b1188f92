#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# etc/nginx.conf in front of a cliquetd of its own.

. "$(dirname "${BASH_SOURCE[0]}")/webserver.sh"
skip_unless nginx

start_cliquetd
start_nginx
await "$port" "$server"
suite
suite_down
is "503 says when to come back" "$(header retry-after)" 3
is "503 may be read by scripts" "$(header access-control-allow-origin)" "*"
suite_up "$server"
plan
