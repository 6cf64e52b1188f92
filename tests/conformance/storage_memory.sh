#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What any storage backend promises, of memory.so.
. "$(dirname "${BASH_SOURCE[0]}")/run.sh"
suite storage memory
