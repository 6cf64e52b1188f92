# SPDX-License-Identifier: Apache-2.0
"""The description of the API: true for what is served, whatever the
configuration; harmless as JSON, as HTML and in a shell.

With CLQ_OPENAPI_KEEP, the documents and pages are left in that folder, for
validators (tests/clients/openapi)."""
import base64
import contextlib
import hashlib
import html.parser
import json
import os
import re
import shlex

import fcgi
from harness import Test, wait_for

CATALOGUE = os.environ['CLQ_TEST_CATALOGUE']
KEEP = os.environ.get('CLQ_OPENAPI_KEEP')
METHODS = ('get', 'head', 'post', 'put', 'patch', 'delete')
SAFE = ('get', 'head')
UTILITIES = {'/': 'get head', '/__heartbeat__': 'get head',
             '/__lbheartbeat__': 'get head', '/__version__': 'get head',
             '/__api__': 'get head', '/__api__.html': 'get head',
             '/contribute.json': 'get head', '/batch': 'post'}
PLURAL = 'get head post delete'
OBJECT = 'get head put patch delete'
BUCKET = '/buckets/{bucket_id}'
COLLECTION = BUCKET + '/collections/{collection_id}'
KINTO = {**UTILITIES,
         '/buckets': PLURAL, '/buckets/{id}': OBJECT,
         BUCKET + '/groups': PLURAL, BUCKET + '/groups/{id}': OBJECT,
         BUCKET + '/collections': PLURAL,
         BUCKET + '/collections/{id}': OBJECT,
         COLLECTION + '/records': PLURAL,
         COLLECTION + '/records/{id}': OBJECT,
         '/__user_data__/{principal}': 'delete'}
PLUGINS = {'/accounts': PLURAL, '/accounts/{id}': OBJECT,
           '/__flush__': 'post', '/__counters__': 'get head',
           BUCKET + '/history': 'get head delete',
           BUCKET + '/snapshot/collections/{target}': 'get head',
           '/permissions': 'get head', '/buckets/default': OBJECT,
           '/buckets/default/{rest}': 'get head post put patch delete'}
THINGS = {**UTILITIES,
          '/things': PLURAL, '/things/{id}': OBJECT,
          '/things/{thing_id}/parts': PLURAL,
          '/things/{thing_id}/parts/{id}': 'get head',
          '/mine': PLURAL, '/mine/{id}': OBJECT, '/only': 'get head',
          '/plain': 'get head post', '/plain/{some-id}/{b}': 'get head post',
          '/private': 'get head', '/old': 'get head',
          '/declared/{n}': 'get head post',
          '/things/{id}/below': 'get head post',
          '/any/{rest}': ' '.join(METHODS),
          '/o\'dd $(x)"<&': 'get head post'}
UUID = '6f1ed002-ab56-4d0f-9a7c-4e4bd0a3d1e1'
AUTH = ('Authorization', 'Basic ' + base64.b64encode(b'alice:x').decode())


class Service:
    """A running server and what it says of itself."""

    def __init__(self, t, name, **settings):
        self.t, self.name = t, name
        values = dict(storage_backend='memory', permission_backend='memory',
                      cache_backend='memory', userid_hmac_secret='x',
                      workers=1, log_level='info', version_json_path=None,
                      project_version=None, http_api_version='1.5', **{
                          'multiauth.policies': 'basicauth'})
        values.update(settings)
        self.server = t.start(ready=False, **values)
        self.server.ready = None
        wait_for(self.up, 60)
        self.prefix = '/v1'

    def up(self):
        if self.server.popen.poll() is not None:
            return True                 # and it will be seen
        with contextlib.suppress(OSError, fcgi.Closed):
            return self('GET', '/__lbheartbeat__').status == 200
        return False

    def __call__(self, method, path, body=None, headers=(AUTH,), prefix='/v1'):
        headers = list(headers)
        data = b'' if body is None else json.dumps(body).encode()
        if data:
            headers.append(('Content-Type', 'application/json'))
        return fcgi.request(self.server.address, method, prefix + path,
                            headers, data)

    def document(self, headers=()):
        r = self('GET', '/__api__', headers=headers)
        self.doc = json.loads(r.body)
        if KEEP:
            with open('%s/%s.json' % (KEEP, self.name), 'wb') as f:
                f.write(r.body)
        return r

    def page(self, headers=()):
        r = self('GET', '/__api__.html', headers=headers)
        if KEEP:
            with open('%s/%s.html' % (KEEP, self.name), 'wb') as f:
                f.write(r.body)
        return r

    def stop(self):
        self.t.equal(self.server.stop(), 0, '%s: ends well' % self.name)


