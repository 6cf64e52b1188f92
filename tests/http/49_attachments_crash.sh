#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files attached to records and crashes, on SQLite.
. "$(dirname "$0")/lib.sh"
python attachments_crash
