#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The ini file that `kinto init` writes, with PostgreSQL and memcached.
. "$(dirname "$0")/lib.sh"
need memcached
on_postgres kinto_ini
