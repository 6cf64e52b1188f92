#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# All settings as sections of cliquet.ini(5), on standard output: what
# `cliquet dump-config` says of the server, then of each plugin, each setting
# where it is met first. So the tables in the sources are the only place where
# a setting is explained.
#
#	man/settings.sh CLIQUET PLUGINS
#
# CLIQUET	the program
# PLUGINS	a folder with storage/, cache/ and app/
#
# A plugin that wants more in the ini than its name needs a line below.

set -eu
cliquet=$1
export CLQ_PLUGIN_PATH=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seen=$work/seen
: > "$seen"
listed=

# Where many processes are stopped LeakSanitizer's own tracer crashes.
export ASAN_OPTIONS=detect_leaks=0

# The environment of whoever builds is not a default.
for name in ${!CLIQUET_*} ${!KINTO_*}; do
	unset "$name"
done

# section KIND/NAME TITLE LINE...: what this plugin adds; LINEs: an ini with
# which it is content.
section() {
	local plugin=$1 title=$2
	shift 2
	listed="$listed $plugin"
	[ "$plugin" = core ] || [ -e "$CLQ_PLUGIN_PATH/$plugin.so" ] ||
	    { echo "settings.sh: no plugin $plugin" >&2; exit 1; }
	{ echo '[app:main]'; printf '%s\n' "$@"; } > "$work/x.ini"
	"$cliquet" --quiet --ini "$work/x.ini" dump-config \
	    > "$work/dump" ||
	    { echo "settings.sh: $plugin is not content with this: give it" \
	    "a line in man/settings.sh with what it needs" >&2
	      cat "$work/x.ini" >&2; exit 1; }
	awk -v title="$title" -v seen="$seen" -f "$here/settings.awk" \
	    "$work/dump"
}

mkdir "$work/admin"
echo '<html></html>' > "$work/admin/index.html"
echo 1 > "$work/admin/VERSION"
kinto='use = kinto'
section core 'SETTINGS OF THE SERVER' 'storage_backend =' \
    'cache_backend ='
section storage/sqlite 'storage_backend = sqlite' 'storage_backend = sqlite' \
    'storage_url = sqlite:////tmp/x.db'
section storage/memory 'storage_backend = memory' 'storage_backend = memory'
section storage/postgresql 'storage_backend = postgresql' \
    'storage_backend = postgresql' 'storage_url = postgresql:///x'
section storage/redis 'storage_backend = redis' 'storage_backend = redis'
section storage/kinto 'storage_backend = kinto' 'use = readinglist' \
    'storage_backend = kinto' 'storage_url = https://kinto.example.com/v1'
section cache/memory 'cache_backend = memory' 'cache_backend = memory'
section cache/memcached 'cache_backend = memcached' \
    'cache_backend = memcached' 'cache_hosts = 127.0.0.1:11211'
section app/kinto 'use = kinto' "$kinto"
section app/resources 'Resources declared in the ini' '[resource:x]' \
    'fields = a: string'
section app/accounts 'includes = accounts' "$kinto" 'includes = accounts' \
    'multiauth.policies = account' \
    'multiauth.policy.account.use = kinto.plugins.accounts.AccountsPolicy'
section app/attachment 'includes = attachment' "$kinto" \
    'includes = attachment' 'attachment.base_path = /tmp'
section app/admin 'includes = admin' "$kinto" 'includes = admin' \
    "admin_assets_path = $work/admin"
section app/statsd 'includes = statsd' 'includes = statsd' \
    'statsd_url = udp://127.0.0.1:8125'
section app/readinglist 'use = readinglist' 'use = readinglist'

# The others are content with being there.
for file in "$CLQ_PLUGIN_PATH"/{storage,cache,app}/*.so; do
	plugin=${file#"$CLQ_PLUGIN_PATH/"}
	plugin=${plugin%.so}
	case "$listed " in
	*" $plugin "*) continue ;;
	esac
	line="${plugin%/*}_backend = ${plugin#*/}"
	case $plugin in
	app/*) line="includes = ${plugin#*/}" ;;
	esac
	section "$plugin" "$line" "$kinto" "$line"
done
