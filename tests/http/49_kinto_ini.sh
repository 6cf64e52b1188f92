#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The ini file that `kinto init` writes, with PostgreSQL and memcached.
. "$(dirname "$0")/lib.sh"
need python3
need memcached
export CLIQUET=${CLIQUET:-$builddir/cliquet}
"$src/tests/support/with-postgres" python3 "$src/tests/http/kinto_ini.py"
status=$?
[ $status -eq 77 ] || exit $status
echo "1..0 # SKIP no PostgreSQL"
