#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How often a batch asks PostgreSQL, and through which indexes it looks.
. "$(dirname "$0")/lib.sh"
on_postgres batch_postgresql -o autovacuum=off
