# SPDX-License-Identifier: Apache-2.0
"""Step 1 and step 3 of the tutorial without code: what an ini alone gives, and
resources that it declares; then everything that can be wrong with them."""
import json
import os
import re
import signal

from api import Api, answering
from harness import CLIQUET, CLIQUETD, Test, wait_for

PG = os.environ.get('CLQ_PG_URL')
BACKEND = PG and '''permission_backend = postgresql
storage_backend = postgresql
storage_url = %s
''' % PG.replace('%', '%%') or ''
ALICE, BOB = 'alice:wonder', 'bob:builder'

SCHEMA = {
    '$schema': 'http://json-schema.org/draft-07/schema#',
    'type': 'object',
    'properties': {
        'name': {'type': 'string', 'pattern': '^[A-Z]'},
        'edible': {'type': 'boolean', 'default': False},
        'spots': {'type': 'array', 'items': {'type': 'integer'}},
        'code': {'type': 'string'},
        'odd': {'type': ['string', 'null'], 'oneOf': [{'maxLength': 9}, {}]},
    },
    'required': ['name', 'id'],
}

SECTIONS = '''
[resource:mushroom]
schema = mushroom.json
unknown = drop
unique = name
readonly = name
lazy_patch = yes
description = What grows in the forest

[resource:spot]
parent = tree
ids = name

[resource:tree]
parent = forest
path = /forests/{forest}/trees
fields = kind: string required max=10
         height: int min=0 default=3
         seen: timestamp auto_now
         tags: strings
object_methods = get put
plural_methods = GET post

[resource:forest]
access = shared
ids = relaxed
create_principals = system.Authenticated
cache_seconds = 60

[resource:book]
access = shared
create_principals = system.Authenticated
fields = title: string required
         isbn: string unique

[resource:note]
path = /some/notes
plural_methods = HEAD GET POST DELETE
object_methods = none
'''


def write(t, sections, main='', schema=SCHEMA):
    """A folder with an ini and a schema: the path of the ini."""
    folder = t.name('')
    os.mkdir(folder)
    with open(folder + '/app.ini', 'w') as f:
        f.write('[app:main]\nsocket = %s/s\nproject_version = 1.0\n'
                'multiauth.policies = basicauth\nuserid_hmac_secret = x\n%s'
                % (folder, BACKEND + main))
        f.write(sections)
    with open(folder + '/mushroom.json', 'w') as f:
        f.write(schema if isinstance(schema, str) else json.dumps(schema))
    ini = folder + '/app.ini'
    if PG:
        t.run([CLIQUET, '-q', '--ini', ini, 'migrate'])
    return ini


def start(t, ini):
    return answering(Api(t.spawn([CLIQUETD, ini],
                                 os.path.dirname(ini) + '/s')))


def reload(t):
    ini = write(t, '[resource:a]\npath = /first\n')
    api = start(t, ini)

    def again(sections):
        with open(ini, 'a') as f:
            f.write(sections)
        api.server.signal(signal.SIGHUP)
    again('[resource:b]\nfields = x: int\n')
    t.ok(wait_for(lambda: api('GET', '/bs', user=ALICE).status == 200, 60),
         'reload: another resource')
    again('[resource:c]\nfields = x: integer\n')
    # workers of the first reload may still be about to leave
    t.ok(api.server.logged("no type 'integer'", 60) and
         wait_for(lambda: api('GET', '/bs', user=ALICE).status == 200, 60),
         'reload: what is wrong keeps the old')


def beside_kinto(t):
    ini = write(t, '[resource:label]\nparent = bucket\n', 'use = kinto\n')
    api = start(t, ini)
    api('PUT', '/buckets/b', {}, user=ALICE)
    t.equal(api('POST', '/buckets/b/labels', {'data': {'a': 1}},
                user=ALICE).status, 201, 'below a bucket of Kinto')
    t.equal((api('GET', '/buckets/b/labels', user=BOB).status,
             api('POST', '/buckets/c/labels', user=ALICE).status),
            (403, 404), 'with its permissions')
    api('DELETE', '/buckets/b', user=ALICE)
    api('PUT', '/buckets/b', {}, user=ALICE)
    t.equal(api('GET', '/buckets/b/labels', user=ALICE).data, [],
            'and gone with it')


