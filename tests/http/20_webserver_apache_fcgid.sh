#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# etc/apache-fcgid.conf: Apache starts the cliquetd processes itself.

. "$(dirname "${BASH_SOURCE[0]}")/apache.sh"
. "$(dirname "${BASH_SOURCE[0]}")/webserver.sh"
skip_unless apache2
[ -e "$modules/mod_fcgid.so" ] || { echo "1..0 # SKIP no mod_fcgid"; exit 0; }

# mod_fcgid starts a program by its path and gives it no environment.
printf '#!/bin/sh\nCLQ_PLUGIN_PATH="%s" exec "%s" "$@"\n' \
    "$CLQ_PLUGIN_PATH" "$CLIQUETD" > "$dir/cliquetd"
chmod 755 "$dir/cliquetd"
{
	apache_head xsendfile fcgid
	echo "FcgidIPCDir $dir/fcgid"
	echo "FcgidProcessTableFile $dir/fcgid_shm"
	expand apache-fcgid.conf
} > "$dir/apache.conf"
mkdir "$dir/fcgid"

start_apache
await "$port" "$server"
suite
suite_files 15000000
end
