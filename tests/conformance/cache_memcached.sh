#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What any cache promises, of cache/memcached.so with a memcached of our own on
# a free port of the loopback; it is stopped and started again under way.
. "$(dirname "${BASH_SOURCE[0]}")/run.sh"

. "$srcdir/tests/support/tap.sh"
port=$(free_port)
user=
[ "$(id -u)" -eq 0 ] && user="-u nobody"
own_service memcached "memcached -l 127.0.0.1 -p $port -U 0 -m 64 $user" \
    "(exec 3<> /dev/tcp/127.0.0.1/$port) 2> /dev/null"
suite cache memcached "127.0.0.1:$port"