def bare(t):
    """No application, no storage named: what is there all the same."""
    ini = write(t, '')
    api = start(t, ini)
    hello = api.hello(user=ALICE)
    t.equal((hello.status, hello.user is not None), (200, True),
            'bare ini: hello knows who asks')
    t.equal(api('GET', '/__heartbeat__').body,
            {'storage': True, 'permission': True, 'cache': True},
            'bare ini: heartbeat of storage, permission and cache')
    batch = api('POST', '/batch', {'requests': [
        {'path': '/'}, {'path': '/nowhere'}]})
    t.equal([r['status'] for r in batch.body['responses']], [200, 404],
            'bare ini: batch')
    t.equal(api('GET', '/nowhere').error[:2], (404, 111),
            'bare ini: errors')
    t.equal(api('GET', '/', auth='Basic !').status, 200,
            'bare ini: bad credentials make nobody')
    t.ok(PG or os.path.exists(os.path.dirname(ini) + '/cliquet.db'),
         'bare ini: the database lies beside it')


def private(t, api):
    made = api('POST', '/mushrooms', {'data': {'name': 'Bolet', 'x': 1}},
               user=ALICE)
    t.equal((made.status, {k: v for k, v in made.data.items() if k not in
                           ('id', 'last_modified')}),
            (201, {'name': 'Bolet', 'edible': False}),
            'schema: defaults are stored, unknown attributes dropped')
    t.ok('permissions' not in made.body, 'private: no permissions')
    url = '/mushrooms/' + made.data['id']
    t.equal(api('GET', url, user=BOB).status, 404,
            'private: others do not see it')
    t.equal(api('GET', '/mushrooms').status, 401, 'private: not anonymous')
    for body, name in (
            ({'name': 'bolet'}, 'data.name'), ({'edible': True}, 'data.name'),
            ({'name': 'A', 'spots': [1, 'x']}, 'data.spots.1')):
        got = api('POST', '/mushrooms', {'data': body}, user=ALICE)
        t.equal((got.error[:2], [d['name'] for d in got.body['details']]),
                ((400, 107), [name]), 'schema: %s is wrong' % name)
    again = api('POST', '/mushrooms', {'data': {'name': 'Bolet'}}, user=ALICE)
    t.equal((again.status, again.data['id']), (200, made.data['id']),
            'unique: the existing one')
    got = api('PATCH', url, {'data': {'name': 'Other'}}, user=ALICE)
    t.equal(got.error, (400, 107, 'Cannot modify name'), 'readonly')
    got = api('PATCH', url, {'data': {'spots': 3}}, user=ALICE)
    t.equal([d['name'] for d in got.body['details']], ['spots'],
            'schema: the result of a PATCH')
    got = api('PATCH', url, {'data': {'edible': False}}, user=ALICE)
    t.equal((got.status, got.data['last_modified']),
            (200, made.data['last_modified']), 'lazy_patch')
    got = api('GET', '/mushrooms?mushroom=1', user=ALICE)
    t.equal(got.error[:2], (400, 107), 'drop: unknown filters are refused')
    got = api('GET', '/mushrooms?name=Bolet&_sort=name', user=ALICE)
    t.equal(len(got.data), 1, 'filters and sorting')
    api('PATCH', url, {'data': {'code': '222'}}, user=ALICE)
    for query in 'code=222', 'code=%22222%22', 'in_code=1,222':
        got = api('GET', '/mushrooms?' + query, user=ALICE)
        t.equal(len(got.data), 1, 'schema: a text that looks like a number: '
                + query)
    changes = api('GET', '/mushrooms?_since=%d' % (
        made.data['last_modified'] - 1), user=ALICE)
    t.equal(len(changes.data), 1, 'synchronisation')
    t.equal(api('DELETE', url, user=ALICE).data['deleted'], True, 'DELETE')


