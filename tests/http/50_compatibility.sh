#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What docs/compatibility.md promises of endpoints and settings.
. "$(dirname "$0")/lib.sh"
python compatibility
