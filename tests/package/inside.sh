#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Within a root that nobody will miss (run.sh): the life of the packages. The
# folder of this script has debs/, newer/, guides/, ok.sh, with-postgres and
# ports.py. Nothing that systemd does is here (systemd.sh): the service is started with
# the command of its unit, as its user.
set -u
cd "$(dirname "$0")" || exit 99
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root TMPDIR=/tmp
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset CLQ_PLUGIN_PATH CLIQUET CLIQUETD LD_LIBRARY_PATH
ini=/etc/cliquet/cliquet.ini
unit=/lib/systemd/system/cliquet.service
server=

# with-postgres runs this file once more, for the part that needs it.
. ./guides.sh

. ./ok.sh

start() {
	local command
	command=$(sed -n 's/^ExecStart=//p' "$unit")
	# What RuntimeDirectory does, or systemd-tmpfiles with our file.
	install -d -o cliquet -g cliquet /run/cliquet
	# shellcheck disable=SC2086
	setpriv --reuid=cliquet --regid=cliquet --init-groups $command \
	    >> server.log 2>&1 &
	server=$!
	for _ in {1..600}; do
		cliquet -q request GET /v1/__lbheartbeat__ > /dev/null 2>&1 &&
		    return 0
		sleep 0.1
	done
	cat server.log
	return 1
}

stop() {
	[ -z "$server" ] && return
	kill -TERM "$server" 2> /dev/null
	wait "$server"
	server=
}

record=/v1/buckets/default/collections/notes/records/first
ask() {
	cliquet request -u token -p secret "$@"
}
has_record() {
	ask GET "$record" | grep -q '"text":"kept"'
}

if [ "${1:-}" = postgresql ]; then
	trap stop EXIT
	guide_postgresql
	exit 0
fi
trap stop EXIT

# ---- install -----------------------------------------------------------------

ok "install" dpkg -i debs/{cliquet,libcliquet1}_*.deb
is "ini" "$(stat -c '%a %U %G' $ini)" "640 root cliquet"
is "data" "$(stat -c '%a %U %G' /var/lib/cliquet)" "750 cliquet cliquet"
is "log" "$(stat -c '%a %U %G' /var/log/cliquet)" "750 cliquet cliquet"
ok "secrets of its own" test \
    "$(grep -c -E '^[a-z_]+secret = [0-9a-f]{64}$' $ini)" = 2
ok "the user cannot log in" grep -q -E '^cliquet:.*/usr/sbin/nologin$' \
    /etc/passwd
ok "socket and service are enabled" test -L \
    /etc/systemd/system/sockets.target.wants/cliquet.socket -a -L \
    /etc/systemd/system/multi-user.target.wants/cliquet.service
ok "systemd-analyze verify, as installed" bash -c '
	command -v systemd-analyze > /dev/null || exit 0
	systemd-analyze verify --man=no cliquet.service cliquet.socket 2>&1 |
	    grep cliquet && exit 1; exit 0'
ok "check-config" setpriv --reuid=cliquet --regid=cliquet --init-groups \
    cliquet check-config
ok "manual pages" test -e /usr/share/man/man8/cliquetd.8.gz -a -e \
    /usr/share/man/man1/cliquet.1.gz -a -e \
    /usr/share/man/man5/cliquet.ini.5.gz
ok "settings of plugins in the manual" bash -c \
    'zcat /usr/share/man/man5/cliquet.ini.5.gz | grep -q quotas'
ok "the unit names the manual that is there" grep -q 'man:cliquetd(8)' $unit

# ---- use ---------------------------------------------------------------------

ok "start with the command of the unit" start
ok "write" ask PUT "$record" '{"data": {"text": "kept"}}'
ok "read" has_record
ok "the database is private" test \
    "$(stat -c %U /var/lib/cliquet/kinto.db)" = cliquet
guide_sqlite
guide_readonly
guide_web
stop
ok "stopped" refuses cliquet request GET /v1/

# ---- rotation ----------------------------------------------------------------

cat >> $ini <<'EOF'
log_file = /var/log/cliquet/cliquet.log
pidfile = /run/cliquet/cliquetd.pid
paginate_by = 77
EOF
ok "start with a log file" start
if command -v logrotate > /dev/null; then
	ok "logrotate" logrotate --force --state state \
	    /etc/logrotate.d/cliquet
	for _ in {1..600}; do	# the signal takes its way
		[ -s /var/log/cliquet/cliquet.log ] && break
		sleep 0.1
		ask GET /v1/ > /dev/null
	done
	ok "the new log is written to" test -s /var/log/cliquet/cliquet.log
	ok "the old one is there" test -s /var/log/cliquet/cliquet.log.1
