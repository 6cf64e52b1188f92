#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How postgresql.so lives with its server, which is stopped, killed and made to
# hang: tests/conformance/postgresql*.c on a server of their own.
. "$(dirname "${BASH_SOURCE[0]}")/postgresql.sh"
on_postgresql postgresql