def shared(t, api):
    t.equal(api('PUT', '/forests/black', {'data': {}}).status, 401,
            'shared: created by whom the ini allows')
    t.equal(api('PUT', '/forests/black', {'data': {}}, user=ALICE).status,
            201, 'ids: relaxed takes names')
    alice = api.hello(user=ALICE).user
    trees = '/forests/black/trees'
    t.equal(api('POST', trees, {'data': {'kind': 'fir'}}, user=BOB).status,
            403, 'inherit: others cannot create below')
    made = api('POST', trees, {'data': {'kind': 'fir', 'more': 1}},
               user=ALICE)
    t.equal((made.status, made.data['height'], made.data['more'],
             made.data['seen'] > 1e12, made.body['permissions']),
            (201, 3, 1, True, {'write': [alice]}),
            'fields: defaults, unknown ones kept, permissions')
    got = api('POST', trees, {'data': {'height': -1, 'tags': [1]}},
              user=ALICE)
    t.equal([d['name'] for d in got.body['details']],
            ['data.height', 'data.kind', 'data.tags.0'],
            'fields: all errors at once')
    tree = trees + '/' + made.data['id']
    t.equal(api('GET', tree, user=BOB).status, 403, 'inherit: not shared')
    bob = api.hello(user=BOB).user
    api('PATCH', '/forests/black',
        {'permissions': {'read': [bob], 'tree:create': [bob]}}, user=ALICE)
    t.equal(api('GET', tree, user=BOB).status, 200,
            'inherit: read of the parent')
    t.equal(api('GET', trees, user=BOB).status, 200,
            'inherit: the list too')
    t.equal(api('POST', trees, {'data': {'kind': 'oak'}}, user=BOB).status,
            201, 'inherit: NAME:create on the parent')
    t.equal(api('POST', tree + '/spots', {'data': {'n': 1}},
                user=ALICE).status, 201, 'two levels: write far above')
    t.equal(api('GET', tree + '/spots', user=BOB).status, 200,
            'two levels: read far above')
    t.equal(api('GET', trees + '/nix/spots', user=ALICE).error[:2],
            (404, 111), 'a missing parent is 404')
    api('PUT', '/forests/green', {'data': {}}, user=ALICE)
    for _ in range(2):
        api('POST', '/forests/green/trees', {'data': {'kind': 'ash'}},
            user=ALICE)
    api('DELETE', '/forests/green', user=ALICE)
    api('PUT', '/forests/green', {'data': {}}, user=ALICE)
    t.equal(api('GET', '/forests/green/trees', user=ALICE).data, [],
            'what is below goes with an object')
    got = api('PATCH', tree, {'data': {}}, user=ALICE)
    t.equal((got.error[:2], got.headers.get('allow')),
            ((405, 115), 'GET, HEAD, PUT, OPTIONS'), 'object_methods')
    t.equal(api('DELETE', trees, user=ALICE).status, 405, 'plural_methods')
    t.equal(api('HEAD', '/forests', user=ALICE).status, 200, 'HEAD')


def unique(t, api):
    """In a list of many users: who may read the other one gets it."""
    book = {'data': {'title': 'A', 'isbn': '222'}}
    made = api('POST', '/books', book, user=ALICE)
    again = api('POST', '/books', book, user=ALICE)
    t.equal((made.status, again.status, again.body, again.headers['etag']),
            (201, 200, made.body, made.headers['etag']),
            'unique, shared: the existing one for its owner')
    got = api('POST', '/books', book, user=BOB)
    t.equal((got.error[:2], got.body['details']),
            ((409, 122), {'field': 'isbn'}),
            'unique, shared: not for who may not read it')
    url = '/books/' + made.data['id']
    bob = api.hello(user=BOB).user
    api('PATCH', url, {'permissions': {'read': [bob]}}, user=ALICE)
    got = api('POST', '/books', book, user=BOB)
    t.equal((got.status, got.data['id'], got.body['permissions']),
            (200, made.data['id'], {}),
            'unique, shared: for a reader, without the permissions')
    batch = api('POST', '/batch', {'requests': [
        {'method': 'POST', 'path': '/books', 'body': book}] * 2}, user=ALICE)
    t.equal([r['status'] for r in batch.body['responses']], [200, 200],
            'unique, shared: in a batch')
    other = api('POST', '/books', {'data': {'title': 'B', 'isbn': '1'}},
                user=ALICE)
    got = api('PATCH', '/books/' + other.data['id'],
              {'data': {'isbn': '222'}}, user=ALICE)
    t.equal(got.error[:2], (409, 122), 'unique, shared: PATCH is a conflict')
    for query, n in (('isbn=222', 1), ('isbn=%22222%22', 1), ('not_isbn=222',
                     1), ('like_isbn=22', 1), ('min_isbn=2', 1)):
        t.equal(len(api('GET', '/books?' + query, user=ALICE).data), n,
                'string: filters compare texts: ' + query)


