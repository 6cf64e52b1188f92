#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What any cache promises, of postgresql.so; the server is killed and started
# again under way, which takes one that syncs (-s).
. "$(dirname "${BASH_SOURCE[0]}")/postgresql.sh"
on_postgresql cache -s