def said(doc):
    return {path: ' '.join(m for m in METHODS if m in item)
            for path, item in doc['paths'].items()}


def filled(path, method='get'):
    """A URL for a path of the document."""
    for name, value in (('bucket_id', 'b'), ('collection_id', 'c'),
                        ('thing_id', UUID), ('tree_id', UUID),
                        ('target', 'c@1')):
        path = path.replace('{%s}' % name, value)
    last = UUID if path.startswith(('/things/', '/mine', '/trees')) else 'x'
    path = path.replace('{id}', last)
    path = path.replace('{rest}', 'collections/c' +
                        ('/records' if method == 'post' else ''))
    path = re.sub(r'\{[^}]*\}', 'x', path)
    return re.sub(r'[^A-Za-z0-9/_@.~-]',
                  lambda m: '%%%02X' % ord(m.group()), path)


def prepare(s):
    """What the operations need to be there."""
    for path in ('/buckets/b', '/buckets/b/collections/c', '/buckets/x',
                 '/buckets/b/collections/x', '/buckets/b/groups/x',
                 '/buckets/b/collections/c/records/x'):
        s('PUT', path)
    s('PUT', '/things/' + UUID, {'data': {'string': 'a'}})
    s('PUT', '/mine/' + UUID)
    s('PUT', '/trees/' + UUID)
    s('POST', '/things/%s/parts' % UUID, {'data': {'id': 'x'}})


def routed(r):
    if r.status == 405:
        return False
    body = json.loads(r.body) if r.body[:1] == b'{' else {}
    return not (r.status == 404 and body.get('errno') == 111)


def is_true(s, expected):
    """Everything that is documented is routed, and the other way round."""
    t = s.t
    t.equal(said(s.doc), expected, '%s: these paths and verbs' % s.name)
    wrong = []
    for path, verbs in said(s.doc).items():
        for method in METHODS:
            prepare(s)
            r = s(method.upper(), filled(path, method))
            # HEAD's errors have no body: a 404 tells nothing there.
            if routed(r) != (method in verbs.split()):
                wrong.append('%s %s: %d' % (method, path, r.status))
            if r.status == 500 and path != '/__version__':
                wrong.append('%s %s: 500' % (method, path))
        r = s('OPTIONS', filled(path), headers=[
            ('Origin', 'http://x'), ('Access-Control-Request-Method', 'GET')])
        if r.status == 200 and '/default' not in path:
            allowed = sorted(r.headers.get(
                'access-control-allow-methods').lower().split(','))
            if allowed != sorted(verbs.split() + ['options']):
                wrong.append('%s: preflight allows %s' % (path, allowed))
    t.equal(wrong, [], '%s: what is documented is routed, and nothing else'
            % s.name)


def references(doc):
    """Every $ref leads somewhere, operationIds are unique, variables said."""
    bad, ids = [], []

    def walk(node):
        if isinstance(node, dict):
            if '$ref' in node:
                at = doc
                for part in node['$ref'].split('/')[1:]:
                    at = at.get(part) if isinstance(at, dict) else None
                if at is None:
                    bad.append(node['$ref'])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)
    walk(doc)
    names = [tag['name'] for tag in doc['tags']]
    if len(names) != len(set(names)):
        bad.append('tags')
    for path, item in doc['paths'].items():
        said = [p['name'] for p in item.get('parameters', ())]
        if said != re.findall(r'\{([^}]*)\}', path):
            bad.append('variables of ' + path)
        for method in METHODS:
            if method in item:
                ids.append(item[method]['operationId'])
                if not item[method]['responses']:
                    bad.append('no response: %s %s' % (method, path))
                for names in item[method]['security']:
                    if not set(names) <= set(doc['securityDefinitions']):
                        bad.append('security of ' + path)
    return bad + [i for i in ids if ids.count(i) > 1]


# ---- the page ---------------------------------------------------------------

