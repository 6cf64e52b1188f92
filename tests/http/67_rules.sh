#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A rule over several objects, as docs/toolkit.md has it.
. "$(dirname "$0")/lib.sh"
compile_doc toolkit.md bookings
export CLQ_TEST_BOOKINGS=$apps/bookings.so
python rules
