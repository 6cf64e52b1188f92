#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The protocol cases (tests/protocol) against scripts/serve: as it comes from a
# clone (nginx, cliquetd, Kinto on SQLite), and with Kinto's plugins; those of
# accounts alone, since they take another policy. TAP.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

port=$(free_port)
serve cases --port "$port" --data "$tmp/data" || {
	echo "1..0"
	echo "Bail out! scripts/serve does not start"
	exit 1
}
python3 -B "$top/tests/protocol/run.py" "$(url_of cases)"
status=$?

mkdir "$tmp/files" "$tmp/admin"
echo '<!doctype html><title>Admin</title><script>document</script>' \
    > "$tmp/admin/index.html"
echo 1.0 > "$tmp/admin/VERSION"
cat > "$tmp/plugins.ini" << EOF
[app:main]
use = kinto
includes = kinto.plugins.default_bucket kinto.plugins.flush
           kinto.plugins.history kinto.plugins.counters
           kinto.plugins.admin kinto_attachment
attachment.base_path = $tmp/files
admin_assets_path = $tmp/admin
experimental_permissions_endpoint = true
user-data_delete_principals = system.Authenticated
multiauth.policies = basicauth
userid_hmac_secret = some-secret-string
storage_backend = sqlite
storage_url = sqlite:///$tmp/plugins.db
permission_backend = sqlite
permission_url = sqlite:///$tmp/plugins.db
cache_backend = memory
EOF
port=$(free_port)
serve plugins --port "$port" --data "$tmp/plugins" "$tmp/plugins.ini" || {
	echo "Bail out! scripts/serve does not start with plugins"
	exit 1
}
python3 -B "$top/tests/protocol/run.py" "$(url_of plugins)"
status=$((status || $?))

sed -e 's/^includes = .*/includes = kinto.plugins.accounts kinto.plugins.flush/' \
    -e '/^           kinto/d' -e '/^attachment/d' -e '/^admin/d' \
    -e 's/^multiauth.policies = .*/multiauth.policies = account basicauth/' \
    -e 's/plugins\.db/accounts.db/' "$tmp/plugins.ini" > "$tmp/accounts.ini"
cat >> "$tmp/accounts.ini" << EOF
multiauth.policy.account.use = kinto.plugins.accounts.AccountsPolicy
account_create_principals = system.Everyone
account_bcrypt_rounds = 4
EOF
port=$(free_port)
serve accounts --port "$port" --data "$tmp/accounts" "$tmp/accounts.ini" || {
	echo "Bail out! scripts/serve does not start with accounts"
	exit 1
}
python3 -B "$top/tests/protocol/run.py" -k 06-7 "$(url_of accounts)"
exit $((status || $?))
