#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files attached to records and crashes, on a durable PostgreSQL.
. "$(dirname "$0")/lib.sh"
need python3
"$src/tests/support/with-postgres" -s python3 "$src/tests/http/attachments_crash.py"
status=$?
[ $status -eq 77 ] || exit $status
echo "1..0 # SKIP no PostgreSQL"
