#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The sync promise on a server of our own: nginx, cliquetd with eight workers,
# a new database in a temporary folder. TAP.
#
#	run.sh [sqlite|postgresql|memory] [--chaos] [ARGUMENT of sync.py...]
#
# The programs are those of the build folder: $CLQ_BUILDDIR, or the current
# folder, or one that scripts/test or scripts/serve has made.
#
# With --chaos a worker is killed every half second, the configuration is
# reloaded in the middle, and PostgreSQL is restarted, and then killed and
# started again.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
for folder in "$PWD" "$here/../../build/gcc" "$here/../../build/serve"; do
	[ -n "${CLQ_BUILDDIR:-}" ] || [ ! -x "$folder/cliquetd" ] ||
	    CLQ_BUILDDIR=$(cd "$folder" && pwd -P)
done
[ -n "${CLQ_BUILDDIR:-}" ] || { echo "Bail out! no build folder"; exit 99; }
export CLQ_BUILDDIR
kind=sqlite
chaos=
arguments=()
while [ $# -gt 0 ]; do
	case $1 in
	sqlite | postgresql | memory) kind=$1 ;;
	--chaos) chaos=yes ;;
	*) arguments+=("$1") ;;
	esac
	shift
done

skip() {
	echo "ok 1 - the sync promise on $kind # SKIP $1"
	echo "1..1"
	exit 0
}

# One more run of this script, with a database around it.
if [ "$kind" = postgresql ] && [ -z "${CLQ_PG_URL:-}" ]; then
	durable=()
	[ -n "$chaos" ] && durable=(-s)
	"$here/../support/with-postgres" "${durable[@]}" \
	    bash "${BASH_SOURCE[0]}" postgresql ${chaos:+--chaos} \
	    ${arguments+"${arguments[@]}"} < /dev/null
	status=$?
	[ $status -ne 77 ] || skip "no PostgreSQL server here"
	exit $status
fi

. "$here/../http/webserver.sh"
[ "$kind" != postgresql ] || [ -e "$CLQ_PLUGIN_PATH/storage/postgresql.so" ] ||
    skip "no postgresql.so"
skip_unless nginx

# Eight writers wait for a disk that may be somebody else's for a while.
patience=
case $kind in
sqlite) url=sqlite://$dir/list.db patience='sqlite_busy_timeout = 60000' ;;
postgresql) url=${CLQ_PG_URL//%/%%} ;;	# % is special in an ini
memory) url= ;;
esac
cat > "$dir/cliquet.ini" << INI
[app:main]
use = kinto
multiauth.policies = basicauth
userid_hmac_secret = of the sync test
bucket_create_principals = system.Authenticated
storage_backend = $kind
${url:+storage_url = $url}
permission_backend = $kind
${url:+permission_url = $url}
cache_backend = memory
$patience
workers = 8
pidfile = $dir/cliquetd.pid
INI

if [ "$kind" = postgresql ]; then
	"$CLIQUET" --ini "$dir/cliquet.ini" migrate \
	    > "$dir/migrate.log" 2>&1 || {
		sed 's/^/# /' "$dir/migrate.log"
		echo "Bail out! cliquet migrate failed"
		exit 1
	}
fi
start_cliquetd
start_nginx
await "$port" "$server"
if [ -n "$chaos" ]; then
	arguments+=(--chaos "$dir/cliquetd.pid"
	    --during "kill -HUP \$(cat $dir/cliquetd.pid)")
	# Sessions of dead workers are the last that may change something.
	cat > "$dir/settle" <<-'SETTLE'
	ended=$($PSQL postgres -A -t -c "SELECT pid, pg_terminate_backend(pid)
	    FROM pg_stat_activity WHERE datname = 'clq'") || exit
	for pid in $ended; do
		pid=${pid%|*}
		while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done
	done
	SETTLE
	[ "$kind" = postgresql ] && arguments+=(
	    --settle "bash $dir/settle"
	    --during "$CLQ_PG_CTL restart"
	    --during "$CLQ_PG_CTL kill && $CLQ_PG_CTL start")
fi
# No longer than ten minutes, whatever happens.
timeout -k 5 600 python3 -B "$here/sync.py" "http://127.0.0.1:$port/v1" \
    --batch --log "$dir/cliquetd.log" ${arguments+"${arguments[@]}"} \
    < /dev/null
status=$?
if [ $status -ne 0 ]; then
	grep -v 'request\.summary' "$dir/cliquetd.log" | tail -n 40 |
	    cut -c -300 | sed 's/^/# /'
	tail -n 10 "$dir/nginx.log" | cut -c -300 | sed 's/^/# /'
fi
exit $status
