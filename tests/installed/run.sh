#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What somebody has who only installed cliquet: `cliquet new` makes a project
# that builds, starts and passes its own test; and every plugin of this tree
# compiles with the installed headers alone, without core beside it. TAP.
#
#	CLQ_BUILDDIR	the build folder
#	CLQ_STAGE	where it was installed (DESTDIR); unset: it is now, which
#			moves libraries for moments, so let no other test run
. "$(dirname "$0")/../http/lib.sh"
need make
need pkg-config
unset MAKEFLAGS MFLAGS CLQ_PLUGIN_PATH
new_dir
. "$src/tests/support/tap.sh"

root=${CLQ_STAGE:-$dir/root}
if [ -z "${CLQ_STAGE:-}" ]; then
	make -C "$builddir" -s install DESTDIR="$root" \
	    > "$dir/install.log" 2>&1
	result "make install" $? "$dir/install.log"
fi
pc=$(find "$root" -name cliquet.pc)
prefix=$(sed -n 's/^prefix=//p' "$pc")
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$root
export LD_LIBRARY_PATH=${pc%/pkgconfig/*}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PATH="$root$prefix/bin:$root$prefix/sbin:$PATH"
export CLQ_PLUGIN_PATH=${pc%/pkgconfig/*}/cliquet	# not where it will be

# ---- the documentation -----------------------------------------------------

doc=$(find "$root" -path '*/doc/cliquet' -type d)
diff <(cd "$src" && find docs -type f -name '*.md' | sort) \
    <(cd "$doc" && find docs -type f -name '*.md' | sort) > "$dir/doc.log" 2>&1
result "all pages are installed" $? "$dir/doc.log"
(cd "$doc" && grep -o '](docs/[^)#]*' README.md | cut -c3- | sort -u |
    while read -r page; do [ -e "$page" ] || echo "no $page"; done) \
    > "$dir/doc.log" 2>&1
[ ! -s "$dir/doc.log" ]
result "and found from README.md" $? "$dir/doc.log"

# ---- a new project ---------------------------------------------------------

cd "$dir" || exit 99
cliquet new scores > "$dir/new.log" 2>&1
result "cliquet new" $? "$dir/new.log"
make -C scores CC="${CC:-cc}" CFLAGS='-O1 -Wall -Wextra -Werror' \
    > "$dir/build.log" 2>&1
result "it builds without warnings" $? "$dir/build.log"
make -C scores check > "$dir/check.log" 2>&1
result "its own test passes" $? "$dir/check.log"
grep -q -x '1\.\.9' "$dir/check.log"
result "which has run" $? "$dir/check.log"
sed -i 's/, %.\*s%s", CLQ_FMT(word)/; %.*s%s", CLQ_FMT(word)/' scores/scores.c
! make -C scores check > "$dir/check.log" 2>&1
result "and which fails when the application is wrong" $? "$dir/check.log"
! grep -r -I -q '@NAME@' scores
result "nothing is left to be filled in" $? /dev/null
if command -v git > /dev/null; then
	git init -q scores && git -C scores add -A &&
	    git -C scores ls-files | grep -q -x scores.ini &&
	    ! git -C scores grep --cached -q -E '_secret *= *[^ ]|[0-9a-f]{32}'
	result "git takes the ini, and finds no secret" $? /dev/null
fi
make -C scores run CLIQUETD='cliquetd --check' > "$dir/check.log" 2>&1 &&
    [ "$(stat -c %a scores/.env)" = 600 ] &&
    grep -q -E -x 'CLIQUET_USERID_HMAC_SECRET=[0-9a-f]{64}' scores/.env
result "make run brings a secret of its own" $? "$dir/check.log"
if [ -d scores/.git ]; then
	! git -C scores status --porcelain | grep -q env
	result "which git ignores" $? /dev/null
fi
! (cd scores && cliquet --ini scores.ini check-config) \
    > "$dir/check.log" 2>&1 && grep -q userid_hmac_secret "$dir/check.log"
result "without it the server says what is missing" $? "$dir/check.log"
make -C scores install DESTDIR="$root" > "$dir/build.log" 2>&1 &&
    find "$root" -path '*/app/scores.so' | grep -q .
result "it installs beside the others" $? "$dir/build.log"
cliquet new scores > "$dir/new.log" 2>&1
[ $? -eq 1 ] && grep -q 'scores: cannot be made a folder' "$dir/new.log"
result "what exists is left alone" $? "$dir/new.log"
for name in '../x' 'A' '1a' '' 'a-b' "$(printf 'a%.0s' {1..41})"; do
	cliquet new "$name" > "$dir/new.log" 2>&1
	[ $? -eq 1 ] && grep -q 'is no name' "$dir/new.log"
	result "no project '$name'" $? "$dir/new.log"
done

# ---- a backend of one's own (docs/backends.md) -------------------------------

# shellcheck disable=SC2046
${CC:-cc} -std=gnu11 -O1 -Wall -Wextra -Werror -fPIC -shared \
    $(pkg-config --cflags cliquet) -o "$dir/folder.so" \
    "$src/docs/examples/folder.c" > "$dir/build.log" 2>&1
result "the example of a backend builds" $? "$dir/build.log"
conformance=$(find "$root" -path '*/conformance/cache' | head -n 1)
if [ -z "$conformance" ]; then
	make -C "$builddir" -s install-conformance DESTDIR="$root" \
	    > "$dir/install.log" 2>&1
	result "make install-conformance" $? "$dir/install.log"
	conformance=$(find "$root" -path '*/conformance/cache' | head -n 1)
fi
CLQ_TEST_PLUGIN=$dir/folder.so CLQ_TEST_URL=$dir/folder \
    "$conformance" -j1 --tap="$dir/suite.tap" > "$dir/suite.log" 2>&1 &&
    [ "$(grep -c '^ok' "$dir/suite.tap")" -ge 19 ]
result "and keeps all promises of a cache" $? "$dir/suite.log"

# ---- the layers ------------------------------------------------------------

# A copy of the plugins, so that "core/..." is not to be found.
mkdir tree
(cd "$src" && tar -cf - --exclude='*.o' --exclude=.libs storage cache apps) |
    tar -xf - -C tree
unset PKG_CONFIG_SYSROOT_DIR
flags=$(pkg-config --cflags libcjson sqlite3 libpq libmemcached libpcre2-8 \
    libcurl cjose 2> /dev/null)
for folder in storage cache tree/apps/*/; do
	folder=${folder#tree/}
	# shellcheck disable=SC2086
	printf '%s\0' tree/"${folder%/}"/*.c |
	    xargs -0 -n 1 -P "$(getconf _NPROCESSORS_ONLN)" \
	    ${CC:-cc} -std=gnu11 -D_GNU_SOURCE -fsyntax-only \
	    -I"$root$prefix/include" -iquote tree $flags \
	    > "$dir/layer.log" 2>&1 && [ ! -s "$dir/layer.log" ]
	result "${folder%/} with the installed headers alone" $? \
	    "$dir/layer.log"
done
plan
