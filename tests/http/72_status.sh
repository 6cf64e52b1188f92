#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a running server says of itself: status page, `cliquet top`.
. "$(dirname "$0")/lib.sh"
python status
