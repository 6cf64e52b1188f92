#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What any cache promises, of cache/memory.so.
. "$(dirname "${BASH_SOURCE[0]}")/run.sh"
suite cache memory
