#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The Debian packages: built from the tarball's files, looked at by lintian,
# installed, used, upgraded, removed and purged. TAP.
#
#	CLQ_BUILDDIR	a build folder, for its tarball and manual pages
#	CLQ_DEBS	a folder with packages: they are not built again
#
# They are installed into this machine's own root with an overlay above it, in
# a mount namespace: what happens there goes when it ends (inside.sh). That
# wants root and the right to mount; else that part is skipped. The same root
# is booted with systemd in a container (systemd.sh), where containers can be.
set -u
here=$(cd "$(dirname "$0")" && pwd -P)
src=${CLQ_SRCDIR:-$(cd "$here/../.." && pwd -P)}
builddir=${CLQ_BUILDDIR:?the build folder}
export PATH="$PATH:/usr/sbin:/sbin"
unset MAKEFLAGS MFLAGS
dir=$(mktemp -d "${TMPDIR:-/tmp}/clq-package.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
trap 'exit 99' INT TERM HUP
chmod 755 "$dir"

# result NAME STATUS LOG
result() {
	if [ "$2" -eq 0 ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		tail -n 30 "$3" | sed 's/^/# /'
	fi
}

# try NAME COMMAND...: by its exit status.
try() {
	local name=$1
	shift
	"$@" > "$dir/log" 2>&1 < /dev/null
	result "$name" $? "$dir/log"
}

# quiet NAME COMMAND...: it must also have nothing to say.
quiet() {
	local name=$1
	shift
	"$@" > "$dir/log" 2>&1 < /dev/null && [ ! -s "$dir/log" ]
	result "$name" $? "$dir/log"
}

# ---- manual pages and units --------------------------------------------------

pages=("$builddir"/man/*.[1-8])
groff_all() {
	local page
	for page; do
		groff -ww -mandoc -Tutf8 "$page" > /dev/null || return 1
	done
}
if command -v mandoc > /dev/null; then
	quiet "manual pages: mandoc" mandoc -Tlint -Wwarning "${pages[@]}"
	try "manual pages as HTML" make -C "$builddir" -s html
else
	echo "ok - manual pages: mandoc # SKIP no mandoc"
fi
if command -v groff > /dev/null; then
	quiet "manual pages: groff" groff_all "${pages[@]}"
else
	echo "ok - manual pages: groff # SKIP no groff"
fi
# What the programs offer is in their pages.
for word in $("$builddir/cliquet" --help | sed -n 's/^\([a-z-]*\) *.*/\1/p' |
    grep -v '^usage') ; do
	grep -q "^\.It.* Ic $word" "$builddir/man/cliquet.1" ||
	    echo "no $word in cliquet(1)"
done > "$dir/lacking"
for word in $("$builddir/cliquetd" --help | grep -o -e '--[a-z]*'); do
	grep -q "Fl .-${word#--}" "$builddir/man/cliquetd.8" ||
	    echo "no $word in cliquetd(8)"
done >> "$dir/lacking"
for word in $(sed -n 's/^CLQ_API .*\(clq_[a-z0-9_]*\)(.*/\1/p' \
    "$src"/core/include/cliquet/*.h); do
	cat "$builddir"/man/*.3 | grep -q -w "$word" ||
	    echo "no $word in section 3"
done >> "$dir/lacking"
[ ! -s "$dir/lacking" ]
result "commands, options, functions are in the pages" $? "$dir/lacking"

if command -v systemd-analyze > /dev/null; then
	mkdir "$dir/units"
	cp "$builddir"/etc/cliquet.{service,socket} "$dir/units"
	sed -i -e 's/^ExecStart=[^ ]*/ExecStart=\/bin\/true/' \
	    -e '/^Documentation=/d' "$dir/units/cliquet.service"
	quiet "systemd-analyze verify" systemd-analyze verify --man=no \
	    "$dir"/units/cliquet.{service,socket}
	# 0 is a program that may do nothing, 10 one that may do all.
	try "systemd-analyze security: at most 2.0" systemd-analyze security \
	    --offline=true --threshold=20 "$dir/units/cliquet.service"
else
	echo "ok - units # SKIP no systemd-analyze"
fi

# ---- the packages ------------------------------------------------------------

if ! command -v dpkg-buildpackage > /dev/null ||
    ! command -v dh > /dev/null; then
	echo "ok - packages # SKIP no dpkg-buildpackage or no debhelper"
	exit 0
fi
version=$(sed -n 's/^AC_INIT(\[cliquet\], \[\(.*\)\])/\1/p' \
    "$src/configure.ac")
[ "$(cd "$src" && dpkg-parsechangelog -S Version)" = "$version" ]
result "debian/changelog is about this version" $? /dev/null

if [ -n "${CLQ_DEBS:-}" ]; then
	mkdir "$dir/debs"
	cp "$CLQ_DEBS"/*.deb "$dir/debs"
	cp "$CLQ_DEBS"/*.{changes,buildinfo} "$dir/debs"
else
	mkdir "$dir/debs"
	make -C "$builddir" -s distdir distdir="$dir/debs/cliquet-$version" \
	    > "$dir/log" 2>&1 < /dev/null
	result "the files of the tarball" $? "$dir/log"
	# Packages with debug symbols are for users; they take time.
	(cd "$dir/debs/cliquet-$version" &&
	    DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=2" \
	    dpkg-buildpackage -us -uc -b) > "$dir/build.log" 2>&1 < /dev/null
	result "dpkg-buildpackage" $? "$dir/build.log"
	rm -rf "$dir/debs/cliquet-$version"
fi
if command -v lintian > /dev/null; then
	try "lintian" lintian --allow-root --fail-on error,warning \
	    "$dir"/debs/*.changes
else
	echo "ok - lintian # SKIP no lintian"
fi

dpkg-deb -c "$dir"/debs/cliquet_*.deb | awk '{ print $6 }' > "$dir/log"
(cd "$src" && find docs -type f -name '*.md') | while read -r page; do
	grep -q -x "./usr/share/doc/cliquet/$page" "$dir/log" ||
	    echo "no $page"
done > "$dir/lacking"
[ ! -s "$dir/lacking" ]
result "all pages of the documentation are in cliquet, as they are" $? \
    "$dir/lacking"

# A second version, for upgrades: the same with another number.
newer=$version+1
mkdir "$dir/newer"
for deb in "$dir"/debs/{cliquet,libcliquet1}_*.deb; do
	dpkg-deb -R "$deb" "$dir/unpacked" &&
	sed -i -e "s/^Version: .*/Version: $newer/" \
	    -e "s/\(libcliquet1 (= \)[^)]*/\1$newer/" \
	    "$dir/unpacked/DEBIAN/control" &&
	dpkg-deb --root-owner-group -b "$dir/unpacked" "$dir/newer" || break
	rm -rf "$dir/unpacked"
done > "$dir/log" 2>&1
[ "$(find "$dir/newer" -name '*.deb' | wc -l)" = 2 ]
result "a newer version to upgrade to" $? "$dir/log"

# ---- installed, in a root of their own ----------------------------------------

# in_overlay COMMAND...: run it with $CLQ_ROOT, a copy of / that is written to
# in memory only.
in_overlay() {
	unshare --mount --fork bash -c '
		set -e
		over=$1
		shift
		mount -t tmpfs -o size=400m over "$over"
		mkdir "$over/upper" "$over/work" "$over/root"
		mount -t overlay over -o "lowerdir=/,upperdir=$over/upper,workdir=$over/work" \
		    "$over/root"
		[ -e "$over/root/var/lib/dpkg/status" ]
		[ -x "$over/root/usr/bin/dpkg" ]
		mount --rbind /proc "$over/root/proc"
		mount --rbind /dev "$over/root/dev"
		mount -t tmpfs run "$over/root/run"
		mount -t tmpfs tmp "$over/root/tmp"
		chmod 1777 "$over/root/tmp"
		CLQ_ROOT=$over/root exec "$@"
	' sh "$dir/over" "$@"
}

# boot SCRIPT: systemd as the first program of a container with that root; it
# runs SCRIPT, whose output is in $CLQ_ROOT/out, and ends. No network but lo.
boot() {
	local units=$CLQ_ROOT/etc/systemd/system
	umount -R "$CLQ_ROOT"/{proc,dev,run,tmp}
	# its own, not the machine's
	rm -f "$CLQ_ROOT/etc/machine-id" "$CLQ_ROOT/usr/sbin/policy-rc.d"
	printf '[Unit]\nRequires=basic.target cliquet-test.service\n' \
	    > "$units/cliquet-test.target"
	printf '%s\n' '[Unit]' 'After=basic.target' 'SuccessAction=exit-force' \
	    'FailureAction=exit-force' '[Service]' 'Type=oneshot' \
	    'TimeoutStartSec=840' "ExecStart=/bin/bash $1" \
	    'StandardOutput=file:/out' 'StandardError=file:/err' \
	    > "$units/cliquet-test.service"
	timeout -k 5 900 systemd-nspawn --quiet --directory="$CLQ_ROOT" \
	    --register=no --keep-unit --private-network --link-journal=no \
	    --machine="cliquet-test-$$" --boot \
	    systemd.unit=cliquet-test.target
}

# Installed here, nothing could be seen.
if dpkg-query -W -f '${db:Status-Status}' cliquet 2> /dev/null |
    grep -q -x installed || id cliquet > /dev/null 2>&1; then
	echo "ok - install, upgrade, purge # SKIP cliquet is installed here"
	exit 0
fi
mkdir "$dir/over"
if [ "$(id -u)" -ne 0 ] || ! in_overlay true > "$dir/log" 2>&1; then
	echo "ok - install, upgrade, purge # SKIP no right to mount"
	exit 0
fi
in_overlay bash -c '
	mkdir "$CLQ_ROOT/tmp/t" && cp -r "$1/debs" "$1/newer" "$2/inside.sh" \
	    "$2/ok.sh" "$2/guides.sh" "$3/tests/support/with-postgres" \
	    "$3/tests/support/ports.py" "$3/docs/guides" "$CLQ_ROOT/tmp/t" && exec chroot "$CLQ_ROOT" /bin/bash /tmp/t/inside.sh
' sh "$dir" "$here" "$src" 2> "$dir/log" < /dev/null
result "all of it was tried" $? "$dir/log"

# ---- under systemd ------------------------------------------------------------

if ! command -v systemd-nspawn > /dev/null || ! in_overlay bash -c '
    '"$(declare -f boot)"'
    printf "echo booted\n" > "$CLQ_ROOT/try.sh"
    boot /try.sh > "$1/boot.log" 2>&1
    grep -q booted "$CLQ_ROOT/out"' sh "$dir" > "$dir/log" 2>&1 < /dev/null; then
	echo "ok - units under systemd # SKIP systemd does not run in a container"
	exit 0
fi
in_overlay bash -c '
	'"$(declare -f boot)"'
	mkdir "$CLQ_ROOT/t" && cp -r "$1/debs" "$1/newer" "$2/systemd.sh" \
	    "$2/ok.sh" "$CLQ_ROOT/t" &&
	chroot "$CLQ_ROOT" bash -c "dpkg -i /t/debs/{cliquet,libcliquet1}_*.deb" &&
	boot /t/systemd.sh > /dev/null
	status=$?
	cat "$CLQ_ROOT/err"
	cat "$CLQ_ROOT/out" >&3
	exit "$status"
' sh "$dir" "$here" 3>&1 > "$dir/log" 2>&1 < /dev/null
result "systemd ended well" $? "$dir/log"
