#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A rule over several objects, where writers do not wait for each other.
. "$(dirname "$0")/lib.sh"
compile_doc toolkit.md bookings
export CLQ_TEST_BOOKINGS=$apps/bookings.so
on_postgres rules