def other(t, api):
    made = api('POST', '/some/notes', {'data': {'a': 1}}, user=ALICE)
    t.equal((made.status, api('GET', '/some/notes/' + made.data['id'],
                              user=ALICE).error[:2]),
            (201, (404, 111)), 'object_methods = none')
    t.equal(api('HEAD', '/some/notes', user=ALICE).status, 405,
            'plural_NAME_head_enabled = false')
    batch = api('POST', '/batch', {'defaults': {'method': 'POST'},
                                   'requests': [
        {'path': '/mushrooms', 'body': {'data': {'name': 'A'}}},
        {'path': '/mushrooms', 'body': {'data': {'name': 'b'}}},
        {'path': '/forests', 'body': {'data': {}}}]}, user=ALICE)
    t.equal([r['status'] for r in batch.body['responses']], [201, 400, 201],
            'in a batch')


def described(t, api):
    doc = api('GET', '/__api__').body
    t.equal(([p for p in ('/mushrooms', '/mushrooms/{id}', '/some/notes',
                          '/forests/{forest}/trees/{id}')
              if p not in doc['paths']], '/some/notes/{id}' in doc['paths']),
            ([], False), 'OpenAPI: paths')
    trees = doc['paths']['/forests/{forest}/trees']
    t.equal([m for m in ('get', 'post', 'delete') if m in trees],
            ['get', 'post'], 'OpenAPI: methods')
    text = json.dumps(doc)
    keep = os.environ.get('CLQ_OPENAPI_KEEP')
    if keep:
        with open(keep + '/resources.json', 'w') as f:
            f.write(text)
    t.ok('"pattern": "^[A-Z]"' in text and '"height"' in text,
         'OpenAPI: attributes of schema and fields')


def request(t, ini, api):
    def ask(*args):
        return t.run([CLIQUET, '--ini', ini, 'request', *args])
    user = ('-u', 'alice', '-p', 'wonder')
    status, text = ask('GET', '/v1/', *user)
    t.equal((status, json.loads(text)['user']['id']),
            (0, api.hello(user=ALICE).user), 'cliquet request: as somebody')
    body = json.dumps({'data': {'text': 'x' * 100000}})
    status, text = ask('POST', '/v1/some/notes', body, *user)
    t.equal((status, len(json.loads(text)['data']['text'])), (0, 100000),
            'cliquet request: a large body')
    status, text = ask('GET', '/v1/some/notes?_limit=1', '-v', '--header',
                       'If-None-Match: "1"', *user)
    t.ok(status == 0 and '\nETag: "' in text and '"data":[' in text,
         'cliquet request: a header, and those of the answer')
    status, text = ask('GET', '/v1/nowhere')
    t.ok(status == 1 and '"errno":111' in text and '404' in text,
         'cliquet request: an error')
    t.equal(ask('GET', '/', '--header', 'x')[0], 1,
            'cliquet request: no header')
    t.equal(ask('GET')[0], 2, 'cliquet request: wrong usage')
    status, text = t.run([CLIQUET, '--ini', write(t, ''), 'request', 'GET',
                          '/'])
    t.ok(status == 1 and 'is the server running?' in text,
         'cliquet request: no server')


