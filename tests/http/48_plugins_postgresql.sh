#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Kinto's plugins with their settings, on PostgreSQL.
. "$(dirname "$0")/lib.sh"
on_postgres plugins
