# SPDX-License-Identifier: Apache-2.0
"""An ini file of the Python Kinto starts as it is: the one that `kinto init`
writes for PostgreSQL and memcached (tests/data/kinto-init.ini). Only addresses
are filled in, and where to listen comes from the environment. Below
with-postgres."""
import os
import re
import shutil
import socket
import subprocess

from api import Api, answering
from harness import CLIQUET, CLIQUETD, Test, free_port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SECRET = 'f' * 64
# Keys that nothing in the file's world knows, and some that nobody does here.
UNKNOWN = ['no_such_key', 'kinto.flush_endpoint_enabled']


def write(test, memcached, secret=SECRET, more=()):
    with open(os.path.join(HERE, '..', 'data', 'kinto-init.ini')) as f:
        text = f.read()
    for name, value in [('postgresql', os.environ['CLQ_PG_URL']),
                        ('memcached', memcached), ('secret', secret)]:
        text = text.replace('@%s@' % name, value.replace('%', '%%'))
    text = text.replace('use = egg:kinto', '\n'.join(
        ['use = egg:kinto'] + ['%s = 1' % key for key in more]))
    path = test.name('.ini')
    with open(path, 'w') as f:
        f.write(text)
    return path


def serve(test, ini):
    path = test.name('.sock')
    server = test.spawn([CLIQUETD, ini], path,
                        env=dict(os.environ, CLIQUET_SOCKET=path))
    return server, answering(Api(server))


def memcached(test):
    port = free_port()
    program = shutil.which('memcached')
    user = ['-u', 'nobody'] if os.geteuid() == 0 else []
    test.procs.append(subprocess.Popen(
        [program, *user, '-l', '127.0.0.1', '-p', str(port)]))
    address = ('127.0.0.1', port)

    def up():
        try:
            socket.create_connection(address, 10).close()
            return True
        except OSError:
            return False
    wait_for(up)
    return address


def items(address):
    """How many things memcached holds."""
    with socket.create_connection(address, 60) as s:
        s.sendall(b'stats\r\nquit\r\n')
        text = s.makefile('rb').read().decode()
    return int(re.search(r'STAT curr_items (\d+)', text).group(1))


def unchanged(test, ini, address):
    status, text = test.run([CLIQUET, '--ini', ini, 'migrate'])
    # The console's build is fetched by itself.
    test.equal((status, [line for line in re.findall(
        '.*(?:WARN|ERROR).*', text) if 'admin_assets_path' not in line]),
        (0, []), 'migrate')
    status, text = test.run([CLIQUET, '--ini', ini, 'create-user', '-u',
                             'admin', '-p', 's3cret'])
    test.equal(status, 0, 'create-user admin')
    server, api = serve(test, ini)
    hello = api.hello(user='admin:s3cret')
    test.equal(hello.user, 'account:admin', 'the administrator logs in')
    test.ok(wait_for(lambda: items(address) > 0), 'memcached remembers the password checked')
    test.ok({'default_bucket', 'accounts'} <=
            set(hello.body['capabilities']), 'the plugins are there')
    test.equal(hello.body['project_name'], 'kinto', 'the name of the project')
    alice = dict(user='alice:wonder')
    test.equal(api('PUT', '/accounts/alice',
                   {'data': {'password': 'wonder'}}).status, 201,
               'anybody makes an account')
    test.equal(api('PUT', '/buckets/b', user='admin:s3cret').status, 201,
               'the administrator makes a bucket')
    test.equal(api('PUT', '/buckets/c', **alice).status, 403,
               'and nobody else')
    test.equal(api('PUT', '/buckets/b/collections/c', user='admin:s3cret',
                   body={'permissions': {
                       'record:create': ['account:alice']}}).status, 201,
               'a collection is shared')
    test.equal(api('POST', '/buckets/b/collections/c/records',
                   {'data': {'n': 1}}, **alice).status, 201,
               'alice stores a record')
    server.stop()
    test.equal(re.findall('.*(?:WARN|ERROR).*is not a setting.*',
                          server.text()), [], 'every key is known')


def odd(test, ini):
    """Unknown keys and no secret: said once, and served."""
    server, api = serve(test, ini)
    test.equal(api.hello(user='alice:wonder').user, 'account:alice',
               'served without a secret')
    server.signal(1)
    test.ok(server.logged('reload: configuration 2 is in force'),
            'and reloaded')
    server.stop()
    text = server.text()
    test.ok('userid_hmac_secret is empty' in text, 'and warned about')
    for key in UNKNOWN:
        found = re.findall("'%s' is not a setting" % re.escape(key), text)
        test.equal(len(found), 1 if key == UNKNOWN[0] else 0,
                   '%s is warned about %d times' % (key, len(found)))


with Test() as t:
    where = memcached(t)
    name = '%s:%d' % where
    unchanged(t, write(t, name), where)
    odd(t, write(t, name, '', UNKNOWN))
