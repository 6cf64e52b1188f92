#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files attached to records, on PostgreSQL.
. "$(dirname "$0")/lib.sh"
on_postgres attachments
