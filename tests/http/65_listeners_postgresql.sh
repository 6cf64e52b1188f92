#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Event listeners and their outbox, on PostgreSQL.
. "$(dirname "$0")/lib.sh"
CLQ_TEST_ONLY="payloads full kills" on_postgres listeners
