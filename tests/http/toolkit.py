# SPDX-License-Identifier: Apache-2.0
"""What an application may declare (tests/apps/toolkit.c), seen from outside:
inputs, backends in views, settings, capability, heartbeat, policy, subscriber,
migrations; hooks that fail or hang."""
import json
import os
import select
import sqlite3
import time

import fcgi
from api import Api, answering
from harness import CLIQUET, Test, wait_for

APP = os.environ['CLQ_TEST_TOOLKIT']
ME = 'Toolkit me'


def start(t, popen={}, **settings):
    values = dict(use=APP, storage_backend='sqlite',
                  storage_url=t.name('.db'), permission_backend=None,
                  cache_backend='memory', workers=2, log_level='info',
                  **{'multiauth.policies': 'toolkit'})
    values.update(settings)
    return answering(Api(t.start(ready=False, popen=popen, **values)))


def inputs(t, api):
    got = api('GET', '/inputs/7?deep=yes&tags=a,%20b&colour=blue&x=1',
              headers=[('X-Size', '1.5'), ('X-Other', '1')])
    t.equal(got.body, {'path': {'n': 7}, 'query': {
        'colour': 'blue', 'tags': ['a', 'b'], 'deep': True},
        'header': {'X-Size': 1.5}, 'body': {}},
        'inputs: converted, declared names only')
    got = api('POST', '/inputs/1', {'title': 'T', 'more': 1})
    t.equal((got.body['body'], got.body['query']),
            ({'title': 'T', 'stars': 3}, {'colour': 'red'}),
            'inputs: defaults')
    got = api('POST', '/inputs/10?colour=green&deep=perhaps&tags=a,,b',
              {'title': 'much too long', 'stars': 'x'},
              headers=[('X-Size', 'big')])
    t.equal((got.error[:2], got.body['details']), ((400, 107), [
        {'location': 'header', 'name': 'X-Size',
         'description': '"big" is not a number'},
        {'location': 'querystring', 'name': 'colour',
         'description': '"green" is not one of red, blue'},
        {'location': 'querystring', 'name': 'deep',
         'description': '"perhaps" is not a boolean'},
        {'location': 'path', 'name': 'n',
         'description': '10 is greater than maximum value 9'},
        {'location': 'body', 'name': 'stars',
         'description': '"x" is not a number'},
        {'location': 'querystring', 'name': 'tags.1',
         'description': 'Required'},
        {'location': 'body', 'name': 'title',
         'description': 'Longer than maximum length 10'},
    ]), 'inputs: all errors of all locations, sorted')
    for body, what in ((b'{"title":', 'Invalid JSON'), (b'[1]', 'mapping'),
                       (b'', 'Required'), (b'"x"', 'Should be a JSON')):
        got = api('POST', '/inputs/1', body)
        t.ok(got.error[:2] == (400, 107) and what in got.error[2],
             'inputs: a body of %r' % body)
    got = api('POST', '/inputs/1', b'title=x', headers=[
        ('Content-Type', 'application/x-www-form-urlencoded')])
    t.equal(got.error[:2], (415, 107), 'inputs: another media type')
    got = api('GET', '/inputs/1', headers=[('X-Size', '\xff\xfe')])
    t.equal(got.error[:2], (400, 107), 'inputs: a header that is no text')
    t.equal(api('HEAD', '/inputs/1?colour=x').status, 400, 'inputs: of HEAD')
    got = api('POST', '/batch', {'requests': [
        {'method': 'POST', 'path': '/inputs/2', 'body': {'title': 'b'}},
        {'method': 'POST', 'path': '/inputs/2', 'body': {}}]})
    t.equal([r['status'] for r in got.body['responses']], [200, 400],
            'inputs: in a batch')


def declared(t, api):
    hello = api.hello(auth=ME)
    t.equal((hello.user, hello.body['settings']['toolkit.greeting'],
             hello.body['capabilities']['toolkit']['since']),
            ('toolkit:me', 'salut', 1),
            'policy, setting from the environment, capability')
    t.equal(api('GET', '/__heartbeat__').body['toolkit'], True, 'heartbeat')
    t.equal(api('POST', '/visits').status, 401, 'private service')
    one = api('POST', '/visits', auth=ME)
    two = api('POST', '/visits', auth=ME)
    t.equal((one.status, one.body['n'], one.body['last'], two.body['n'],
             two.body['last']), (201, 1, None, 2, one.body['id']),
            'storage and cache in a view')
    got = api('POST', '/batch', {'requests': [
        {'method': 'POST', 'path': '/visits'},
        {'method': 'POST', 'path': '/things', 'body':
            {'data': {'how': 'invalid'}}}]}, auth=ME)
    t.equal([r['status'] for r in got.body['responses']], [201, 400],
            'a view in a batch: what fails beside it undoes itself only')
    t.equal(api('POST', '/visits', auth=ME).body['n'], 4, 'and it is kept')


LIMIT = 6               # request_timeout; others must be quicker than it