VOID = {'meta', 'br'}


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.ids, self.links = [], [], [], []
        self.texts, self.summaries, self.tags = {}, 0, set()
        self.feed(text)
        self.close()
        if self.open:
            self.wrong.append('open: %s' % self.open)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name == 'id':
                self.ids.append(value)
            elif name == 'href':
                self.links.append(value)
            elif name not in ('lang', 'charset', 'name', 'content', 'class',
                              'aria-label', 'tabindex'):
                self.wrong.append('attribute %s' % name)
        self.summaries += tag == 'summary'
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append('</%s>' % tag)

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def page_is_good(s):
    t, r = s.t, s.page()
    text = r.body.decode()
    page = Page(text)
    t.equal((r.status, r.headers.get('content-type')),
            (200, 'text/html; charset=utf-8'), '%s: the page' % s.name)
    t.equal(page.wrong, [], '%s: the page is well-formed' % s.name)
    t.equal(sorted(i for i in page.ids if page.ids.count(i) > 1), [],
            '%s: its ids are unique' % s.name)
    t.equal([link for link in page.links if link != '__api__' and
             link[1:] not in page.ids], [], '%s: its links lead somewhere'
            % s.name)
    t.equal(page.tags & {'script', 'img', 'link', 'iframe', 'form', 'i', 'q',
                         'object'}, set(), '%s: it loads nothing' % s.name)
    style = re.search('<style>(.*?)</style>', text, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest())
    t.equal(r.headers.get('content-security-policy'),
            "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'" % digest.decode(),
            '%s: the policy allows its style and nothing else' % s.name)
    shown = sum(1 for item in s.doc['paths'].values() for m in METHODS
                if m in item and 'x-head-of-get' not in item[m])
    t.equal(page.summaries, shown, '%s: it has every operation' % s.name)
    return page


def commands(page):
    """What a shell makes of the examples; raises if they are no commands."""
    out = []
    for text in ''.join(t if t else '' for t in page.texts['pre']).split(
            'curl ')[1:]:
        out.append(shlex.split('curl ' + text.replace('\\\n', ' ')))
    return out


# ---- configurations ---------------------------------------------------------

def kinto(t):
    s = Service(t, 'kinto', use='kinto', project_name='kinto', **{
        'includes': 'default_bucket accounts flush history counters quotas',
        'multiauth.policies': 'account basicauth',
        'experimental_permissions_endpoint': 'true',
        'permissions_read_principals': 'system.Authenticated',
        'user-data_delete_principals': 'system.Authenticated',
        'bucket_create_principals': 'system.Authenticated',
        'account_create_principals': 'system.Everyone'})
    s.document([('Host', 'example.org:8080')])
    d = s.doc
    t.equal((d['swagger'], d['info']['title'], d['info']['version'],
             d['host'], d['schemes'], d['basePath']),
            ('2.0', 'kinto', '1.5', 'example.org:8080', ['http'], '/v1'),
            'kinto: the head of the document')
    t.equal(d['securityDefinitions'], {'account': {'type': 'basic'},
                                       'basicauth': {'type': 'basic'}},
            'kinto: a definition for each policy')
    is_true(s, {**KINTO, **PLUGINS})
    t.equal(references(d), [], 'kinto: references, ids and variables')
    op = d['paths'][COLLECTION + '/records/{id}']['patch']
    t.equal(op['operationId'], 'patch_record', "kinto: ids are the original's")
    t.ok('`write` on `/buckets/{bucket_id}`' in op['description'] and
         '`write` on `%s/records/{id}`' % COLLECTION in op['description'],
         'kinto: who may do it')
    t.ok('bucket_create_principals' in
         d['paths']['/buckets']['post']['description'],
         'kinto: rights that settings give')
    t.equal(d['paths']['/buckets/default']['get']['security'],
            [{'account': []}, {'basicauth': []}],
            'kinto: what nobody may do anonymously')
    t.equal(sorted(d['definitions']['bucket-permissions']['properties']),
            ['collection:create', 'group:create', 'read', 'write'],
            'kinto: permissions of a bucket')
    t.ok('schema' in d['definitions']['collection']['properties'],
         'kinto: attributes that are no fields')
    page_is_good(s)
    s.stop()


