#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Resources declared in the ini, on PostgreSQL.
. "$(dirname "$0")/lib.sh"
need python3
"$src/tests/support/with-postgres" python3 "$src/tests/http/resources.py"
status=$?
[ $status -eq 77 ] || exit $status
echo "1..0 # SKIP no PostgreSQL"
