#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Validation with JSON schemas switched on (section 08-6), on PostgreSQL.
. "$(dirname "$0")/lib.sh"
on_postgres schema
