#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Prove that data and knowledge go one way (docs/architecture.md):
#
#	fcgi, cli -> core -> <cliquet/...> <- storage, cache, apps
#
# core includes no FastCGI and no database; a plugin includes the installed
# headers, its own, and the library it is about; an application not even that.
# The public headers include only each other, cJSON and the C library. Looked
# at are the #include lines; the compiler sees that nobody gets round them.
#
#	check-layers.sh [SRCDIR]	exit 1 and name each line that is wrong

set -u
cd "${1:-${CLQ_SRCDIR:-$(dirname "$0")/..}}" || exit 2

fcgi='fcgiapp|fcgi_|fastcgi|fcgios|fcgimisc|fcgio'
database='sqlite3|libpq|postgres|libmemcached|lmdb'

# includes FILE...: "file:line:#include ..." with the blanks taken out.
includes() {
	[ -f "$1" ] || return 0
	grep -n -H -E '^[[:space:]]*#[[:space:]]*include' "$@" |
	    sed 's/#[[:space:]]*include[[:space:]]*/#include /'
}

# wrong WHY: every line that arrives is one.
wrong() {
	local line
	while IFS= read -r line; do
		printf '%s  (%s)\n' "$line" "$1" >&2
		touch "$found"
	done
}
found=$(mktemp "${TMPDIR:-/tmp}/cliquet-layers.XXXXXX") || exit 2
rm "$found"
trap 'rm -f "$found"' EXIT

includes core/*.[ch] core/include/cliquet/*.h |
    grep -E "[<\"]([^>\"]*/)?($fcgi|$database)" |
    wrong "core knows no FastCGI and no database"
includes core/*.[ch] core/include/cliquet/*.h |
    grep -E '"(\.\./)*(fcgi|cli|storage|cache|apps|tests)/' |
    wrong "core knows nobody above or beside it"

includes core/include/cliquet/*.h | grep -F '"' |
    wrong "a public header includes nothing that is not installed"
includes core/include/cliquet/*.h | grep -E '<[^>]*/' |
    grep -v -E '<(cliquet|cjson|sys)/' |
    wrong "a public header includes <cliquet/...>, cJSON and libc only"

# A plugin's own headers are those of its folder; apps/jsonschema is a library
# for other applications, storage/redis_address one for the listener redis.
for folder in storage cache apps/*; do
	[ -d "$folder" ] || continue
	includes "$folder"/*.[ch] | grep -F '"' |
	    grep -v -E "#include \"($folder/)?[a-z0-9_]+\.h\"" |
	    grep -v -E '^apps/.*"apps/jsonschema/jsonschema\.h"' |
	    grep -v -E '^apps/redis/.*"storage/redis_address\.h"' |
	    wrong "a plugin includes <cliquet/...> and its own headers"
	includes "$folder"/*.[ch] | grep -E "<([^>]*/)?($fcgi)" |
	    wrong "a plugin knows no FastCGI"
done
for file in storage/*.[ch] cache/*.[ch] apps/*/*.[ch]; do
	[ -f "$file" ] || continue
	includes "$file" | sed -n 's/.*#include "\([^"]*\)".*/\1/p' |
	    while IFS= read -r header; do
		[ -f "$(dirname "$file")/$header" ] || [ -f "$header" ] ||
		    printf '%s: #include "%s"\n' "$file" "$header"
	    done | wrong "not a header of this plugin"
done
includes cache/*.[ch] | grep -E '<([^>]*/)?(sqlite3|libpq|postgres)' |
    wrong "a cache has no database"
includes apps/*/*.[ch] | grep -E "<([^>]*/)?($database)" |
    wrong "an application knows no database"

# Only the wrapper may call cJSON's parser and printer (design section 4).
for file in core/*.c fcgi/*.c cli/*.c storage/*.c cache/*.c apps/*/*.c; do
	[ -f "$file" ] || continue
	case $file in core/json*.c) continue ;; esac
	grep -n -H -E 'cJSON_(Parse|Print|GetObjectItem\()' "$file"
done | wrong "JSON goes through <cliquet/json.h>"

includes fcgi/*.[ch] cli/*.[ch] | grep -E "<([^>]*/)?($database)" |
    wrong "the programs know no database"
includes fcgi/*.[ch] cli/*.[ch] |
    grep -E '"(\.\./)*(storage|cache|apps|tests)/' |
    wrong "the programs load plugins, they do not include them"

# One TAP line, for `make check`.
echo 1..1
if [ -e "$found" ]; then
	echo "not ok 1 - layers"
	exit 1
fi
echo "ok 1 - layers"
