#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Kinto's plugins with their settings, on SQLite.
. "$(dirname "$0")/lib.sh"
python plugins
