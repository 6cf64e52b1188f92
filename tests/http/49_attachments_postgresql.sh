#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files attached to records, on PostgreSQL.
. "$(dirname "$0")/lib.sh"
need python3
"$src/tests/support/with-postgres" python3 "$src/tests/http/attachments.py"
status=$?
[ $status -eq 77 ] || exit $status
echo "1..0 # SKIP no PostgreSQL"
