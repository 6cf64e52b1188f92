#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Event listeners and their outbox, on SQLite.
. "$(dirname "$0")/lib.sh"
python listeners
