# SPDX-License-Identifier: Apache-2.0
# What the scripts within the container say of each step, as TAP.
# shellcheck shell=bash

# ok NAME COMMAND...
ok() {
	local name=$1
	shift
	if "$@" > log 2>&1 < /dev/null; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		tail -n 20 log | sed 's/^/# /'
	fi
}
is() {	# NAME IS WANTED
	ok "$1: $3" test "$2" = "$3"
}
refuses() {
	! "$@"
}
