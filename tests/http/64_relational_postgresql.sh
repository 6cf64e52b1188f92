#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Resources that are tables of a PostgreSQL database; plans go to its log.
. "$(dirname "$0")/lib.sh"
on_postgres relational \
    -o session_preload_libraries=auto_explain \
    -o auto_explain.log_min_duration=0 -o auto_explain.log_analyze=on \
    -o auto_explain.log_timing=off
