#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The writers' lock in Redis, when Redis dies and comes back with it.
. "$(dirname "$0")/lib.sh"
need redis-server
need redis-cli
compile_app toolkit
export CLQ_TEST_TOOLKIT=$apps/toolkit.so
python redis_lock
