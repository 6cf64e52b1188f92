#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A FastCGI client for tests, which can also misbehave.

As a program: fcgi.py ADDRESS METHOD URI [-H 'Name: value']... [-d BODY]
prints the CGI response. ADDRESS is a path or host:port.

As a module: Conn sends records as told, well-formed or not; request() does
what a web server does.
"""
import argparse
import socket
import struct
import sys

(BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES,
 GET_VALUES_RESULT, UNKNOWN_TYPE) = range(1, 12)


def record(kind, rid, content=b'', padding=0, version=1):
    return struct.pack('>BBHHBx', version, kind, rid, len(content),
                       padding) + content + b'\0' * padding


def length(n):
    return bytes([n]) if n < 128 else struct.pack('>I', n | 0x80000000)


def pairs(items):
    out = b''
    for name, value in items:
        name = name if isinstance(name, bytes) else name.encode('latin-1')
        value = value if isinstance(value, bytes) else value.encode('utf-8')
        out += length(len(name)) + length(len(value)) + name + value
    return out


def stream(kind, rid, data, size=65535, padding=0):
    """A stream in records of `size`, with the empty one that ends it."""
    out = [record(kind, rid, data[i:i + size], padding)
           for i in range(0, len(data), size)]
    return b''.join(out) + record(kind, rid, b'', padding)


def begin(rid=1, role=1, keep=True, padding=0):
    return record(BEGIN, rid, struct.pack('>HB5x', role, keep), padding)


def environ(method, uri, headers=(), body=b'', **more):
    path, _, query = uri.partition('?')
    env = {'REQUEST_METHOD': method, 'REQUEST_URI': uri,
           'QUERY_STRING': query, 'SERVER_PROTOCOL': 'HTTP/1.1',
           'HTTP_HOST': 'localhost'}
    if body:
        env['CONTENT_LENGTH'] = str(len(body))
    for name, value in headers:
        key = name.upper().replace('-', '_')
        env[key if key == 'CONTENT_TYPE' else 'HTTP_' + key] = value
    env.update(more)
    return [(k, v) for k, v in env.items() if v is not None]


class Closed(Exception):
    """The server has closed the connection."""


class Response:
    def __init__(self, out, err, end, extra):
        self.out, self.err, self.end, self.extra = out, err, end, extra
        head, _, self.body = out.partition(b'\r\n\r\n')
        self.headers = {}
        for line in head.decode('latin-1').split('\r\n'):
            name, _, value = line.partition(': ')
            self.headers[name.lower()] = value
        self.status = int(self.headers.get('status', '0').split(' ')[0])

    def json(self):
        import json
        return json.loads(self.body)


class Conn:
    def __init__(self, address, timeout=60):
        if '/' in address:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(timeout)
            self.s.connect(address)
        else:
            host, _, port = address.rpartition(':')
            self.s = socket.create_connection((host.strip('[]'), int(port)),
                                              timeout)
        self.extra = b''

    def close(self):
        self.s.close()

    def send(self, data):
        self.s.sendall(data)

    def read(self, n):
        out = b''
        while len(out) < n:
            try:
                got = self.s.recv(n - len(out))
            except ConnectionError:
                got = b''
            if not got:
                raise Closed(out)
            out += got
        return out

    def read_record(self):
        """(type, request id, content)"""
        head = self.read(8)
        version, kind, rid, size, padding = struct.unpack('>BBHHBx', head)
        assert version == 1, head
        content = self.read(size + padding)[:size]
        return kind, rid, content

    def response(self, rid=1):
        """Up to END_REQUEST."""
        out, err, extra = b'', b'', []
        while True:
            kind, who, content = self.read_record()
            if who != rid:
                extra.append((kind, who, content))
            elif kind == STDOUT:
                out += content
            elif kind == STDERR:
                err += content
            elif kind == END:
                status, protocol = struct.unpack('>IB3x', content)
                return Response(out, err, protocol, extra)
            else:
                extra.append((kind, who, content))

    def ask(self, method, uri, headers=(), body=b'', rid=1, keep=True,
            **more):
        """Send a request; the answer is read by response()."""
        self.send(begin(rid, keep=keep) +
                  stream(PARAMS, rid, pairs(environ(method, uri, headers,
                                                    body, **more))) +
                  stream(STDIN, rid, body))

    def request(self, method, uri, headers=(), body=b'', rid=1, keep=True,
                **more):
        self.ask(method, uri, headers, body, rid, keep, **more)
        return self.response(rid)

    def closed(self, timeout=60):
        """True if the server closes, with nothing more to read."""
        self.s.settimeout(timeout)
        try:
            return self.s.recv(1) == b''
        except ConnectionError:
            return True
        except socket.timeout:
            return False


def request(address, method, uri, headers=(), body=b'', timeout=60, **more):
    """One request on a connection of its own."""
    conn = Conn(address, timeout)
    try:
        return conn.request(method, uri, headers, body, keep=False, **more)
    finally:
        conn.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument('address')
    p.add_argument('method')
    p.add_argument('uri')
    p.add_argument('-H', action='append', default=[], metavar='HEADER')
    p.add_argument('-d', default='', metavar='BODY')
    a = p.parse_args()
    headers = [h.split(': ', 1) for h in a.H]
    r = request(a.address, a.method, a.uri, headers, a.d.encode())
    sys.stdout.buffer.write(r.out)


if __name__ == '__main__':
    main()
