# SPDX-License-Identifier: Apache-2.0
"""JSON schemas over HTTP: the protocol's cases of sections 08-2 and 08-6 with
validation switched on, and schemas that are made to hurt. On PostgreSQL if
CLQ_PG_URL is set, else on SQLite."""
import base64
import http.client
import json
import os
import re
import subprocess
import sys
import urllib.parse

from harness import CLIQUET, Test, nginx

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, '..', 'protocol')
SLOW = 20               # seconds for one hostile request, sanitizers included


class Client:
    def __init__(self, url):
        self.where = urllib.parse.urlsplit(url).netloc
        token = base64.b64encode(b'alice:wonder').decode()
        self.headers = {'Authorization': 'Basic ' + token,
                        'Content-Type': 'application/json'}

    def __call__(self, method, path, body=None):
        conn = http.client.HTTPConnection(self.where, timeout=120)
        conn.request(method, '/v1' + path, headers=self.headers, body=None if
                     body is None else json.dumps(body))
        r = conn.getresponse()
        text = r.read()
        conn.close()
        return r.status, json.loads(text) if text else None


def cases(t, url, names):
    """The protocol's cases, as ours."""
    files = sorted(os.path.join(CASES, f) for f in os.listdir(CASES)
                   if re.match(names, f))
    r = subprocess.run([sys.executable, '-B', os.path.join(CASES, 'run.py'),
                        url + '/v1'] + files, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=300)
    n = 0
    for line in r.stdout.decode(errors='replace').splitlines():
        m = re.match(r'(not )?ok \d+ - (.*)', line)
        if m:
            n += 1
            t.ok(not m.group(1) and '# SKIP' not in line, m.group(2))
        elif line.startswith('#'):
            print(line)
    t.ok(n > 20 and r.returncode == 0, 'all cases ran')


def refused(t, answer, name, text, what):
    status, body = answer
    got = status, (body.get('details') or [{}])[0].get('name'), \
        text in body.get('message', '')
    if not t.equal(got, (400, name, True), what):
        print('# %.300r' % (body,))


def hostile(t, ask, path, schema, record, name, text, what):
    """A schema that is stored, and a record that it must not hang on."""
    t.equal(ask('PUT', path, {'data': {'schema': schema}})[0], 200,
            what + ': stored')
    answer = None

    def put():
        nonlocal answer
        answer = ask('PUT', path + '/records/r1', {'data': record})
    t.soon(SLOW, put, what + ': soon')
    refused(t, answer, name, text, what)


def hard(t, ask):
    b = '/buckets/hard'
    c = b + '/collections/c'
    t.equal(ask('PUT', b)[0], 201, 'a bucket')
    t.equal(ask('PUT', c)[0], 201, 'a collection')
    hostile(t, ask, c, {'properties': {'a': {'pattern': '^(a+)+$'}}},
            {'a': 'a' * 10000 + '!'}, 'schema', 'too complex',
            'a catastrophic pattern')
    hostile(t, ask, c, {'allOf': [{'$ref': '#'}, {'$ref': '#'}]}, {},
            'schema', 'recurses too deeply', 'a schema without end')
    deep = {'$defs': {'d40': False}, '$ref': '#/$defs/d0'}
    for i in range(40):
        ref = {'$ref': '#/$defs/d%d' % (i + 1)}
        deep['$defs']['d%d' % i] = {'anyOf': [ref, ref]}
    hostile(t, ask, c, deep, {}, 'schema', 'too complex',
            'a schema that doubles its work')
    hostile(t, ask, c, {'$ref': 'http://127.0.0.1:9/x'}, {}, 'schema',
            'Unresolvable', 'a remote reference')
    refused(t, ask('PUT', c, {'data': {'schema': {'enum': ['x'] * 300000}}}),
            'data.schema', 'too large', 'a schema of many values')
    refused(t, ask('PUT', c, {'data': {'schema': {
        'pattern': 'a' * 100000}}}), 'data.schema', 'too long',
        'a huge pattern')
    refused(t, ask('PUT', c, {'data': {'schema': {'prefixItems': 3}}}),
            'data.schema', 'prefixItems3', 'a keyword of a later draft')
    status, body = ask('PUT', c, {'data': {'schema': {'properties': {
        'l': {'uniqueItems': True, 'items': {'type': 'integer'}}}}}})
    t.equal(status, 200, 'an ordinary schema')
    t.equal(ask('PUT', c + '/records/r1', {'data': {'l': list(range(
        20000))}})[0], 201, 'a long list of distinct numbers')
    refused(t, ask('PUT', c + '/records/r1', {'data': {'l': [1] * 20000}}),
            'l', 'has non-unique elements', 'and one of the same')


def missing_bucket(t, ask):
    """Who may create groups anywhere meets a missing bucket (08-5)."""
    for path in '/buckets/none/groups/g', '/buckets/none/collections/c':
        status, body = ask('PUT', path, {'data': {}})
        t.equal((status, body.get('errno'), body.get('details')),
                (404, 111, {'id': 'none', 'resource_name': 'bucket'}),
                'PUT ' + path)


def switched_off(t, ask):
    c = '/buckets/off/collections/c'
    ask('PUT', '/buckets/off', {'data': {'record:schema': {'required': [
        'x']}, 'collection:schema': {'required': ['x']}}})
    t.equal(ask('PUT', c, {'data': {'schema': {'required': ['y']}}})[0], 201,
            'off: the collection is not validated')
    status, body = ask('PUT', c + '/records/r', {'data': {'schema': 1}})
    t.equal((status, body['data'].get('schema')), (201, 1),
            'off: nor is the record, which keeps its attribute')
    refused(t, ask('PUT', c, {'data': {'schema': {'type': 1}}}),
            'data.schema', 'type1 is not valid under any', 'off: schemas are')
    t.ok('schema' not in ask('GET', '/')[1]['capabilities'],
         'off: no capability')


with Test() as t:
    pg = os.environ.get('CLQ_PG_URL')

    def serve(name, **more):
        # One database for both: they do not look at each other's objects.
        url = pg or 'sqlite:///' + t.path(name + '.db')
        backend = 'postgresql' if pg else 'sqlite'
        settings = dict(
            use='kinto', storage_backend=backend, storage_url=url,
            permission_backend=backend, permission_url=url,
            cache_backend='memory', userid_hmac_secret='x',
            socket_mode='0666', **{'multiauth.policies': 'basicauth'}, **more)
        status, text = t.run([CLIQUET, 'migrate', '--ini', t.ini(**settings)])
        if status != 0:
            print('# ' + text)
        s = t.start(**settings)
        return nginx(t, s.address, extra='client_max_body_size 10m;')

    url = serve('off')
    if url is None:
        t.skip('JSON schemas', 'no nginx')
        sys.exit()
    switched_off(t, Client(url))
    for p in t.procs:               # one nginx at a time
        p.terminate()
        p.wait()
    url = serve('on', experimental_collection_schema_validation='true',
                group_create_principals='system.Authenticated',
                collection_create_principals='system.Authenticated')
    cases(t, url, r'08-[26]-.*\.case$')
    hard(t, Client(url))
    missing_bucket(t, Client(url))
