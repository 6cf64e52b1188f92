# SPDX-License-Identifier: Apache-2.0
"""Requests to a Kinto that a test has started (harness.py), as a client of
the HTTP API would make them."""
import base64
import contextlib
import json
import os
import subprocess

import fcgi
from harness import CLIQUET, wait_for


def basic(credentials):
    if isinstance(credentials, str):
        credentials = credentials.encode()
    return 'Basic ' + base64.b64encode(credentials).decode()


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        try:
            self.body = json.loads(response.body)
        except ValueError:
            self.body = None

    @property
    def data(self):
        return (self.body or {}).get('data')

    @property
    def user(self):
        """Whom hello took us for, or None."""
        return ((self.body or {}).get('user') or {}).get('id')

    @property
    def error(self):
        """(status, errno, message) of an error."""
        body = self.body or {}
        return self.status, body.get('errno'), body.get('message')


class Api:
    def __init__(self, server, prefix='/v1'):
        self.server, self.prefix = server, prefix

    def __call__(self, method, path, body=None, user=None, auth=None,
                 headers=(), **more):
        """user: "name:password" for Basic; auth: a whole Authorization."""
        headers = list(headers)
        if user is not None:
            auth = basic(user)
        if auth is not None:
            headers.append(('Authorization', auth))
        if body is not None:
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            if not any(n.lower() == 'content-type' for n, _ in headers):
                headers.append(('Content-Type', 'application/json'))
        return Answer(fcgi.request(self.server.address, method,
                                   self.prefix + path,
                                   headers, body or b'', **more))

    def hello(self, **who):
        return self('GET', '/', **who)

    def up(self):
        with contextlib.suppress(OSError, fcgi.Closed):
            return self.hello(timeout=10).status == 200
        return False


def answering(api):
    """The same, once its server answers or has ended."""
    wait_for(lambda: api.server.popen.poll() is not None or api.up())
    return api


def database(test):
    """Settings of a new database: on PostgreSQL below with-postgres."""
    server, path = os.environ.get('CLQ_PG_URL'), test.name('.sqlite')
    if not server:
        return dict(storage_backend='sqlite', storage_url=path,
                    permission_backend='sqlite', permission_url=path)
    name = 'kinto%d' % test.serial
    subprocess.run(os.environ['PSQL'].split() + [
        '-q', '-c', 'CREATE DATABASE ' + name, 'clq'], check=True)
    url = server.replace('/clq?', '/%s?' % name)
    values = dict(storage_backend='postgresql', storage_url=url,
                  permission_backend='postgresql', permission_url=url)
    ini = test.ini(use='kinto', userid_hmac_secret='x', **values)
    subprocess.run([CLIQUET, '-q', '--ini', ini, 'migrate'],
                   check=True)
    return values


def start_kinto(test, ready=True, popen={}, prefix='/v1', **settings):
    """A Kinto, or what `use` says, on a database of its own: (server, Api)."""
    values = dict(use='kinto', userid_hmac_secret='s3cret', workers=2,
                  cache_backend='memory', project_version=None,
                  **database(test))
    values.update(settings)
    server = test.start(ready=False, popen=popen, **values)
    api = Api(server, prefix)
    return server, answering(api) if ready else api
