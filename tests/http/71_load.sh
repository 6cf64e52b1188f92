#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Reloads and recycling under load, through nginx: no request fails.
. "$(dirname "$0")/lib.sh"
need nginx
python load
