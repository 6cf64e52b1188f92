#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Backends that hang: heartbeats and requests are answered in bounded time.
. "$(dirname "$0")/lib.sh"
need python3
"$src/tests/support/with-postgres" python3 "$src/tests/http/faults.py"
status=$?
[ $status -eq 77 ] || exit $status
python faults
