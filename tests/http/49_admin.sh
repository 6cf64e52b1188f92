#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The admin plugin and scripts/get-admin, with a console that is none.
. "$(dirname "$0")/lib.sh"
python admin