else
	echo "ok - logrotate # SKIP no logrotate"
fi

# ---- upgrade -----------------------------------------------------------------

sum=$(sha256sum $ini)
cd newer || exit 99
cp -r ../guides .
guide upgrade
cd .. || exit 99
is "version" "$(dpkg-query -W -f '${Version}' cliquet)" \
    "$(dpkg-deb -f newer/cliquet_*.deb Version)"
is "ini" "$(sha256sum $ini)" "$sum"
is "its mode" "$(stat -c '%a %U %G' $ini)" "640 root cliquet"
ok "the running one still serves" has_record
stop
ok "the new one starts" start
ok "and has the data" has_record
stop

# ---- a broken ini ------------------------------------------------------------

cp -p $ini good.ini
echo 'workers = many' >> $ini
ok "a broken ini: upgrading goes on" dpkg -i newer/*.deb
ok "a broken ini: no start" refuses setpriv --reuid=cliquet \
    --regid=cliquet --init-groups cliquetd --check $ini
cp -p good.ini $ini

# ---- the other packages --------------------------------------------------------

ok "back to the first version" dpkg -i debs/{cliquet,libcliquet1}_*.deb
ok "backends and development files" dpkg -i debs/cliquet-*.deb \
    debs/libcliquet-dev_*.deb
cp -p $ini good.ini
bash with-postgres bash "$PWD/inside.sh" postgresql
[ $? -ne 77 ] || echo "ok - guides for PostgreSQL # SKIP no PostgreSQL"
cp -p good.ini $ini
while read -r name setting; do
	{ printf '[app:main]\nuse = kinto\nuserid_hmac_secret = x\n'
	  printf 'socket = /run/x.sock\n'
	  printf '%b\n' "$setting"; } > x.ini
	ok "$name is found" cliquet --ini x.ini check-config
	ok "$name: purge" dpkg --purge "cliquet-$name"
	ok "$name is not found" refuses cliquet --ini x.ini check-config
done <<'EOF'
postgresql storage_backend = postgresql\nstorage_url = postgresql:///x
memcached cache_backend = memcached\ncache_hosts = 127.0.0.1
redis storage_backend = redis\nstorage_url = redis://127.0.0.1/
openid includes = openid
remote-kinto storage_backend = kinto\nstorage_url = http://127.0.0.1:1/v1\npermission_backend = memory
webhook event_listeners = w\nevent_listeners.w.use = webhook\nevent_listeners.w.url = http://127.0.0.1/\nevent_listeners.w.secret = x
EOF
if command -v make > /dev/null && command -v cc > /dev/null &&
    command -v pkg-config > /dev/null; then
	ok "cliquet new" cliquet new scores
	ok "the new application compiles" make -C scores
	ok "and is found" env CLIQUET_USERID_HMAC_SECRET=x cliquet \
	    --ini scores/scores.ini check-config
fi
ok "the suites for backends run" env CLQ_TEST_PLUGIN=memory \
    /usr/libexec/cliquet/conformance/storage -j1 --filter='*/*_timestamp*'
ok "purge of the development files" dpkg --purge libcliquet-dev

# ---- remove, again, purge ------------------------------------------------------

sum=$(sha256sum $ini)
ok "remove" dpkg --remove cliquet
ok "the programs are gone" test ! -e /usr/sbin/cliquetd -a ! -e $unit
is "the ini stays" "$(sha256sum $ini)" "$sum"
ok "the data stays" test -s /var/lib/cliquet/kinto.db
ok "install again" dpkg -i debs/cliquet_*.deb
is "with the same ini" "$(sha256sum $ini)" "$sum"
ok "start" start
ok "and the data" has_record
stop
ok "purge" dpkg --purge cliquet libcliquet1
rm -rf /run/cliquet
ok "nothing is left" bash -c '
	find /etc /lib/systemd /usr /var/lib /var/log /var/cache \
	    -name "*cliquet*" \
	    ! -path "/usr/local/*" 2> /dev/null | tee /dev/stderr | grep -q . &&
	    exit 1; exit 0'
ok "but the user" id cliquet
