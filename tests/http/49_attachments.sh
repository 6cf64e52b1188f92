#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files attached to records, on SQLite.
. "$(dirname "$0")/lib.sh"
python attachments
