#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How often a batch asks PostgreSQL, and through which indexes it looks.
. "$(dirname "$0")/lib.sh"
need python3
"$src/tests/support/with-postgres" -o autovacuum=off \
    python3 "$src/tests/http/batch_postgresql.py"
status=$?
[ $status -eq 77 ] || exit $status
echo "1..0 # SKIP no PostgreSQL"
