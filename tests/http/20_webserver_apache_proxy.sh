#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# etc/apache-proxy-fcgi.conf in front of a cliquetd of its own.

. "$(dirname "${BASH_SOURCE[0]}")/apache.sh"
. "$(dirname "${BASH_SOURCE[0]}")/webserver.sh"
skip_unless apache2

{
	apache_head xsendfile proxy proxy_fcgi buffer reqtimeout
	expand apache-proxy-fcgi.conf
} > "$dir/apache.conf"

start_cliquetd
start_apache
await "$port" "$server"
suite
suite_files 40000000
suite_down
is "503 says when to come back" "$(header retry-after)" 3
is "503 may be read by scripts" "$(header access-control-allow-origin)" "*"
suite_up "$server"
end
