#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Crashes and internal errors: backtraces in the log, reports to Sentry.
. "$(dirname "$0")/lib.sh"
python reports
