# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
#
# What scripts/serve and scripts/test share: Debian packages and builds.
# To be sourced; defines functions and $top, starts nothing. Messages go to
# standard error.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Each has its line in docs/dependencies.md.
packages_build="gcc libc6-dev make autoconf automake libtool pkg-config
    libfcgi-dev libcjson-dev libiniparser-dev libsodium-dev libsqlite3-dev
    libmemcached-dev libhiredis-dev libpq-dev libpcre2-dev
    libcrypt-dev libcurl4-openssl-dev libcjose-dev libssl-dev"
packages_serve="nginx curl"
packages_test="g++ clang libcriterion-dev apache2-bin libapache2-mod-fcgid libapache2-mod-xsendfile
    lighttpd spawn-fcgi memcached python3 python3-venv git valgrind cppcheck
    postgresql redis-server procps json-schema-test-suite python3-prometheus-client"
# For tests/package.
packages_package="debhelper lintian mandoc groff man-db logrotate sqlite3
    systemd systemd-container openssl"
# For tests/clients/browser.
packages_browser="chromium python3-pip"

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# missing PACKAGE...: those that are not installed, on one line.
missing() {
	local have name
	have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" \
	    2> /dev/null | sed -n 's/ installed$//p')
	for name in "$@"; do
		grep -q -x -F "$name" <<< "$have" || printf '%s ' "$name"
	done
}

# apt SUDO ARGUMENT...: apt-get without questions, in a subshell. Daemons that
# a package brings are not started: we run them ourselves, on ports of our own.
apt() (
	root=$1
	policy=/usr/sbin/policy-rc.d
	shift
	if [ ! -e "$policy" ]; then
		trap '$root rm -f "$policy"' EXIT
		trap 'exit 1' INT TERM
		printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" > /dev/null
		$root chmod 755 "$policy"
	fi
	$root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
	    -o Dpkg::Use-Pty=0 "$@" >&2 < /dev/null
)

# need PACKAGE...: install what is missing, as root or through sudo; an
# ordinary user is told what to ask for.
need() {
	local names root=
	names=$(missing "$@")
	names=${names% }
	[ -z "$names" ] && return 0
	if [ "$(id -u)" -ne 0 ]; then
		if command -v sudo > /dev/null && sudo -n true 2> /dev/null; then
			root=sudo
		else
			say "these Debian packages are missing: $names"
			say "as root: apt-get install $names"
			return 1
		fi
	fi
	say "installing $names"
	# shellcheck disable=SC2086
	apt "$root" --no-install-recommends install $names && return 0
	# An old list of packages names files that are gone.
	apt "$root" update
	# shellcheck disable=SC2086
	apt "$root" --no-install-recommends install $names ||
	    { say "apt-get could not install: $names"; return 1; }
}

# sources_newer FILE: true if something to be built changed after FILE. Folders
# count too: a removed file changes its folder.
sources_newer() {
	[ -e "$1" ] || return 0
	[ -n "$(cd "$top" && find core fcgi cli storage cache apps etc \
	    man configure.ac Makefile.am sources.am cliquet.pc.in \
	    -newer "$1" -print -quit)" ]
}

# bootstrap: write configure if it is missing or older than its sources.
bootstrap() {
	local file
	for file in configure.ac Makefile.am sources.am autogen.sh; do
		if [ ! -e "$top/configure" ] || [ ! -e "$top/Makefile.in" ] ||
		    [ "$top/$file" -nt "$top/configure" ]; then
			(cd "$top" && ./autogen.sh && touch configure) ||
			    return 1
			return 0
		fi
	done
}

# configure DIR ARGUMENT...: make DIR a build folder, unless it is one for this
# tree and these arguments.
configure() {
	local dir=$1 key
	shift
	bootstrap || return 1
	if [ -e "$top/config.status" ]; then
		say "$top itself was configured, which rules out other" \
		    "build folders: run 'make distclean' there"
		return 1
	fi
	mkdir -p "$dir"
	key="$top $*"
	if [ ! -e "$dir/Makefile" ] ||
	    [ "$(cat "$dir/.configured" 2> /dev/null)" != "$key" ]; then
		find "$dir" -mindepth 1 -maxdepth 1 ! -name '.lock' \
		    ! -name '.begun' \
		    ! -name '*.out' -exec rm -rf {} +
		(cd "$dir" && "$top/configure" -q "$@") || return 1
		printf '%s\n' "$key" > "$dir/.configured"
	fi
}

jobs() {
	getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2
}
