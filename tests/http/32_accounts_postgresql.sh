#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Users with a password, on PostgreSQL.
. "$(dirname "$0")/lib.sh"
on_postgres accounts
