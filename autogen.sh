#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Write ./configure and what it needs, from a clone.
set -e
cd "$(dirname "$0")"
# One at a time: several builds may find it missing.
exec 9< .
flock 9
mkdir -p m4 build-aux
autoreconf -fi
# configure removes core dumps, as it thinks; here core is a folder.
sed -i 's/rm -f core /rm -f /' configure
