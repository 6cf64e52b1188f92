#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Stopping, reloading, dying: signals, time limits, crashes.
. "$(dirname "$0")/lib.sh"
python signals
