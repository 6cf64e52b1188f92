#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A port for a server of a test: free_port(), or as a program, ports.py.

Not one that the system gives away ("port 0"): that may be the local end of
somebody's connection by the time the server binds it. So it lies outside the
range for those. Tests that run at the same time get different ones, as they
take them in turn, from a file that all tests of a user share. The first is
any, since other users have files of their own.
"""
import errno
import fcntl
import os
import random
import socket

RANGE = '/proc/sys/net/ipv4/ip_local_port_range'
FIRST = 11000                           # browsers refuse 10080


def candidates():
    with open(RANGE) as f:
        low, high = map(int, f.read().split())
    return [p for p in range(FIRST, 65536) if not low <= p <= high] or \
        list(range(FIRST, 65536))


def unused(port):
    """By anybody, on any address."""
    for family in socket.AF_INET, socket.AF_INET6:
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            try:
                with socket.socket(family, kind) as s:
                    s.bind(('', port))
            except OSError as e:
                if e.errno == errno.EADDRINUSE:
                    return False        # else there is no IPv6
    return True


def free_port():
    ports = candidates()
    fd = os.open('/tmp/clq-port.%d' % os.getuid(),
                 os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        i = int(os.pread(fd, 8, 0) or random.randrange(len(ports)))
        for _ in ports:
            i = (i + 1) % len(ports)
            if unused(ports[i]):
                break
        os.pwrite(fd, b'%05d\n' % i, 0)
    finally:
        os.close(fd)
    return ports[i]


if __name__ == '__main__':
    print(free_port())
