#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Validation with JSON schemas switched on (section 08-6), on SQLite.
. "$(dirname "$0")/lib.sh"
python schema
