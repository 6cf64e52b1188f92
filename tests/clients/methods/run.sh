#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every public method of the published clients: `kinto` and `kinto-http` of
# npm, `kinto-http` of PyPI, and the functional tests that come with the
# latter, through nginx. TAP.
#
#	run.sh sqlite		Kinto on SQLite, cache in memory
#	run.sh postgresql	on PostgreSQL and memcached
#	run.sh URL		a server that runs, with the settings of main.ini;
#				CLQ_SOFT_URL, CLQ_HARD_URL, CLQ_BARE_URL and
#				CLQ_UPSTREAM_URL are others that may be there

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib.sh"
backend=${1:-sqlite}

if [ "$backend" = postgresql ] && [ -z "${CLQ_PG_URL:-}" ]; then
	bash "$top/tests/support/with-postgres" bash "$here/run.sh" postgresql
	exit
fi

# storage: where the data is.
storage() {
	local url
	case $backend in
	sqlite)
		# A locked file is told to clients soon.
		echo "sqlite_busy_timeout = 2000"
		url=sqlite:///$tmp/$1.db
		[ "$1" != bare ] || url=sqlite:///$tmp/main.db ;;
	*)	url=${CLQ_PG_URL//%/%%} ;;
	esac
	printf '%s\n' "storage_backend = $backend" "storage_url = $url" \
	    "permission_backend = $backend" "permission_url = $url"
	if [ "$backend" = postgresql ]; then
		printf '%s\n' "cache_backend = memcached" \
		    "cache_hosts = 127.0.0.1:$memcached"
	else
		echo "cache_backend = memory"
	fi
}

# start PORT COMMAND...: ended with us; waits until it listens.
start() {
	local port=$1 i
	shift
	"$@" < /dev/null > /dev/null 2>&1 &
	serve_pids+=($!)
	for ((i = 0; i < 1200; i++)); do
		(exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && return 0
		sleep 0.05
	done
	return 1
}

start_memcached() {
	local user=()
	[ "$(id -u)" -ne 0 ] || user=(-u nobody)
	memcached=$(free_port)
	start "$memcached" memcached -l 127.0.0.1 -p "$memcached" -U 0 -m 64 \
	    ${user[@]+"${user[@]}"}
}

# The storage taken away and brought back: PostgreSQL stopped; a file locked.
make_outage() {
	if [ "$backend" = postgresql ]; then
		cat << EOF
#!/bin/bash
[ "\$1" = stop ] || [ -z "\$("$CLQ_PG_CTL" pid)" ] || exit 0
exec "$CLQ_PG_CTL" "\$1"
EOF
	else
		cat << EOF
#!/bin/bash
if [ "\$1" = stop ]; then
	python3 -c 'import sqlite3, time
db = sqlite3.connect("$tmp/main.db", isolation_level=None)
db.execute("BEGIN IMMEDIATE")
open("$tmp/locked", "w").close()
time.sleep(600)' < /dev/null > /dev/null 2>&1 &
	echo \$! > "$tmp/locker"
	for i in {1..1200}; do
		[ -e "$tmp/locked" ] && exit 0
		sleep 0.05
	done
	exit 1
fi
[ -e "$tmp/locker" ] || exit 0
kill "\$(cat "$tmp/locker")"
rm -f "$tmp/locker" "$tmp/locked"
EOF
	fi > "$tmp/outage"
	chmod 755 "$tmp/outage"
}

start_servers() {
	local kind
	[ "$backend" != postgresql ] || start_memcached || return 1
	mkdir "$tmp/files"
	for kind in main soft hard bare upstream; do
		{
			cat "$here/$kind.ini"
			if grep -q includes "$here/$kind.ini"; then
				echo "                 kinto_attachment"
				echo "kinto.attachment.base_path = $tmp/files"
			fi
			echo "account_bcrypt_rounds = 4"
			storage $kind
		} > "$tmp/$kind.ini"
	done
	# The first one builds what makes the tables.
	serve main --port "$(free_port)" --data "$tmp/main" "$tmp/main.ini" ||
	    return 1
	[ "$backend" != postgresql ] ||
	    "$top/build/serve/cliquet" migrate --ini "$tmp/main.ini" >&2 ||
	    return 1
	for kind in soft hard bare upstream; do
		serve_begin $kind --port "$(free_port)" --data "$tmp/$kind" \
		    "$tmp/$kind.ini"
	done
	for kind in soft hard bare upstream; do
		serve_ready $kind || return 1
	done
	CLQ_BASE_URL=$(url_of main)
	CLQ_SOFT_URL=$(url_of soft)
	CLQ_HARD_URL=$(url_of hard)
	CLQ_BARE_URL=$(url_of bare)
	CLQ_UPSTREAM_URL=$(url_of upstream)
	CLQ_OUTAGE=$tmp/outage
	make_outage
}

case $backend in
http://* | https://*) CLQ_BASE_URL=${backend%/} ;;
*)	start_servers || {
		echo "Bail out! scripts/serve does not start"
		exit 1
	} ;;
esac
export CLQ_BASE_URL CLQ_SOFT_URL CLQ_HARD_URL CLQ_BARE_URL CLQ_UPSTREAM_URL \
    CLQ_OUTAGE

status=0
npm_packages methods kinto-http/package.json
for package in kinto kinto-http; do
	CLQ_CLIENT=$package NODE_PATH=$cache/node_modules timeout 600 \
	    node "$here/main.cjs" || status=1
done
bash "$here/python.sh" || status=1
if [ "$status" -ne 0 ] && [ -e "$tmp/main.err" ]; then
	grep -v 'request\.summary' "$tmp/main.err" | sed 's/^/# server: /' |
	    tail -n 40
fi
exit $status
