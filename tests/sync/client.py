# SPDX-License-Identifier: Apache-2.0
"""A small, quick HTTP client for the sync test: one kept connection.

http.client costs more than the server does; this one reads the status, the
headers and a body of known length, which is all that the protocol uses.
Anything that leaves the outcome of a request open raises Broken.
"""
import base64
import json
import socket
import urllib.parse


class Broken(Exception):
    """No answer, or only part of one: the request may have been done."""


class Response:
    __slots__ = ('status', 'headers', 'body')

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def etag(self):
        """The ETag as a number, 0 without one."""
        return etag_number(self.headers.get('etag'))


def etag_number(text):
    return int(text.strip('"')) if text else 0


class Client:
    def __init__(self, base, auth, timeout=60):
        url = urllib.parse.urlsplit(base)
        self.address = url.hostname, url.port or 80
        self.prefix = url.path.rstrip('/')
        self.timeout = timeout
        self.sock = None
        self.left = b''
        self.common = 'Host: %s\r\nAuthorization: Basic %s\r\n' % (
            url.netloc, base64.b64encode(auth.encode()).decode())

    def close(self):
        if self.sock is not None:
            self.sock.close()
        self.sock, self.left = None, b''

    def request(self, method, path, body=None, headers=()):
        """path: below the prefix, or a whole URL as in Next-Page."""
        if path.startswith('http'):
            url = urllib.parse.urlsplit(path)
            path = url.path + ('?' + url.query if url.query else '')
        else:
            path = self.prefix + path
        head = ['%s %s HTTP/1.1\r\n' % (method, path), self.common]
        head += ['%s: %s\r\n' % pair for pair in headers]
        data = b''
        if body is not None:
            data = json.dumps(body).encode()
            head.append('Content-Type: application/json\r\n'
                        'Content-Length: %d\r\n' % len(data))
        elif method in ('POST', 'PUT', 'PATCH'):
            head.append('Content-Length: 0\r\n')
        head.append('\r\n')
        try:
            return self.exchange(method, ''.join(head).encode() + data)
        except (OSError, ValueError) as e:
            self.close()
            raise Broken('%s %s: %s' % (method, path, e)) from e
        except Broken:
            self.close()
            raise

    def exchange(self, method, data):
        if self.sock is None:
            self.sock = socket.create_connection(self.address, self.timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(data)
        head = self.until(b'\r\n\r\n').decode('latin-1').split('\r\n')
        status = int(head[0].split(' ', 2)[1])
        headers = {}
        for line in head[1:]:
            name, _, value = line.partition(':')
            headers[name.lower()] = value.strip()
        body = b''
        if method != 'HEAD' and status not in (204, 304):
            if headers.get('transfer-encoding', '').lower() == 'chunked':
                body = self.chunks()
            else:
                body = self.exactly(int(headers['content-length'])
                                    if 'content-length' in headers else 0)
        if headers.get('connection', '').lower() == 'close':
            self.close()
        return Response(status, headers, body)

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise Broken('the connection was closed')
        self.left += got

    def until(self, end):
        while True:
            at = self.left.find(end)
            if at >= 0:
                out, self.left = self.left[:at], self.left[at + len(end):]
                return out
            self.more()

    def exactly(self, n):
        while len(self.left) < n:
            self.more()
        out, self.left = self.left[:n], self.left[n:]
        return out

    def chunks(self):
        out = b''
        while True:
            n = int(self.until(b'\r\n').split(b';')[0], 16)
            out += self.exactly(n)
            self.until(b'\r\n')
            if n == 0:
                return out
