# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For the scripts beside it: a suite on postgresql.so with a server of its own.
# To be sourced.
#
#	on_postgresql KIND [OPTION...]	run tests/conformance/KIND on a migrated
#					database; OPTIONs are with-postgres's

. "$(dirname "${BASH_SOURCE[0]}")/run.sh"

# Runs within with-postgres: tables first, then the suite.
migrated_suite() {
	cat > "$folder/pg.ini" <<-INI
	[app:main]
	storage_backend = postgresql
	storage_url = $CLQ_PG_URL
	cache_backend = $([ "$1" = cache ] && echo postgresql)
	userid_hmac_secret = for tests only
	INI
	"${CLIQUET:-$builddir/cliquet}" migrate --ini "$folder/pg.ini" \
	    > "$folder/migrate.out" 2>&1 || {
		cat "$folder/migrate.out" >&2
		echo "Bail out! cliquet migrate fails"
		return 1
	}
	# The cache's suite takes the server away and brings it back.
	CLQ_TEST_STOP="$CLQ_PG_CTL kill" CLQ_TEST_START="$CLQ_PG_CTL start" \
	    suite "$1" postgresql "$CLQ_PG_URL"
}
export -f migrated_suite suite
export srcdir builddir folder

on_postgresql() {
	local kind=$1
	shift
	export CLQ_SRCDIR=$srcdir
	bash "$srcdir/tests/support/with-postgres" "$@" \
	    bash -c 'migrated_suite "$0"' "$kind"
	if [ $? -eq 77 ]; then
		echo "1..0 # SKIP no PostgreSQL"
		exit 0
	fi
}
