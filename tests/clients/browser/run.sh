#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Chromium against scripts/serve: a session with Kinto's admin console, and the
# offline-first client on a page of another origin; once on SQLite and once on
# PostgreSQL with memcached, at the same time; and the page of docs/clients.md.
# TAP. CLQ_SCREENSHOTS=FOLDER keeps a picture of every step.

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

for program in chromium memcached; do
	command -v $program > /dev/null || {
		echo "1..0 # SKIP no $program"
		exit 0
	}
done
if [ -z "${CLQ_PG_URL:-}" ]; then
	bash "$top/tests/support/with-postgres" bash "${BASH_SOURCE[0]}"
	exit
fi
CLQ_CHROMIUM=$(command -v chromium)
export CLQ_CHROMIUM

npm_packages browser kinto/dist/kinto.min.js
cp "$clients/browser/page.html" "$clients/kinto-js/tap.cjs" "$cache/"
console=$top/build/admin-console
[ "$console/VERSION" -nt "$top/scripts/get-admin" ] ||
    "$top/scripts/get-admin" "$console" >&2 || {
	echo "Bail out! the admin console cannot be fetched"
	exit 1
}

memcached_port=$(free_port)
user=
[ "$(id -u)" -eq 0 ] && user="-u nobody"
# shellcheck disable=SC2086
memcached -l 127.0.0.1 -p "$memcached_port" -U 0 -m 64 $user \
    < /dev/null > /dev/null 2>&1 &
serve_pids+=($!)
for ((i = 0; i < 600; i++)); do
	(exec 3<> "/dev/tcp/127.0.0.1/$memcached_port") 2> /dev/null && break
	sleep 0.1
done

mkdir "$tmp/files" "$tmp/keys"
python3 -B "$top/tests/support/oidc.py" "$tmp/keys" > "$tmp/oidc" 2> /dev/null \
    < /dev/null &
serve_pids+=($!)
for ((i = 0; i < 600; i++)); do
	[ -s "$tmp/oidc" ] && break
	sleep 0.1
done

# ini NAME URL CACHE...: a configuration for a storage and lines for a cache.
ini() {
	cat > "$tmp/$1.ini" << INI
[app:main]
use = kinto
includes = kinto.plugins.default_bucket
	kinto.plugins.history
	kinto.plugins.accounts
	kinto.plugins.openid
	kinto.plugins.admin
	kinto_attachment
attachment.base_path = $tmp/files
admin_assets_path = $console
multiauth.policies = account basicauth idp
multiauth.policy.account.use = kinto.plugins.accounts.AccountsPolicy
multiauth.policy.idp.use = kinto.plugins.openid.OpenIDConnectPolicy
multiauth.policy.idp.issuer = http://127.0.0.1:$(cat "$tmp/oidc")/good
multiauth.policy.idp.client_id = console
multiauth.policy.idp.client_secret = some-secret
multiauth.policy.idp.userid_field = email
account_create_principals = system.Everyone
bucket_create_principals = system.Authenticated
userid_hmac_secret = some-secret-string
experimental_collection_schema_validation = true
storage_backend = $1
storage_url = ${2//%/%%}
$(printf '%s\n' "${@:3}")
INI
}

# guide_ini NAME LINE...: the configuration of docs/clients.md.
guide_ini() {
	{
		printf '%s\n' "[app:main]" "use = kinto" \
		    "userid_hmac_secret = some-secret-string" \
		    "bucket_create_principals = system.Authenticated" \
		    "storage_backend = sqlite" "storage_url = $tmp/$1.db" \
		    "cache_backend = memory" "${@:2}"
		awk '$0 == "<!-- file: cliquet.ini -->" { found = 1; next }
		    found && /^```/ { if (inside) exit; inside = 1; next }
		    inside { print }' "$top/docs/clients.md"
	} > "$tmp/$1.ini"
}

# start NAME: its server, with an account.
start() {
	serve "$1" --port "$(free_port)" --data "$tmp/$1" "$tmp/$1.ini" &&
	    curl -s -f -o /dev/null -X PUT -H 'Content-Type: application/json' \
	    -d '{"data": {"password": "wonderland"}}' \
	    "$(url_of "$1")/accounts/alice" && return
	echo "Bail out! $1: no server with an account"
	exit 1
}

# session NAME: everything, into $tmp/NAME.tap.
session() {
	CLQ_BACKEND=$1 CLQ_BASE_URL=$(url_of "$1") \
	    CLQ_SCREENSHOTS=${CLQ_SCREENSHOTS:+$CLQ_SCREENSHOTS/$1} \
	    TMPDIR=$tmp timeout 900 node "$cache/main.cjs" > "$tmp/$1.tap" 2>&1
}

ini sqlite "sqlite:///$tmp/kinto.db" "cache_backend = memory"
ini postgresql "$CLQ_PG_URL" "cache_backend = memcached" \
    "cache_hosts = 127.0.0.1:$memcached_port"
start sqlite
"$top/build/serve/cliquet" migrate --ini "$tmp/postgresql.ini" >&2
start postgresql
guide_ini guide
guide_ini busy "backoff = 60"
start guide
start busy
session sqlite &
sqlite=$!
session postgresql
status=$?
wait "$sqlite" || status=1
CLQ_GUIDE=$top/docs/clients.md CLQ_BUSY_URL=$(url_of busy) session guide ||
    status=1
cat "$tmp/sqlite.tap" "$tmp/postgresql.tap" "$tmp/guide.tap"
if [ "$status" -ne 0 ]; then
	for name in sqlite postgresql guide; do
		tail -n 30 "$tmp/$name.err" | sed "s/^/# $name: /"
	done
fi
exit $status
