# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# An Apache of our own, for the tests that put one in front. To be sourced
# before webserver.sh.

modules=/usr/lib/apache2/modules
# Not among the modules that come with Apache.
sendfile=
[ ! -e $modules/mod_xsendfile.so ] || sendfile=x-sendfile

# apache_head MODULE...: the part of the configuration that is not cliquet's.
apache_head() {
	local name
	for name in mpm_event authz_core unixd alias headers env setenvif \
	    mime "$@"; do
		[ -e "$modules/mod_$name.so" ] &&
		    echo "LoadModule ${name}_module $modules/mod_$name.so"
	done
	cat <<EOF
ServerRoot "$dir"
DefaultRuntimeDir "$dir"
PidFile "$dir/apache.pid"
Listen 127.0.0.1:$port
ServerName 127.0.0.1
ErrorLog "$dir/apache.log"
TypesConfig /dev/null
StartServers 1
ThreadsPerChild 25
EOF
	# As root the children become somebody who may use our folder.
	[ "$(id -u)" -eq 0 ] && printf 'User #%s\nGroup #%s\n' \
	    "$(id -u nobody)" "$(id -g nobody)" && chown nobody "$dir"
}

start_apache() {
	[ "$(id -u)" -eq 0 ] && chown -R nobody "$dir"
	apache2 -f "$dir/apache.conf" -DFOREGROUND \
	    > "$dir/apache-out.log" 2>&1 < /dev/null &
	server=$!
	pids+=("$server")
}