def caching(t):
    s = Service(t, 'bare', use='', project_name='bare')
    for path in ('/__api__', '/__api__.html'):
        r = s('GET', path, headers=[])
        etag = r.headers.get('etag')
        t.ok(r.status == 200 and re.fullmatch('"[0-9a-f]{32}"', etag) and
             r.headers.get('cache-control') == 'no-cache',
             '%s may be kept, to be asked for again' % path)
        t.equal(s('GET', path, headers=[]).headers.get('etag'), etag,
                'its ETag does not change')
        for known in (etag, '*', '"x", ' + etag, 'W/' + etag):
            r = s('GET', path, headers=[('If-None-Match', known)])
            t.equal((r.status, r.body), (304, b''), '304 for %s' % known[:9])
        r = s('GET', path, headers=[('If-None-Match', '"12"')])
        t.equal(r.status, 200, '200 for another one')
        other = s('GET', path, headers=[('Host', 'other.example')])
        t.ok(other.headers.get('etag') != etag and b'other.example' in other.body,
             'another host gets its own')
        t.ok(b'other.example' not in s('GET', path, headers=[]).body,
             'and only that')
        r = s('HEAD', path, headers=[])
        t.ok(r.status == 200 and r.body == b'' and
             r.headers.get('etag') == etag, 'HEAD')
    bad = '''e"<script>x'y'''
    s.document([('Host', bad)])
    t.ok('host' not in s.doc, 'what is no host is left out')
    text = s.page([('Host', bad)]).body.decode()
    t.ok('<script' not in text and 'e&quot;&lt;script&gt;x&#39;\\&#39;&#39;y'
         in text, 'and quoted in the page')
    s.document()
    is_true(s, UTILITIES)
    t.equal(references(s.doc), [], 'bare: references')
    t.equal(s.doc['securityDefinitions'], {'basicauth': {'type': 'basic'}},
            'bare: policies')
    page_is_good(s)
    s.stop()


def catalogue(t):
    s = Service(t, 'catalogue', use=CATALOGUE, project_name='a</title>"\'<b>',
                project_docs='https://x/?a="<',
                thing_create_principals='system.Authenticated')
    s.document()
    d = s.doc
    is_true(s, THINGS)
    t.equal(references(d), [], 'catalogue: references, ids and variables')
    thing = d['definitions']['thing']['properties']
    t.equal({k: v.get('type') for k, v in thing.items()},
            {'id': 'string', 'last_modified': 'integer', 'any': None,
             'string': 'string', 'int': 'integer', 'number': 'number',
             'bool': 'boolean', 'object': 'object', 'list': 'array',
             'strings': 'array', 'time': 'integer', 'url': 'string',
             'a\'b"c<d>': 'string'}, 'catalogue: types of fields')
    t.equal((thing['string']['minLength'], thing['string']['maxLength'],
             thing['int']['minimum'], thing['int']['maximum'],
             thing['int']['default'], thing['list']['default'],
             thing['number']['x-nullable'], thing['string']['description']),
            (1, 9, -5, 5, 2, [1], True, 'More.'),
            'catalogue: bounds, defaults, more')
    t.equal(d['definitions']['thing-new']['allOf'][1]['required'],
            ['string'], 'catalogue: what is required')
    t.ok('permissions' not in d['definitions']['mine-body']['properties'],
         'catalogue: no permissions where users have lists of their own')
    t.ok({} not in d['paths']['/mine']['get']['security'] and
         {} in d['paths']['/things']['get']['security'],
         'catalogue: where somebody must log in')
    t.ok('x-head-of-get' not in d['paths']['/private']['head'] and
         'x-head-of-get' in d['paths']['/plain']['head'],
         'catalogue: a HEAD of its own')
    t.equal(d['paths']['/things/{id}/below']['parameters'],
            [{'name': 'id', 'in': 'path', 'required': True,
              'type': 'string'}],
            'a service that declares an id says alone what it may be')
    declared = d['paths']['/declared/{n}']
    get = {p['name']: p for p in declared['get']['parameters']}
    post = {p['name']: p for p in declared['post']['parameters']}
    t.equal((sorted(get), sorted(post), get['n'], get['colour'],
             get['size']['enum'], get['names']['type']),
            (['X-When', 'colour', 'n', 'names', 'size'],
             ['X-When', 'body', 'n', 'names', 'size'],
             {'name': 'n', 'in': 'path', 'required': True, 'type': 'integer',
              'format': 'int64'},
             {'name': 'colour', 'in': 'query', 'required': True,
              'type': 'string', 'enum': ['red', 'b"lue']}, [1, 2], 'array'),
            'catalogue: inputs of services')
    t.equal((post['body']['required'], post['body']['schema']['required'],
             sorted(post['body']['schema']['properties']),
             declared['post']['consumes']),
            (True, ['text'], ['list', 'text'], ['application/json']),
            'catalogue: bodies of services')
    page = page_is_good(s)
    urls = commands(page)
    t.ok(all(c[0] == 'curl' and any(a.startswith('$SERVER') for a in c)
             for c in urls), 'catalogue: the examples are commands')
    t.ok(any("it's=@file" in c for c in urls),
         'catalogue: what a shell would see is quoted')
    s.stop()


