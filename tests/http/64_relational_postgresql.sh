#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Resources that are tables of a PostgreSQL database; plans go to its log.
. "$(dirname "$0")/lib.sh"
need python3
"$src/tests/support/with-postgres" \
    -o session_preload_libraries=auto_explain \
    -o auto_explain.log_min_duration=0 -o auto_explain.log_analyze=on \
    -o auto_explain.log_timing=off \
    python3 "$src/tests/http/relational.py"
status=$?
[ $status -eq 77 ] || exit $status
echo "1..0 # SKIP no PostgreSQL"
