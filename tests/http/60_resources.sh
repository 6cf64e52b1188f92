#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Resources declared in the ini, and the ini alone.
. "$(dirname "$0")/lib.sh"
python resources
