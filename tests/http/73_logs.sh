#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The log: formats, destinations, and destinations that fail; timings.
. "$(dirname "$0")/lib.sh"
python logs
