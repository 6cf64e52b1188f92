#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Compile each header alone, the public ones as C++ too: whoever includes one
# needs no other before it. TAP.
#
#	CC CXX CPPFLAGS from the environment; run by `make check`.

set -u
cd "${CLQ_SRCDIR:-$(dirname "$0")/..}" || exit 2
cc=${CC:-cc}
cxx=${CXX:-c++}
n=0

# try NAME COMMAND...: one TAP line.
try() {
	local name=$1 out
	shift
	n=$((n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		printf '%s\n' "$out" | sed 's/^/# /' | head -20
	fi
}

for header in core/include/cliquet/*.h; do
	name=${header#core/include/}
	# Installed headers see no private folder.
	# shellcheck disable=SC2086
	try "<$name> as C" $cc -std=c11 -Wall -Wextra -Werror -fsyntax-only \
	    -Icore/include ${CPPFLAGS:-} -x c -include "$name" /dev/null
	if [ "$cxx" != : ] && command -v "$cxx" > /dev/null; then
		# shellcheck disable=SC2086
		try "<$name> as C++" $cxx -std=c++17 -Wall -Wextra -Werror \
		    -fsyntax-only -Icore/include ${CPPFLAGS:-} -x c++ \
		    -include "$name" /dev/null
	fi
done
for header in core/*.h fcgi/*.h cli/*.h storage/*.h cache/*.h apps/*/*.h; do
	[ -f "$header" ] || continue
	# shellcheck disable=SC2086
	try "$header alone" $cc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
	    -fsyntax-only -Icore/include -iquote core -iquote . \
	    ${CPPFLAGS:-} -x c -include "$header" /dev/null
done
echo "1..$n"
