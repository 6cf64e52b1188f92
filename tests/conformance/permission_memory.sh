#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What any permission backend promises, of memory.so.
. "$(dirname "${BASH_SOURCE[0]}")/run.sh"
suite permission memory
