#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The guides, followed to the letter: sourced by inside.sh, with the packages
# installed and the server stopped. block NAME prints what stands in the fence
# below `<!-- tried: NAME -->`, follow NAME runs it. What a machine with systemd
# and sudo would do is done by the functions below. The folder has guides/,
# with-postgres and ports.py.

block() {
	awk -v name="$1" '
	    $0 == "<!-- tried: " name " -->" { found = 1; next }
	    found && /^```/ { if (inside) exit; inside = 1; next }
	    inside { print }' guides/*.md
}

# On the machine of the guides these are there.
sudo() {	# -u postgres COMMAND...
	shift 2
	case $1 in
	psql | pg_dump | pg_restore | createdb) ;;
	*) echo "sudo: $1?" >&2; return 1 ;;
	esac
	PGUSER=clq_admin PGDATABASE=postgres "$@"
}
systemctl() {
	case "$*" in
	"stop cliquet.socket cliquet.service") stop ;;
	"start cliquet.socket cliquet.service") start ;;
	"restart cliquet") stop; start ;;
	"reload cliquet") kill -HUP "$server" && sleep 1 ;;
	*) echo "systemctl $*: not here" >&2; return 1 ;;
	esac
}

# Runs in this shell, for $server; ends at the first command that fails.
follow() {
	local line all=
	while IFS= read -r line; do
		all=$all$line$'\n'
		case $line in *\\) continue ;; esac
		eval "$all" < /dev/null || { echo "failed: $all"; return 1; }
		all=
	done < <(block "$1")
	[ -n "$(block "$1")" ]
}

guide() {
	ok "guide: $1" follow "$1"
}

# ---- SQLite ------------------------------------------------------------------

guide_sqlite() {
	command -v sqlite3 > /dev/null || {
		echo "ok - guide: backup of SQLite # SKIP no sqlite3"
		return
	}
	guide sqlite-backup
	ok "what is lost" ask DELETE "$record"
	ok "is lost" refuses has_record
	guide sqlite-restore
	ok "and is there again" has_record
}

guide_readonly() {
	guide read-only
	ok "read-only: reading" has_record
	ok "read-only: not writing" bash -c '
		cliquet request -u token -p secret PUT "$1" "{}" 2>&1 |
		    grep -q "\"errno\":115"' sh "$record"
	ok "read-only: said by the root" bash -c '
		cliquet request GET /v1/ | grep -q "\"readonly\":true"'
	guide read-write
	ok "writing again" ask PUT "$record" '{"data": {"text": "kept"}}'
}

# ---- web servers ---------------------------------------------------------------

guide_web() {
	local port
	if command -v nginx > /dev/null && [ -d /etc/nginx/conf.d ]; then
		guide nginx
		openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x \
		    -keyout /etc/ssl/private/kinto.key \
		    -out /etc/ssl/certs/kinto.pem > log 2>&1
		block tls > tls.conf
		port=$(python3 ports.py)
		sed -i "s/listen 443/listen 127.0.0.1:$port/" tls.conf
		sed -i -e '/^\tlisten 80;/{r tls.conf
			d}' -e '/^\tserver_name _;/d' /etc/nginx/conf.d/cliquet.conf
		ok "guide: tls" nginx -t
		chgrp www-data /run/cliquet/cliquet.sock
		ok "nginx with TLS" nginx
		ok "https" bash -c 'curl -sk --max-time 5 \
		    -H "Host: kinto.example.org" "https://127.0.0.1:$1/v1/" |
		    grep -F "\"url\":\"https://kinto.example.org/v1/\""' \
		    sh "$port"
		[ ! -s /run/nginx.pid ] || kill -TERM "$(cat /run/nginx.pid)"
		rm -f /etc/nginx/conf.d/cliquet.conf
	fi
	if command -v lighttpd > /dev/null && [ -d /etc/lighttpd ]; then
		guide lighttpd
		rm -f /etc/lighttpd/cliquet.conf
	fi
}

# ---- PostgreSQL ----------------------------------------------------------------

# Within with-postgres (below), with a server and its environment.
guide_postgresql() {
	export PGHOST=$CLQ_PG_DIR PGPORT=$CLQ_PG_PORT
	unset PGUSER PGDATABASE
	ok "an administrator" psql -U clq -d postgres \
	    -c 'CREATE ROLE clq_admin SUPERUSER LOGIN'
	block roles > roles.sql
	ok "guide: roles" sudo -u postgres psql -v ON_ERROR_STOP=1 -q \
	    -d postgres -f "$PWD/roles.sql"
	sed -i '/^\(storage\|permission\)_/d' $ini
	block roles-ini > roles.ini
	cp $ini before.ini
	sed "s,//,//cliquet@127.0.0.1:$CLQ_PG_PORT," roles.ini >> $ini
	ok "a URL with a user wins over PGUSER" bash -c \
	    'PGUSER=cliquet_owner cliquet migrate 2>&1 |
	    grep "permission denied for schema public"'
	block migrate-elsewhere > elsewhere.sh
	sed -i -e "s,db.example.org,127.0.0.1:$CLQ_PG_PORT," \
	    -e 's/verify-full/disable/' elsewhere.sh
	ok "guide: migrate-elsewhere" bash -e elsewhere.sh
	cat before.ini > $ini
	cat roles.ini >> $ini
	guide migrate
	ok "PostgreSQL: write" ask PUT "$record" '{"data": {"text": "kept"}}'
	ok "PostgreSQL: read" has_record
	ok "heartbeat" cliquet request GET /v1/__heartbeat__
	ok "the role may not drop" refuses psql -U cliquet -d cliquet \
	    -c 'DROP TABLE objects'
	ok "nor create" refuses psql -U cliquet -d cliquet \
	    -c 'CREATE TABLE mine (a int)'
	ok "nor truncate" refuses psql -U cliquet -d cliquet \
	    -c 'TRUNCATE objects'
	block grants > grants.sql
	ok "guide: grants" psql -U cliquet_owner -d cliquet -q \
	    -v ON_ERROR_STOP=1 -f grants.sql
	id postgres > /dev/null 2>&1 || return
	guide postgresql-backup
	ok "what is lost" ask DELETE "$record"
	guide postgresql-restore
	ok "is there again" has_record
	ok "writing to what was restored" ask PUT "$record" \
	    '{"data": {"text": "again"}}'
	stop
}
