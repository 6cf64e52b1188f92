#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# etc/nginx.conf in front of a cliquetd of its own.

. "$(dirname "${BASH_SOURCE[0]}")/webserver.sh"
skip_unless nginx

{
	[ "$(id -u)" -eq 0 ] && echo "user root;"
	echo "daemon off; pid $dir/nginx.pid; error_log $dir/nginx.log;"
	echo "events { } http { access_log off;"
	for kind in client_body fastcgi proxy uwsgi scgi; do
		echo "${kind}_temp_path $dir/$kind;"
	done
	listen=127.0.0.1:$port
	expand nginx.conf
	echo "}"
} > "$dir/nginx.conf"

start_cliquetd
nginx -e "$dir/nginx.log" -p "$dir" -c "$dir/nginx.conf" < /dev/null &
server=$!
pids+=("$server")
await "$port" "$server"
suite
suite_down
is "503 says when to come back" "$(header retry-after)" 3
is "503 may be read by scripts" "$(header access-control-allow-origin)" "*"
suite_up "$server"
plan
