#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# etc/lighttpd.conf in front of a cliquetd of its own.

. "$(dirname "${BASH_SOURCE[0]}")/webserver.sh"
skip_unless lighttpd

{
	expand lighttpd.conf
	echo "server.bind = \"127.0.0.1\""
	echo "server.errorlog = \"$dir/lighttpd.log\""
	echo "server.upload-dirs = (\"$dir\")"
} > "$dir/lighttpd.conf"

start_cliquetd
lighttpd -D -f "$dir/lighttpd.conf" < /dev/null > "$dir/lighttpd-out.log" 2>&1 &
server=$!
pids+=("$server")
await "$port" "$server"
suite
suite_files 40000000
suite_down
suite_up "$server"
end