WRONG = (
    # sections, what is said
    ('[resource:a]\npath = nowhere\n',
     r'app.ini:7: resource.a.path: nowhere is not of the form /segment'),
    ('[resource:a]\npath = /free/{r}\n',
     r'app.ini:7: resource.a.path: /free/\{r\} is not of the form'),
    ('[resource:a]\npath = /n n\n',
     r'app.ini:7: resource.a.path: /n n has a blank'),
    ('[resource:a]\npath = /x\n[resource:b]\npath = /x\n',
     r'app.ini:9: resource.b.path: b and a \(.*app.ini:7\) have the same'),
    ('[resource:a]\npath = /batch\n', r'"/batch" is taken by batch already'),
    ('[resource:a]\nparent = b\n',
     r'app.ini:7: resource.a.parent: there is no resource b'),
    ('[resource:a]\nparent = b\n[resource:b]\nparent = a\n',
     r'app.ini:7: resource.a.parent: a is below itself'),
    ('[resource:a]\ncolour = red\n',
     r'app.ini:7: resource.a.colour: there is no such option.*fields, '),
    ('[resource:a]\ncreate_principals = system.Everyone\n',
     r'app.ini:7: .*a private list belongs to one user'),
    ('[resource:a]\n', r'app.ini:6: \[resource:a\] is empty'),
    ('[resource:A b]\npath = /x\n', r"app.ini:7: .* made of a-z, 0-9"),
    ('[resource:a]\naccess = public\n', r'none of private, shared'),
    ('[resource:a]\naccess = private\npath = /b/{c}/a\n',
     r'app.ini:7: .*a private list has no parent'),
    ('[resource:a]\nids = uuid7\n', r'none of uuid4, relaxed, name'),
    ('[resource:a]\nunknown = drop\n', r'everything would be dropped'),
    ('[resource:a]\nplural_methods = PUT\n', r"'PUT' is no method of a list"),
    ('[resource:a]\nobject_methods =\n', r'no method is left'),
    ('[resource:a]\ncache_seconds = soon\n', r"'soon' is not an integer"),
    ('[resource:a]\nlazy_patch = maybe\n', r'neither true nor false'),
    ('[resource:a]\nfields = name\n', r"'name' is no field; write one a line"),
    ('[resource:a]\nfields = name: text\n', r"there is no type 'text'"),
    ('[resource:a]\nfields = id: string\n', r"'id' is there by itself"),
    ('[resource:a]\nfields = n: int default=x\n', r"'x' is not JSON"),
    ('[resource:a]\nfields = n: int default="nine"\n',
     r'app.ini:7: .*n has the default "nine", which it would refuse'),
    ('[resource:a]\nfields = n: int max=3 default=9\n', r'maximum value 3'),
    ('[resource:a]\nfields = n: string max=3 default="long"\n',
     r'maximum length 3'),
    ('[resource:a]\nfields = n: strings default=[1]\n', r'not a string'),
    ('[resource:a]\nfields = n: string required default="x"\n',
     r'what is required is never missing'),
    ('[resource:a]\nfields = n: int min=3 max=2\n', r'min is greater'),
    ('[resource:a]\nfields = n: bool min=3\n', r'min and max are for'),
    ('[resource:a]\nfields = n: int needed\n', r"'needed' is nothing"),
    ('[resource:a]\nfields = n: int\n n: int\n', r"'n' is there twice"),
    ('[resource:a]\nfields = n: int\nunique = m\n',
     r"there is no attribute 'm'"),
    ('[resource:a]\nschema = none.json\n',
     r'app.ini:7: resource.a.schema: .*/none.json: No such file'),
    ('[resource:a]\nschema = /dev/zero\n', r'/dev/zero: not a file'),
)

BAD_SCHEMAS = (
    ('{"type": "object",\n "properties": }\n', r'mushroom.json:2: not JSON'),
    ('[1]', r'a schema is a JSON object'),
    ({'type': 'objekt'}, r'no JSON Schema: at "/type"'),
    ({'$schema': 'http://x.org/mine'}, r'\$schema names no draft'),
    ({'properties': {'a': {'pattern': '('}}}, r'pattern: .*; correct'),
    ({'$ref': '#/definitions/a'}, r'the reference "#/definitions/a" leads'),
    ({'properties': {'a': {'type': 'string', 'default': 3}}},
     r'the default of "a" does not fit the schema: 3 is not'),
    ({'required': 'name'}, r'no JSON Schema: at "/required"'),
)


