#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Random permissions against an independent model, on PostgreSQL.
. "$(dirname "$0")/lib.sh"
on_postgres permissions