def hooks(t, api):
    def post(data, timeout=30):
        return api('POST', '/things', {'data': data}, auth=ME,
                   timeout=timeout)
    got = post({'how': 'fail'})
    t.equal(got.error[:2], (500, 999), 'a hook that fails: 500')
    t.ok(api.server.logged(r'hook `process` of the resource thing failed '
                           r'\(CLQ_FAILED\)'), 'said with its name')
    for data, error, why in (
            ({'how': 'done'}, (500, 999), 'process.*CLQ_DONE and no answer'),
            ({'how': 'odd'}, (500, 999), 'stored.*a number that is no status'),
            ({'how': 'retry'}, (503, 201), 'gave up after 5 attempts'),
            ({'how': 'conflict'}, (409, 122), None)):
        t.ok(post(data).error[:2] == error and
             (why is None or api.server.logged(why)), 'a hook: %s' % data)
    t.equal(post({'how': 'invalid'}).error[:2], (400, 107),
            'a hook that refuses: its error')
    t.equal(post({'veto': 1}).error, (403, 121, 'Vetoed.'),
            'a subscriber that refuses: its error')
    t.equal(api('GET', '/things', auth=ME).data, [], 'nothing was stored')
    workers = api.server.workers()
    conn = fcgi.Conn(api.server.address, 60)
    body = json.dumps({'data': {'how': 'hang'}}).encode()
    params = {'REQUEST_METHOD': 'POST', 'REQUEST_URI': '/v1/things',
              'HTTP_AUTHORIZATION': ME, 'CONTENT_TYPE': 'application/json',
              'CONTENT_LENGTH': str(len(body)), 'QUERY_STRING': ''}
    conn.send(fcgi.record(fcgi.BEGIN, 1, b'\0\1\0\0\0\0\0\0') +
              fcgi.record(fcgi.PARAMS, 1, fcgi.pairs(list(params.items()))) +
              fcgi.record(fcgi.PARAMS, 1) +
              fcgi.record(fcgi.STDIN, 1, body) + fcgi.record(fcgi.STDIN, 1))
    time.sleep(0.2)
    t.ok(all(api.hello().status == 200 for _ in range(10)),
         'a hook that hangs: others are served')
    t.equal(select.select([conn.s], [], [], 0)[0], [], 'meanwhile')
    t.equal(api('POST', '/visits', auth=ME).status, 201, 'and can write')
    t.equal(conn.response().status, 503, 'request_timeout ends it')
    t.ok(api.server.logged(r'/v1/things.*no answer after \d+ ms', 60),
         'which the log tells')
    wait_for(lambda: len(api.server.workers()) == 2 and
             api.server.workers() != workers, 60)
    t.equal(post({'how': 'well'}).status, 201, 'and all goes on')
    conn.s.close()


def refusals(t):
    for name, why in (
            ('toolkit.twice', r'impostor: "/inputs/\{other\}" is taken by '
             'inputs'),
            ('toolkit.bad_input', r'service wrong: its input 0 \(size\) is '
             'no variable of the path')):
        api = start(t, **{name: 'true'})
        t.ok(api.server.wait() == 1 and api.server.logged(why),
             '%s: the start is refused with the names' % name)
    api = start(t, **{'toolkit.sick': 'true'})
    got = api('GET', '/__heartbeat__')
    t.equal((got.status, got.body['toolkit']), (503, False),
            'a heartbeat that fails')


def plus(t):
    app = os.environ.get('CLQ_TEST_PLUS')
    if app is None:
        t.skip('an application in C++', 'no C++ compiler')
        return
    api = start(t, use=app, **{'multiauth.policies': 'basicauth',
                               'userid_hmac_secret': 'x'})
    me = 'me:too'
    t.equal((api('GET', '/double/21').body, api('GET', '/double/x').error[:2]),
            ({'double': 42}, (400, 107)), 'C++: a service')
    t.equal(api('POST', '/leaves', {'data': {'colour': 'red'}},
                user=me).status, 201, 'C++: a resource')
    got = api('POST', '/leaves', {'data': {'colour': 'blue'}}, user=me)
    t.equal(got.error, (400, 107, 'data.colour in body: blue leaves do not '
                        'exist'), 'C++: a hook with an exception in it')


def migrations(t):
    url = t.name('.db')
    ini = t.ini(use=APP, storage_backend='sqlite', storage_url=url,
                permission_backend=None, cache_backend='memory')

    def run(*options, version=2):
        return t.run([CLIQUET, '--ini', ini, 'migrate', *options], env=dict(
            os.environ, CLIQUET_TOOLKIT_VERSION=str(version)))

    def steps():
        with sqlite3.connect(url) as db:
            return [json.loads(r[0])['step'] for r in db.execute(
                "SELECT data FROM objects WHERE data LIKE '%step%' "
                "ORDER BY last_modified")]

    run('--dry-run')
    status, text = run(version=1)
    t.equal((status, 'toolkit: brought to version 1' in text, steps()),
            (0, True, [1]), 'migrate: the first step')
    status, text = run('--dry-run')
    t.equal((status, 'from version 1 to 2' in text, steps()),
            (0, True, [1]), 'migrate: a dry run does nothing')
    status, text = run()
    t.equal((status, steps()), (0, [1, 2]), 'migrate: only what is missing')
    status, text = run()
    t.equal((status, 'version 2 is up to date' in text, steps()),
            (0, True, [1, 2]), 'migrate: once')
    status, text = run(version=3)
    t.equal((status, 'step to version 3 did not succeed' in text, steps()),
            (1, True, [1, 2]), 'migrate: a step that fails is undone')
    status, text = run(version=1)
    t.equal((status, 'is of version 2, of which' in text), (0, True),
            'migrate: an older plugin is warned')


def main():
    with Test() as t:
        env = dict(os.environ, CLIQUET_TOOLKIT_GREETING='salut')
        api = start(t, popen=dict(env=env), request_timeout=LIMIT)
        inputs(t, api)
        declared(t, api)
        hooks(t, api)
        refusals(t)
        plus(t)
        migrations(t)


main()
