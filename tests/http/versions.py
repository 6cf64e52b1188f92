# SPDX-License-Identifier: Apache-2.0
"""Two versions of an application in one server: Reading List (/v2) and an older
API of it without code (/v1), which is deprecated."""
import json
import os
import signal

import fcgi
from api import Answer, basic, start_kinto
from harness import CLIQUETD, Test, wait_for

CLIQUET = os.environ.get('CLIQUET', os.path.join(os.path.dirname(CLIQUETD),
                                                'cliquet'))
ARTICLE = {'data': {'url': 'http://x.example', 'title': 'X',
                    'added_by': 'test'}}


def call(server, method, uri, body=None, user='alice:x'):
    headers = [('Authorization', basic(user)),
               ('Content-Type', 'application/json')]
    return Answer(fcgi.request(server.address, method, uri, headers,
                               json.dumps(body).encode() if body else b''))


def old_ini(test, **more):
    path = test.name('.ini')
    values = dict(project_name='old', http_api_version='1.4',
                  storage_backend='sqlite', storage_url=test.path('old.db'),
                  cache_backend='memory', userid_hmac_secret='s3cret',
                  eos='2999-01-01', eos_message='"use version 2"',
                  eos_url='https://x.example/v2',
                  **{'multiauth.policies': 'basicauth'})
    values.update(more)
    with open(path, 'w') as f:
        f.write('[app:main]\n')
        for key, value in values.items():
            if value is not None:
                f.write('%s = %s\n' % (key, value))
        f.write('[resource:link]\nfields = url: url required\n')
    return path


def start(test, **more):
    values = dict(use='readinglist', storage_backend='sqlite',
                  storage_url=test.path('new.db'), permission_backend='',
                  project_version=None, **{'multiauth.policies':
                                           'basicauth'})
    values.update(more)
    server, _ = start_kinto(test, ready=False, **values)

    def up():
        if server.popen.poll() is not None:
            return True
        try:
            return call(server, 'GET', '/v2/').status == 200
        except OSError:
            return False
    wait_for(up, 20)
    return server


def both(t, server):
    hello = call(server, 'GET', '/v2/')
    t.equal(hello.body['project_name'], 'readinglist', '/v2/ is the new one')
    t.ok('alert' not in hello.headers, 'without an alert')
    old = call(server, 'GET', '/v1/')
    t.equal((old.status, old.body['project_name']), (200, 'old'),
            '/v1/ is the old one')
    t.equal(json.loads(old.headers.get('alert', '{}')).get('code'),
            'soft-eol', 'which says that it will end')
    t.equal(old.body['user']['id'], hello.body['user']['id'],
            'users are the same, from the same secret')
    t.equal(call(server, 'POST', '/v2/articles', ARTICLE).status, 201,
            'an article is stored')
    t.equal(call(server, 'POST', '/v1/links',
                 {'data': {'url': 'http://y.example'}}).status, 201,
            'so is a link')
    t.equal(call(server, 'GET', '/v1/articles').status, 404,
            'the old one has no articles')
    t.equal(call(server, 'GET', '/v2/links').status, 404,
            'nor the new one links')
    batch = call(server, 'POST', '/v1/batch', {'requests': [
        {'method': 'GET', 'path': '/v1/links'}, {'path': '/links'}]})
    t.equal([r['status'] for r in batch.body['responses']], [200, 200],
            'a batch of the old one')
    root = call(server, 'GET', '/')
    t.equal((root.status, root.headers.get('location', '')[-4:]),
            (307, '/v2/'), 'without a version: the one that names the others')
    t.equal(call(server, 'GET', '/v1x/').status in (307, 404), True,
            'a prefix is a whole segment')
    t.equal(call(server, 'GET', '/v1/__heartbeat__').status, 200,
            'each has its heartbeat')


def reload(t, server, old):
    t.ini(path=server.ini, use='readinglist', socket=server.address,
          storage_backend='sqlite', storage_url=t.path('new.db'),
          permission_backend=None, cache_backend='memory',
          userid_hmac_secret='s3cret', project_version=None,
          **{'multiauth.policies': 'basicauth'})
    server.signal(signal.SIGHUP)
    t.ok(wait_for(lambda: call(server, 'GET', '/v1/links').status != 200,
                  10), 'a reload takes the old one away')
    t.ok(wait_for(lambda: call(server, 'GET', '/v2/articles').status == 200,
                  10), 'and leaves the new one')


def refused(t, what, message, **more):
    status, text = t.run([CLIQUET, 'check-config', '--ini', t.ini(
        use='readinglist', storage_backend='memory', permission_backend=None,
        cache_backend='memory', userid_hmac_secret='x', project_version=None,
        **{'multiauth.policies': 'basicauth', **more})])
    t.ok(status != 0 and message in text, what)
    if message not in text:
        print('#', text[-600:])


with Test() as t:
    old = old_ini(t)
    server = start(t, other_versions=os.path.basename(old))
    both(t, server)
    reload(t, server, old)
    server.stop()
    refused(t, 'the same version twice', 'is served already',
            other_versions=old_ini(t, http_api_version='2.0'))
    refused(t, 'a version that names others', 'names all the others',
            other_versions=old_ini(t, other_versions=old))
    refused(t, 'a file that is not there', 'no.ini',
            other_versions='no.ini')
    refused(t, 'what is wrong with it is said', 'wat',
            other_versions=old_ini(t, paginate_by='wat'))
