#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What any storage backend promises, of postgresql.so.
. "$(dirname "${BASH_SOURCE[0]}")/postgresql.sh"
on_postgresql storage
