#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# docs/tutorial.md: every file in it, every command, what the commands say.
. "$(dirname "$0")/lib.sh"
python tutorial
