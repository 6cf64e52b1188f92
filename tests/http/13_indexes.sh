#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `cliquet index` and the setting storage_indexes: usage, what is refused, and
# indexes that come and go in a database on disk; the same on PostgreSQL if
# there is one (docs/indexes.md). Starts no server of ours.
# From the environment: CLIQUET (the program), CLQ_PLUGIN_PATH.

src=${CLQ_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)}
cliquet=${CLIQUET:-$PWD/cliquet}
dir=$(mktemp -d "${TMPDIR:-/tmp}/cliquet-index.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
case $cliquet in
/*) ;;
*)	cliquet=$PWD/$cliquet ;;
esac
export CLQ_PLUGIN_PATH=${CLQ_PLUGIN_PATH:-$PWD/plugins}
cd "$dir" || exit 99
unset CLIQUET_INI KINTO_INI KINTO_READONLY CLIQUET_READONLY READONLY
n=0

# check STATUS PATTERN ARGUMENT...: the status, and what is said.
check() {
	local want=$1 pattern=$2 said status
	shift 2
	said=$("$cliquet" "$@" 2>&1)
	status=$?
	n=$((n + 1))
	# shellcheck disable=SC2053 # a pattern it is
	if [ "$status" -eq "$want" ] && [[ $said == *$pattern* ]]; then
		echo "ok $n - cliquet $*"
	else
		echo "not ok $n - cliquet $*: status $status, not $want"
		echo "# wanted: $pattern"
		printf '%s\n' "$said" | head -20 | sed 's/^/# /'
	fi
}

# ini NAME BACKEND URL LINE...
ini() {
	local name=$1 backend=$2 url=$3
	shift 3
	printf '%s\n' '[app:main]' "storage_backend = $backend" \
	    "permission_backend = $backend" "storage_url = $url" \
	    "permission_url = $url" 'cache_backend =' \
	    'userid_hmac_secret = for tests only' "$@" > "$name"
}

# comes_and_goes BACKEND URL
comes_and_goes() {
	local config="--ini $1.ini"
	ini "$1.ini" "$1" "$2"
	# shellcheck disable=SC2086 # two words
	{
		check 0 'up to date' migrate $config
		check 0 'no indexes' index list $config
		check 0 'blog/posts: there is an index on title' \
		    index add blog/posts title $config
		check 0 'there is an index on title' \
		    index add blog/posts title $config
		check 0 'there is an index on author.name' \
		    index add blog/posts author.name $config
		check 0 "there is an index on it's" \
		    index add blog/posts "it's" $config
		check 0 'author.name *ready*title *KiB*ready' \
		    index list $config
		check 0 'there is no index on title' \
		    index drop blog/posts title $config
		check 0 'there is no index on title' \
		    index drop blog/posts title $config
		check 0 "there is no index on it's" \
		    index drop blog/posts "it's" $config
		check 0 'blog/posts *author.name *ready' index list $config
	}
	ini "$1.ini" "$1" "$2" 'storage_indexes = blog/posts:title' \
	    '  shop/items:price'
	# shellcheck disable=SC2086
	{
		check 0 'would make the index shop/items:price' \
		    migrate --dry-run $config
		check 0 'shop/items: there is an index on price' \
		    migrate $config
		check 0 'author.name *title *shop/items *price *ready' \
		    index list $config
	}
	ini "$1.ini" "$1" "$2" 'storage_indexes = blog/posts'
	# shellcheck disable=SC2086
	check 1 "'blog/posts' is no index" migrate $config
}

# ---- what is refused
ini one.ini sqlite "sqlite://$dir/one.db"
check 0 'up to date' migrate --ini one.ini
check 2 'too few operands' index --ini one.ini
check 2 'write index list' index make a/b c --ini one.ini
check 2 'write index list' index list a/b --ini one.ini
check 2 'write index list' index add a/b --ini one.ini
check 2 'too many operands' index add a/b c d --ini one.ini
for name in a '/' 'a/' '/b' 'a/b/c' 'a b/c' "a/b'"; do
	check 1 'is no collection' index add "$name" title --ini one.ini
done
check 1 'has an index in every collection' index add a/b id --ini one.ini
check 1 'has an index in every' index add a/b last_modified --ini one.ini
check 1 'only a tombstone' index add a/b deleted --ini one.ini
check 1 'three names at most' index add a/b c.d.e.f --ini one.ini
check 1 '1 to 255 bytes' index add a/b '' --ini one.ini
check 1 '1 to 255 bytes' index add a/b $'\xff' --ini one.ini
check 1 '1 to 255 bytes' index drop a/b "$(printf '%0256d' 1)" --ini one.ini
check 1 'control characters' index add a/b $'c\td' --ini one.ini
check 0 'no indexes' index list --ini one.ini
ini memory.ini memory ''
check 1 'out of reach' index add a/b c --ini memory.ini
export KINTO_READONLY=true
check 1 'left alone' index add a/b c --ini one.ini
check 0 'no indexes' index list --ini one.ini
unset KINTO_READONLY

# ---- what comes and goes
comes_and_goes sqlite "sqlite://$dir/data.db"
export -f comes_and_goes check ini
export cliquet n
# shellcheck disable=SC2016 # expanded there
bash "$src/tests/support/with-postgres" bash -c '
	comes_and_goes postgresql "$CLQ_PG_URL"
	echo "$n" > count' && n=$(cat count)

echo "1..$n"
