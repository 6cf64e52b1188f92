#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Resources declared in the ini, on PostgreSQL.
. "$(dirname "$0")/lib.sh"
on_postgres resources
