#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Event listeners and their outbox, on PostgreSQL.
. "$(dirname "$0")/lib.sh"
need python3
CLQ_TEST_ONLY="payloads full kills" \
    "$src/tests/support/with-postgres" python3 "$src/tests/http/listeners.py"
status=$?
[ $status -eq 77 ] || exit $status
echo "1..0 # SKIP no PostgreSQL"
