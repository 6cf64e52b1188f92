#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Odd requests, many of them, to a running server.

http_fuzz.py BASE_URL [-n REQUESTS] [-j THREADS] [-s SEED]

Requests are made of valid ones: method, path, query, headers and body are
replaced or mutated at random. An answer is wrong if it is a 5xx, is no JSON
where it has a body, is an error without errno or without CORS headers for a
request with an Origin, or comes late. The same seed sends the same requests per
thread. Exit status 1 and one line for each kind of fault if there was any; what
the server says of itself (sanitizers, crashes) is in its own log.
"""
import argparse
import base64
import collections
import http.client
import json
import random
import re
import socket
import sys
import threading
import time
import urllib.parse

SLOW = 2.0		# seconds until an answer counts as late
USERS = ['alice:a'] * 6 + ['bob:b', 'carol:c', 'admin:adminpw', 'acc1:secret']
IDS = ['b1', 'b2', 'c1', 'c2', 'r1', 'r2', 'g1', 'default', 'acc1', 'acc2',
       'alice', 'x' * 300, 'A_b-1', '*', '..', '.', 'a/b', 'é', '\x00', ' ',
       '%', 'b_', '0', 'a@1', '__flush__', '\ud83d\ude00'.encode(
           'utf-16', 'surrogatepass').decode('utf-16'), 'a\r\nX-Evil: 1']
FIELDS = ['id', 'last_modified', 'deleted', 'title', 'a.b', 'a.b.c', 'n',
          'tags', 'schema', 'members', 'password', 'uri', 'resource_name',
          'target.data.id', 'é', 'a..b', '.', '..', '__proto__', 'x' * 900]
OPS = ['', 'min_', 'max_', 'lt_', 'gt_', 'eq_', 'not_', 'in_', 'exclude_',
       'like_', 'has_', 'contains_', 'contains_any_', '_', 'min_max_']
VALUES = ['', '0', '1', '-1', '1e400', '-1e400', '1e-400', 'NaN', 'null',
          'true', '"x"', '"\\u0000"', '"\\ud800"', '[1,2]', '[]', '{}',
          '{"a":1}', '*', '**', '*a*b*c*', 'a,b,c', ',,,', '"1"', "'",
          "' OR 1=1 --", '9223372036854775807', '9223372036854775808',
          '-9223372036854775808', '1' * 400, '0.1', '1.5', '"', '[[[[[[',
          '[' * 300 + ']' * 300, '\x00', '\xff', 'é', '%', '_', '\\',
          '"\\udc00\\ud800"', '1795456756960', '"1795456756960"',
          '["a",1,null,{"b":[]}]', 'x' * 5000, '*' * 500, 'a*' * 300]
ETAGS = ['*', '"1"', '"0"', '1', '""', '"-1"', '"*"', 'W/"1"', '"1", "2"',
         '"99999999999999999999"', ' ', '"1795456756960"', '\xff', '"1',
         '"1.5"', '* ', '"+1"']
TYPES = ['application/json', 'application/json; charset=utf-8',
         'application/merge-patch+json', 'application/json-patch+json',
         'text/plain', '', 'application/json;charset=latin1', ';', 'x/y/z',
         'APPLICATION/JSON', 'application/x-www-form-urlencoded',
         'multipart/form-data; boundary=x', 'application/json; charset="']
ACCEPTS = ['*/*', 'application/json', 'text/html', '', 'application/*;q=0',
           ';;;', 'a/b;q=x', ',' * 300, 'text/html, application/json;q=0.1']
PRINCIPALS = ['system.Everyone', 'system.Authenticated', 'account:acc1',
              '/buckets/b1/groups/g1', 'x', '', '*', 'é', 'a:b', '\x00',
              '/buckets/*', '/' * 20, 'x' * 3000]
PERMS = ['read', 'write', 'collection:create', 'group:create',
         'record:create', 'account:create', 'x', '', 'read:attributes']
SCHEMAS = [{'type': 'object', 'properties': {'title': {'type': 'string'}}},
           {'type': 'object', 'required': ['a'], 'additionalProperties': False},
           {'$ref': '#'}, {'$ref': '#/definitions/a', 'definitions': {
               'a': {'$ref': '#/definitions/a'}}},
           {'pattern': '(a+)+$'}, {'patternProperties': {'(': {}}},
           {'enum': [1, 'a', None]}, {'type': 'nope'}, {'multipleOf': 0},
           {'multipleOf': 1e-300}, {'allOf': [{}] * 50}, {'not': {}},
           {'uniqueItems': True, 'type': 'array'}, {'$ref': 'http://x/y'},
           {'minLength': 1e300}, {'properties': []}, True, [], 'x', None]


class Mutator:
    """Random requests; everything drawn from one generator."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def one_in(self, n):
        return self.r.randrange(n) == 0

    def pick(self, items):
        return self.r.choice(items)

    # -- values

    def value(self, depth=0):
        r = self.r
        kind = r.randrange(11)
        if kind < 2 and depth < 5:
            return {self.pick(FIELDS + IDS): self.value(depth + 1)
                    for _ in range(r.randrange(4))}
        if kind < 4 and depth < 5:
            return [self.value(depth + 1) for _ in range(r.randrange(4))]
        return self.pick([None, True, False, 0, -1, 1.5, 1e300, -0.0, 2 ** 53,
                          2 ** 63, -2 ** 63, 10 ** 40, '', 'x', 'é', '\x00',
                          '\ud800', 'x' * 2000, 1e-320, '\u2028'] + IDS[:8])

    def data(self):
        out = {'title': self.pick(['t', '', 'é', 5, None]),
               'n': self.pick([1, 1.5, -3, 'x', 10 ** 20]),
               'a': {'b': self.value(3)}, 'tags': ['x', 1, None]}
        if self.one_in(3):
            out['id'] = self.pick(IDS[:9] + [None, 5, {}])
        if self.one_in(4):
            out['last_modified'] = self.pick(
                [0, 1, -1, 1795456756960, 'x', 2 ** 63, 1.5, None, 10 ** 30])
        if self.one_in(4):
            out['schema'] = self.pick(SCHEMAS)
        if self.one_in(6):
            out[self.pick(['collection:schema', 'record:schema',
                           'group:schema'])] = self.pick(SCHEMAS)
        if self.one_in(4):
            out['members'] = [self.pick(PRINCIPALS) for _ in range(3)]
        if self.one_in(4):
            out['password'] = self.pick(
                ['secret', '', 'x' * 73, 5, None, 'é' * 40, 'a\x00b'])
        if self.one_in(8):
            out['cache_expires'] = self.pick([0, -1, 10 ** 12, 'x', None])
        if self.one_in(8):
            out[self.pick(FIELDS + IDS)] = self.value()
        return out

    def permissions(self):
        if self.one_in(10):
            return self.value()
        return {self.pick(PERMS): self.pick(
            [[self.pick(PRINCIPALS) for _ in range(self.r.randrange(4))],
             'x', None, {}, [5]] if self.one_in(5) else
            [[self.pick(PRINCIPALS[:6])]])
            for _ in range(self.r.randrange(3))}

    def plain(self):
        body = {'data': self.data()}
        if self.one_in(3):
            body['permissions'] = self.permissions()
        if self.one_in(10):
            del body['data']
        if self.one_in(15):
            body[self.pick(FIELDS)] = self.value()
        return body

    def pointer(self):
        if self.one_in(3):
            return '/permissions/%s/%s' % (self.pick(PERMS),
                                           self.pick(PRINCIPALS))
        return self.pick(['', '/', '/data', '/permissions', '/x']) + ''.join(
            '/' + self.pick(FIELDS[:10] + ['0', '1', '-', '01', '~0', '~1',
                                           '~', '99999999999999999999', '-1'])
            for _ in range(self.r.randrange(4)))

    def json_patch(self):
        out = []
        for _ in range(self.r.randrange(1, 8)):
            op = {'op': self.pick(['add', 'remove', 'replace', 'move', 'copy',
                                   'test', 'nope']),
                  'path': self.pick(['/data/title', '/data/a/b', '/data/tags/0',
                                     '/data/tags/-', self.pointer()])}
            if not self.one_in(4):
                op['value'] = self.value()
            if op['op'] in ('move', 'copy') or self.one_in(8):
                op['from'] = self.pick(['/data', '/data/a', '/data/tags',
                                        '/data/tags/1', self.pointer()])
            if self.one_in(30):
                del op[self.pick(list(op))]
            out.append(op)
        return out

    def batch(self):
        requests = []
        wrong = self.one_in(4)
        for _ in range(self.r.randrange(1, 12)):
            item = {'method': self.pick(['GET', 'PUT', 'POST', 'PATCH',
                                         'DELETE', 'HEAD', 'TRACE'] +
                                        ['X', 5] * wrong),
                    'path': self.path() + self.pick(['', self.query()])}
            if self.one_in(2):
                item['body'] = self.pick([self.plain(), self.json_patch()] +
                                         [self.value()] * wrong)
            if self.one_in(2):
                item['headers'] = {k: v.encode('latin-1', 'replace').decode(
                    'latin-1') for k, v in self.headers().items()}
            if wrong and self.one_in(10):
                item[self.pick(FIELDS)] = self.value()
            requests.append(item)
        out = {'requests': requests}
        if wrong and self.one_in(2):
            out['defaults'] = {self.pick(['method', 'path', 'headers', 'body',
                                          'x']): self.pick(
                ['GET', '/', self.plain(), {'If-Match': '"1"'}, self.value()])}
        return out

    # -- requests

    def ident(self):
        return self.pick(IDS[:6] if not self.one_in(6) else IDS)

    def path(self):
        b = '/buckets/' + self.pick(['b1', 'b1', 'b2', 'default',
                                     self.ident()])
        c = b + '/collections/' + self.pick(['c1', 'c1', 'c2', self.ident()])
        out = self.pick([
            '/', '/buckets', b, b + '/groups', b + '/groups/g1',
            b + '/groups/' + self.ident(), b + '/collections', c,
            c + '/records', c + '/records', c + '/records/r1',
            c + '/records/' + self.ident(), b + '/history',
            b + '/history/11111111-1111-4111-8111-111111111111',
            b + '/snapshot/collections/c1@' + self.pick(VALUES[:30]),
            '/permissions', '/accounts', '/accounts/acc1',
            '/accounts/' + self.ident(), '/batch', '/__heartbeat__',
            '/__lbheartbeat__', '/__version__', '/__counters__', '/__api__',
            '/contribute.json', '/user-data', '/nope', c + '/'])
        return out

    def query(self):
        parts = []
        for _ in range(self.r.choice([1, 1, 2, 3, 6])):
            if self.one_in(2):
                name = self.pick(['_since', '_before', '_to', '_limit',
                                  '_token', '_sort', '_fields', '_x',
                                  'last_modified'])
            else:
                name = self.pick(OPS) + self.pick(FIELDS)
            if name == '_sort':
                value = ','.join(self.pick(['', '-', '+', '--']) +
                                 self.pick(FIELDS) for _ in range(3))
            elif name == '_fields':
                value = ','.join(self.pick(FIELDS) for _ in range(3))
            elif name == '_token':
                value = self.token()
            elif name == '_limit' and not self.one_in(3):
                value = str(self.r.randrange(4))
            else:
                value = self.pick(VALUES)
            parts.append(self.quote(name) + '=' + self.quote(value))
        return '?' + self.pick(['&', '&', '&&', ';']).join(parts)

    def token(self):
        token = {'last_object': self.pick(
            [{f: self.value(3) for f in FIELDS[:8]},
             {'last_modified': self.pick([1, 0, -1, 2 ** 62, 'x', None, 1e30]),
              'id': self.pick(['r1', 5, None]), 'title': self.value(3)},
             self.value()]),
            'offset': self.pick([0, 1, -1, 2 ** 62, 'x', 1e300]),
            'nonce': self.pick(['pagination-token-x', '', 'a b\r\nget x', 5,
                                '\x00', 'x' * 400])}
        text = json.dumps(token).encode()
        if self.one_in(4):
            text = self.flip(text)
        return base64.b64encode(text).decode() + self.pick(['', '', '=', '%'])

    def quote(self, text):
        how = self.r.randrange(8)
        raw = text.encode('utf-8', 'surrogatepass')
        if how == 0:
            return urllib.parse.quote(raw, safe='/')
        if how == 1:
            return ''.join('%%%02x' % c for c in raw)
        if how == 2 and len(raw) < 500:
            return urllib.parse.quote(self.flip(raw), safe='')
        return urllib.parse.quote(raw, safe='')

    def headers(self):
        out = {}
        if not self.one_in(6):
            out['Authorization'] = 'Basic ' + base64.b64encode(
                self.pick(USERS).encode()).decode()
        elif self.one_in(2):
            out['Authorization'] = self.pick(
                ['Basic', 'Basic ', 'Basic !!!', 'Bearer x', 'Basic ' +
                 base64.b64encode(self.flip(b'alice:a\x00')).decode(),
                 'x' * 3000, 'Basic ' + base64.b64encode(b':').decode()])
        if self.one_in(4):
            out['If-Match'] = self.pick(ETAGS)
        if self.one_in(4):
            out['If-None-Match'] = self.pick(ETAGS)
        if self.one_in(3):
            out['Origin'] = self.pick(['http://x.org', 'null', '\xff', 'é'])
        if self.one_in(10):
            out['Accept'] = self.pick(ACCEPTS)
        if self.one_in(8):
            out['Response-Behavior'] = self.pick(['full', 'light', 'diff',
                                                  'x', ''])
        if self.one_in(20):
            out['X-Forwarded-Proto'] = self.pick(['https', '"', 'é'])
        if self.one_in(20):
            out['Access-Control-Request-Method'] = self.pick(['PUT', 'é', ''])
            out['Access-Control-Request-Headers'] = self.pick(
                ['x, y', ',' * 1000, ''])
        return out

    def flip(self, raw):
        out = bytearray(raw)
        for _ in range(self.r.randrange(1, 4)):
            at = self.r.randrange(len(out) + 1)
            how = self.r.randrange(4)
            if how == 0:
                out[at:at] = self.pick([b'\0', b'\xff', b'"', b'{', b'[' * 200,
                                        b'\\u', b',', b'\xed\xa0\x80', b'1e9'])
            elif how == 1:
                del out[at:at + self.r.randrange(1, 9)]
            elif how == 2 and at < len(out):
                out[at] = self.r.randrange(256)
            else:
                out[at:at] = out[at:at + self.r.randrange(40)]
        return bytes(out)

    def request(self):
        path = self.path()
        method = self.pick(['GET', 'GET', 'PUT', 'PUT', 'POST', 'POST',
                            'PATCH', 'PATCH', 'DELETE', 'HEAD', 'GET',
                            'GET', 'OPTIONS' if self.one_in(4) else 'PUT'])
        if self.one_in(100):
            method = self.pick(['BREW', 'TRACE', 'get', 'X' * 500])
        last = path.rsplit('/', 1)[1]
        if last in ('buckets', 'groups', 'collections', 'records') and \
                method in ('PUT', 'PATCH') and not self.one_in(8):
            method = 'POST'
        elif last in IDS[:6] and method == 'POST' and not self.one_in(8):
            method = self.pick(['PUT', 'PATCH'])
        elif last.startswith(('_', 'perm', 'contr', 'nope')) and \
                not self.one_in(8):
            method = 'GET'
        headers = self.headers()
        if path in ('/', '/batch') and self.one_in(2):
            path, method = '/batch', 'POST'
        # what the other requests need should be there most of the time
        if method == 'DELETE' and path in ('/buckets', '/buckets/b1') and \
                not self.one_in(40):
            method = 'GET'
        body = b''
        if method in ('PUT', 'POST', 'PATCH') or self.one_in(20):
            kind = self.pick(TYPES) if self.one_in(4) else TYPES[0]
            tree = self.plain()
            if path == '/batch':
                tree = self.batch()
            elif method == 'PATCH' and self.one_in(2):
                kind = self.pick(TYPES[2:4])
                if kind == TYPES[3]:
                    tree = self.json_patch()
            headers['Content-Type'] = kind
            if self.one_in(20):
                tree = self.value()
            body = json.dumps(tree, ensure_ascii=self.one_in(2)).encode(
                'utf-8', 'surrogatepass')
            if self.one_in(6):
                body = self.flip(body)
        url = '/'.join(p if re.fullmatch('[A-Za-z0-9_.@-]*', p) and
                       not self.one_in(60) else self.quote(p)
                       for p in path.split('/'))
        if method in ('GET', 'HEAD', 'DELETE') and self.one_in(2) or \
                self.one_in(12):
            url += self.query()
        return method, url, headers, body


