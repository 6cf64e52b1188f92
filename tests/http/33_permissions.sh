#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Random permissions against an independent model, on SQLite.
. "$(dirname "$0")/lib.sh"
python permissions
