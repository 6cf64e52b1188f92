#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Compare sources.am, the lists of files that Makefile.am builds, with the
# tree: automake wants explicit lists, and a file in none of them would be
# neither built nor shipped.
#
#	check-sources.sh [SRCDIR]	exit 1 and show the difference
#	check-sources.sh --update	write sources.am anew
#
# A file belongs to a list by its folder and name: storage/sqlite_*.c are in
# sqlite.so and memory.so, apps/NAME/*.c make app NAME.so, tests/unit/test_*.c are programs.

set -u
export LC_ALL=C

update=
[ "${1:-}" = --update ] && { update=1; shift; }
cd "${1:-${CLQ_SRCDIR:-$(dirname "$0")/..}}" || exit 2

# list VARIABLE PATTERN...: "VARIABLE = files", one a line.
list() {
	local name=$1 file
	shift
	printf '%s =' "$name"
	for file in $(printf '%s\n' "$@" | sort -u); do
		[ -f "$file" ] && printf ' \\\n\t%s' "$file"
	done
	printf '\n'
}

# programs VARIABLE PATTERN...: the same without ".c".
programs() {
	list "$@" | sed 's/\.c\( \\\)\{0,1\}$/\1/'
}

sources() {
	local app
	printf '# Written by scripts/check-sources.sh --update.\n'
	list core_sources core/*.[ch] core/*.def
	list public_headers core/include/cliquet/*.h
	list fcgi_sources fcgi/*.h $(printf '%s\n' fcgi/*.c |
	    grep -v /main.c)
	list cli_sources cli/*.[ch]
	list storage_sqlite_sources storage/sqlite.c
	list storage_sqlite_common storage/sqlite.h storage/sqlite_*.[ch]
	list storage_memory_sources storage/memory*.[ch]
	list storage_postgresql_sources storage/pg.c
	list storage_postgresql_common storage/pg.h storage/pg_*.[ch]
	list storage_redis_common storage/redis_address.[ch]
	list storage_redis_sources $(printf '%s\n' storage/redis*.[ch] |
	    grep -v /redis_address)
	list storage_kinto_sources storage/kinto*.[ch]
	list cache_memory_sources cache/memory.[ch] cache/memory_*.[ch]
	list cache_memcached_sources cache/memcached*.[ch]
	for app in apps/*/; do
		app=${app#apps/}
		list "app_${app%/}_sources" "apps/${app}"*.[ch]
	done
	programs unit_tests tests/unit/test_*.c
	list unit_support tests/unit/[!t]*.[ch]
	programs fuzz_drivers tests/fuzz/fuzz_*.c
	programs conformance_programs \
	    tests/conformance/{cache,permission,postgresql,storage}.c
	list conformance_common tests/conformance/fixture*.[ch]
	list conformance_cache_sources tests/conformance/cache*.[ch]
	list conformance_permission_sources tests/conformance/permission*.[ch]
	list conformance_postgresql_sources tests/conformance/postgresql*.[ch]
	list conformance_storage_sources tests/conformance/storage*.[ch]
	list support_sources tests/support/*.[ch]
	list conformance_tests tests/conformance/*_*.sh
	programs schema_programs tests/schema/*.c
	list schema_tests tests/schema/*.sh
	list http_tests tests/http/[0-9]*.sh
}

# What no list takes.
orphans() {
	local file
	for file in storage/*.c cache/*.c apps/*.c tests/unit/*.c \
	    tests/conformance/*.c tests/support/*.c; do
		[ -f "$file" ] || continue
		grep -q -F -e "	${file%.c}" sources.am || printf '%s\n' "$file"
	done
}

# Plugins of Makefile.am that no Debian package has.
unpacked() {
	local plugin
	for plugin in $(grep -o -E '(storage|cache|apps)/[a-z_]+\.la' \
	    Makefile.am | sort -u); do
		plugin=${plugin#apps/}
		plugin=${plugin%.la}
		grep -q -E "/(app/)?$plugin\.so\$" debian/*.install ||
		    printf '%s\n' "$plugin"
	done
}

if [ -n "$update" ]; then
	sources > sources.am.new && {
		cmp -s sources.am.new sources.am && rm sources.am.new ||
		    mv sources.am.new sources.am
	}
	exit
fi
status=0
if ! sources | diff -u sources.am - >&2; then
	echo "sources.am differs from the tree: run $0 --update" >&2
	status=1
fi
if [ -n "$(orphans)" ]; then
	echo "in no list of sources.am: $(orphans)" >&2
	status=1
fi
if [ -n "$(unpacked)" ]; then
	echo "plugins in no debian/*.install: $(unpacked);" \
	    "a library that the server lacks makes it a package of its own" >&2
	status=1
fi
# One TAP line, for `make check`.
echo 1..1
[ "$status" -ne 0 ] && printf 'not '
echo "ok 1 - sources.am lists the tree"
exit $status