def several_faults(t):
    """All that is wrong with one schema is said, up to a bound."""
    def said(schema):
        ini = write(t, '[resource:a]\nschema = mushroom.json\n',
                    schema=schema)
        status, text = t.run([CLIQUET, '--ini', ini, 'check-config'])
        t.equal(status, 1, 'a schema with several faults is refused')
        return sorted(re.findall(r'no JSON Schema: at "(.*?)"|'
                                 r'reference (".*?")|(further|pattern)',
                                 text))

    t.equal(said({'type': 'objekt', 'required': 'name', 'properties': {
                'a/b~c': {'type': 3, 'minLength': -1},
                'd': {'enum': 3, 'pattern': '('},
                'e': {'allOf': [{}, {'maximum': 'x'}, {'title': 1}]}}}),
            [('', '', 'pattern'),
             ('/properties/a~1b~0c/minLength', '', ''),
             ('/properties/a~1b~0c/type', '', ''),
             ('/properties/d/enum', '', ''),
             ('/properties/e/allOf/1/maximum', '', ''),
             ('/properties/e/allOf/2/title', '', ''),
             ('/required', '', ''), ('/type', '', '')], 'all faults of a schema are said')
    t.equal(said({'properties': {'a': {'$ref': '#/x'}, 'b': {'$ref': '#/y'}}}),
            [('', '"#/x"', ''), ('', '"#/y"', '')], 'all references too')
    got = said({'properties': {'p%d' % i: {'type': 3} for i in range(50)}})
    t.equal((len(got), got[0]), (11, ('', '', 'further')),
            'at most ten faults')


def wrong(t):
    cases = [(s, SCHEMA, why) for s, why in WRONG]
    cases += [('[resource:a]\nschema = mushroom.json\n', s, why)
              for s, why in BAD_SCHEMAS]
    for sections, schema, why in cases:
        ini = write(t, sections, schema=schema)
        status, text = t.run([CLIQUET, '--ini', ini, 'check-config'])
        if not t.ok(status == 1 and re.search(why, text),
                    'refused: ' + why):
            print('#', text[:500])
    several_faults(t)
    for option in ('path = x', 'path = /free/{r}', 'path = /n n',
                   'cache_seconds = soon', 'ids = z'):
        ini = write(t, '[resource:ok]\ndescription = x\n[resource:a]\n%s\n' %
                    option)
        status, text = t.run([CLIQUET, '--ini', ini, 'check-config'])
        t.ok(status == 1 and len(re.findall('app.ini:', text)) == 2 and
             'app.ini:9: resource.a.' + option.split()[0] in text and
             'app.ini: the server would not' in text,
             'one fault is told once, at its line: ' + option)
    ini = write(t, '[resource:a]\naccess = shared\n'
                'create_principals = Authenticated\n')
    status, text = t.run([CLIQUET, '--ini', ini, 'check-config'])
    t.ok(status == 0 and "nobody is called 'Authenticated'" in text,
         'warned: a principal that nobody is')
    ini = write(t, '[resource:a]\nx = 1\n[resource:b]\nids = z\n'
                '[resource:c]\nparent = d\n')
    status, text = t.run([CLIQUETD, ini])
    t.equal((status, set(re.findall(r'resource\.([abc])\.', text))),
            (1, {'a', 'b', 'c'}),
            'the start is refused with all problems')


def main():
    with Test() as t:
        bare(t)
        ini = write(t, SECTIONS, 'plural_note_head_enabled = false\n')
        status, text = t.run([CLIQUET, '--ini', ini, 'check-config'])
        t.equal((status, 'WARN' in text), (0, False), 'check-config: good')
        api = start(t, ini)
        private(t, api)
        shared(t, api)
        unique(t, api)
        other(t, api)
        described(t, api)
        request(t, ini, api)
        beside_kinto(t)
        reload(t)
        if not PG:
            wrong(t)


main()