class Faults:
    def __init__(self):
        self.lock = threading.Lock()
        self.seen = {}
        self.statuses = collections.Counter()
        self.inner = collections.Counter()	# in batches

    def add(self, kind, what):
        with self.lock:
            n, first = self.seen.get(kind, (0, what))
            self.seen[kind] = (n + 1, first)


def check(faults, method, headers, answer, body, seconds, shown):
    status = answer.status
    with faults.lock:
        faults.statuses[status] += 1
    if status >= 500:
        faults.add('status %d' % status, (shown, body[:300]))
    if seconds > SLOW:
        faults.add('late', (seconds, shown))
    if 'Origin' in headers and \
            answer.getheader('Access-Control-Allow-Origin') is None:
        faults.add('no CORS header with %d' % status, shown)
    if method == 'HEAD' or not body or status == 307:
        if status != 307 and method not in ('HEAD', 'OPTIONS') and status not in (200, 204, 304):
            faults.add('empty body with %d' % status, shown)
        return
    try:
        tree = json.loads(body.decode('utf-8'), parse_constant=float.fromhex)
    except (ValueError, RecursionError) as e:
        faults.add('no JSON with %d' % status, (str(e), shown, body[:300]))
        return
    if status >= 400 and not (isinstance(tree, dict) and 'errno' in tree and
                              tree.get('code') == status):
        faults.add('error without errno, %d' % status, (shown, body[:300]))
    if method == 'POST' and shown[1].endswith('/batch') and status == 200:
        for r in tree['responses']:
            with faults.lock:
                faults.inner[r['status']] += 1
            if r['status'] >= 500:
                faults.add('batch: status %d' % r['status'], (shown, r))


