#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What comes over a FastCGI connection, good and bad.
. "$(dirname "$0")/lib.sh"
python records