def disabled(t):
    s = Service(t, 'disabled', use='kinto', **{
        'plural_bucket_get_enabled': 'false',
        'plural_record_delete_enabled': 'false',
        'object_group_put_enabled': 'false',
        'object_group_patch_enabled': 'false',
        'collection_collection_post_enabled': 'false',
        'record_collection_delete_enabled': 'false',
        'bucket_create_principals': 'system.Authenticated'})
    s.document()
    is_true(s, {**KINTO, '/buckets': 'head post delete',
                COLLECTION + '/records': 'get head post',
                BUCKET + '/groups/{id}': 'get head delete',
                BUCKET + '/collections': 'get head delete',
                BUCKET + '/collections/{id}': 'get head put patch'})
    t.equal(references(s.doc), [], 'disabled: references')
    page_is_good(s)
    s.stop()


def readonly(t):
    s = Service(t, 'readonly', use='kinto', readonly='true', **{
        'includes': 'default_bucket accounts flush history',
        'multiauth.policies': 'account basicauth',
        'bucket_read_principals': 'system.Everyone'})
    s.document()
    safe = {}
    for path, verbs in {**KINTO, **PLUGINS}.items():
        verbs = ' '.join(v for v in verbs.split() if v in SAFE)
        if verbs and path not in ('/__counters__', '/permissions'):
            safe[path] = verbs
    t.equal(said(s.doc), safe, 'readonly: reading verbs only')
    t.equal(references(s.doc), [], 'readonly: references')
    wrong = [path for path in safe for m in METHODS if m not in SAFE and
             s(m.upper(), filled(path)).status != 405]
    t.equal(wrong, [], 'readonly: as it is')
    page_is_good(s)
    s.stop()


def declared(t):
    """Resources of the ini, which begin behind the last setting."""
    path = t.path('tree.json')
    with open(path, 'w') as f:
        json.dump({'type': 'object', 'properties': {
            'kind': {'type': 'string', 'enum': ['oak', '<b>'],
                     'description': '</style>"'},
            'marks': {'type': ['array', 'null']},
            'list': {'type': 'array', 'items': {'$ref': '#'}},
            'bark': {'type': 'object', 'required': ['tint'], 'properties': {
                'tint': {'type': 'string', 'maxLength': 9},
                'other': {'type': 'object', 'required': []}}},
            'height': {'type': 'number', 'exclusiveMinimum': 0,
                       'minimum': 1}, 'yes': True}}, f)
    s = Service(t, 'declared', use='', eos_message='''-

[resource:tree]
schema = %s
fields = height: int
description = <b>Trees</b>

[resource:leaf]
parent = tree
object_methods = GET''' % path)
    s.document()
    is_true(s, {**UTILITIES, '/trees': PLURAL, '/trees/{id}': OBJECT,
                '/trees/{tree_id}/leafs': PLURAL,
                '/trees/{tree_id}/leafs/{id}': 'get head'})
    t.equal(references(s.doc), [], 'declared: references')
    tree = s.doc['definitions']['tree']['properties']
    t.equal((tree['kind']['enum'], tree['height']['type'],
             tree['list']['items'], 'type' in tree['marks'],
             'exclusiveMinimum' in tree['height']),
            (['oak', '<b>'], 'integer', {}, False, False),
            'declared: what the schema says')
    t.equal(tree['bark'], {
        'title': 'bark', 'type': 'object', 'required': ['tint'],
        'properties': {'tint': {'type': 'string', 'maxLength': 9},
                       'other': {'type': 'object'}}}, 'declared: what is within')
    page_is_good(s)
    s.stop()


def off(t):
    s = Service(t, 'off', use='kinto', openapi_enabled='false')
    t.equal([s('GET', p).status for p in ('/__api__', '/__api__.html')],
            [404, 404], 'it can be turned off')
    s.stop()


def mistakes(t):
    for what, pattern in (
            ('json', 'service wrong: `openapi`'),
            ('list', 'no object of objects'),
            ('verb', '"delete" is no verb of the service'),
            ('name', '"Get it" is no verb'),
            ('value', '"get" is no verb of the service, in lower case, or '
                      'has no object'),
            ('resource', 'resource odd: `openapi` is no JSON object')):
        s = t.start(use=CATALOGUE, storage_backend='memory',
                    permission_backend='memory', cache_backend='memory',
                    catalogue=what, ready=False)
        t.ok(s.wait() not in (0, None) and s.logged(pattern, 1),
             'refused to start: %s' % what)


with Test() as t:
    for test in (kinto, caching, catalogue, disabled, readonly, declared,
                 off, mistakes):
        test(t)
