#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The sync promise (tests/sync), for a few seconds, on SQLite.

exec bash "$(dirname "${BASH_SOURCE[0]}")/../sync/run.sh" sqlite --seconds 5