def run(base, prefix, seed, n, faults):
    m = Mutator(seed)
    conn = http.client.HTTPConnection(base, timeout=20)
    for _ in range(n):
        method, url, headers, body = m.request()
        url = prefix + url
        shown = (method, url[:400], headers, body[:600])
        try:
            if m.one_in(60):	# go away in the middle
                conn.close()
                s = socket.create_connection(conn_address(base), timeout=20)
                s.sendall(('%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d'
                           '\r\n\r\n' % (method, url, len(body) + 1)
                           ).encode('latin-1', 'replace') + body)
                s.close()
                continue
            headers = {k: v for k, v in headers.items()
                       if '\r' not in v and '\n' not in v}
            start = time.monotonic()
            conn.request(method, url, body or None, {
                k: v.encode('latin-1', 'replace') for k, v in headers.items()})
            answer = conn.getresponse()
            data = answer.read()
            check(faults, method, headers, answer, data,
                  time.monotonic() - start, shown)
        except (OSError, http.client.HTTPException) as e:
            faults.add('connection: %s' % type(e).__name__, (str(e), shown))
            conn.close()


def prepare(base, prefix):
    """Accounts that the users name, and a bucket that most may write."""
    conn = http.client.HTTPConnection(base, timeout=20)
    for path, body in (
            ('/accounts/acc1', {'data': {'password': 'secret'}}),
            ('/accounts/admin', {'data': {'password': 'adminpw'}}),
            ('/buckets/b1', {'permissions': {
                'write': ['system.Authenticated']}}),
            ('/buckets/b1/collections/c1', {}),
            ('/buckets/b1/groups/g1', {'data': {'members': ['account:acc1']}}),
            ('/buckets/b1/collections/c1/records/r1', {'data': {'n': 1}})):
        headers = {'Content-Type': 'application/json'}
        if 'buckets' in path:
            headers['Authorization'] = 'Basic ' + base64.b64encode(
                USERS[0].encode()).decode()
        conn.request('PUT', prefix + path, json.dumps(body), headers)
        conn.getresponse().read()
    conn.close()


def conn_address(base):
    host, _, port = base.partition(':')
    return host, int(port or 80)


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('base', help='as http://127.0.0.1:8888/v1')
    p.add_argument('-n', type=int, default=2000, help='requests in all')
    p.add_argument('-j', type=int, default=4, help='threads')
    p.add_argument('-s', '--seed', type=int, default=1)
    args = p.parse_args()
    url = urllib.parse.urlsplit(args.base)
    faults = Faults()
    prepare(url.netloc, url.path.rstrip('/'))
    threads = [threading.Thread(target=run, args=(
        url.netloc, url.path.rstrip('/'), args.seed * 1000 + i,
        args.n // args.j, faults)) for i in range(args.j)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print('statuses:', dict(sorted(faults.statuses.items())))
    print('in batches:', dict(sorted(faults.inner.items())))
    for kind, (n, first) in sorted(faults.seen.items()):
        print('%s: %d times, first: %r' % (kind, n, first))
    return 1 if faults.seen else 0


if __name__ == '__main__':
    sys.exit(main())
