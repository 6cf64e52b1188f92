# SPDX-License-Identifier: Apache-2.0
"""Two versions of an application in one server: Reading List (/v2) and an older
API of it without code (/v1), which is deprecated."""
import json
import os
import signal

from api import Api, start_kinto
from harness import CLIQUET, Test, wait_for

ALICE = 'alice:x'
ARTICLE = {'data': {'url': 'http://x.example', 'title': 'X',
                    'added_by': 'test'}}


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
    """(server, what asks /v2, what asks /v1)"""
    server, new = start_kinto(
        test, prefix='/v2', use='readinglist', storage_backend='sqlite',
        storage_url=test.path('new.db'), permission_backend='',
        permission_url=None, **{'multiauth.policies': 'basicauth', **more})
    return server, new, Api(server)


def both(t, new, old):
    hello = new.hello(user=ALICE)
    t.equal(hello.body['project_name'], 'readinglist', '/v2/ is the new one')
    t.ok('alert' not in hello.headers, 'without an alert')
    was = old.hello(user=ALICE)
    t.equal((was.status, was.body['project_name']), (200, 'old'),
            '/v1/ is the old one')
    t.equal(json.loads(was.headers.get('alert', '{}')).get('code'),
            'soft-eol', 'which says that it will end')
    t.equal(was.user, hello.user,
            'users are the same, from the same secret')
    t.equal(new('POST', '/articles', ARTICLE, user=ALICE).status, 201,
            'an article is stored')
    t.equal(old('POST', '/links',
                {'data': {'url': 'http://y.example'}}, user=ALICE).status, 201,
            'so is a link')
    t.equal(old('GET', '/articles', user=ALICE).status, 404,
            'the old one has no articles')
    t.equal(new('GET', '/links', user=ALICE).status, 404,
            'nor the new one links')
    batch = old('POST', '/batch', {'requests': [
        {'method': 'GET', 'path': '/v1/links'}, {'path': '/links'}]},
                user=ALICE)
    t.equal([r['status'] for r in batch.body['responses']], [200, 200],
            'a batch of the old one')
    root = Api(new.server, '')('GET', '/')
    t.equal((root.status, root.headers.get('location', '')[-4:]),
            (307, '/v2/'), 'without a version: the one that names the others')
    t.equal(Api(new.server, '/v1x')('GET', '/').status in (307, 404), True,
            'a prefix is a whole segment')
    t.equal(old('GET', '/__heartbeat__').status, 200,
            'each has its heartbeat')


def reload(t, server, new, old):
    t.ini(path=server.ini, use='readinglist', socket=server.address,
          storage_backend='sqlite', storage_url=t.path('new.db'),
          permission_backend=None, cache_backend='memory',
          userid_hmac_secret='s3cret', project_version=None,
          **{'multiauth.policies': 'basicauth'})
    server.signal(signal.SIGHUP)
    t.ok(wait_for(lambda: old('GET', '/links', user=ALICE).status != 200),
         'a reload takes the old one away')
    t.ok(wait_for(lambda: new('GET', '/articles', user=ALICE).status == 200),
         'and leaves the new one')


def refused(t, what, message, **more):
    status, text = t.run([CLIQUET, 'check-config', '--ini', t.ini(
        use='readinglist', storage_backend='memory', permission_backend=None,
        cache_backend='memory', userid_hmac_secret='x', project_version=None,
        **{'multiauth.policies': 'basicauth', **more})])
    t.ok(status != 0 and message in text, what)
    if message not in text:
        print('#', text[-600:])


with Test() as t:
    ini = old_ini(t)
    server, new, old = start(t, other_versions=os.path.basename(ini))
    both(t, new, old)
    reload(t, server, new, old)
    server.stop()
    refused(t, 'the same version twice', 'is served already',
            other_versions=old_ini(t, http_api_version='2.0'))
    refused(t, 'a version that names others', 'names all the others',
            other_versions=old_ini(t, other_versions=ini))
    refused(t, 'a file that is not there', 'no.ini',
            other_versions='no.ini')
    refused(t, 'what is wrong with it is said', 'wat',
            other_versions=old_ini(t, paginate_by='wat'))
