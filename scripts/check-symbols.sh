#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the built library and plugins export is what is promised, and no more:
# libcliquet.so exports what the installed headers declare with CLQ_API, and
# what private headers do for the programs of this package; a plugin exports
# its descriptor. TAP; run by `make check` in a build folder.

set -u
src=${CLQ_SRCDIR:-$(cd "$(dirname "$0")/.." && pwd -P)}
build=${CLQ_BUILDDIR:-$PWD}
n=0

# exported FILE: names of its dynamic symbols.
exported() {
	nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' | sort
}

# declared HEADER...: names behind CLQ_API.
declared() {
	cat "$@" | grep -v '^#' | tr '\n' ' ' | sed 's|/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/||g' |
	    tr ';' '\n' | grep CLQ_API |
	    sed -n 's/.*CLQ_API[^(]*[ *]\(clq_[a-z0-9_]*\).*/\1/p' | sort -u
}

# result NAME DIFFERENCE
result() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

lib=$build/.libs/libcliquet.so
public=$(declared "$src"/core/include/cliquet/*.h | grep -v -x clq_plugin)
friends=$(declared "$src"/core/*.h)
result "all that the headers promise is exported" \
    "$(comm -23 <(printf '%s\n' "$public") <(exported "$lib"))"
result "nothing else is exported" "$(comm -13 \
    <(printf '%s\n%s\n' "$public" "$friends" | sort -u) <(exported "$lib"))"
for plugin in "$build"/plugins/{storage,cache,app}/*.so; do
	result "${plugin#"$build"/plugins/} exports its descriptor only" \
	    "$(exported "$plugin" | grep -v -x clq_plugin)$(
	    exported "$plugin" | grep -q -x clq_plugin || echo no clq_plugin)"
done
echo "1..$n"
