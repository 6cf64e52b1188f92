# SPDX-License-Identifier: Apache-2.0
"""The Python Kinto as its documentation advises it for production: uWSGI with
two processes, PostgreSQL (a database of its own, on the same server),
memcached. It gets the same list and the same requests; its 10^4 records are
put into its table, since through its protocol that takes minutes.
"""
import os
import shutil
import subprocess

from stack import children
from ports import free_port

# What is compared; through nginx.
OPERATIONS = ('hello', 'GET', 'list of 100', 'POST', 'PUT', 'batch of 25')
PARENT = '/buckets/bench/collections/list'

INI = '''
[server:main]
use = egg:waitress#main
[app:main]
use = egg:kinto
multiauth.policies = basicauth
userid_hmac_secret = only-for-measuring
storage_backend = kinto.core.storage.postgresql
storage_url = %(url)s
permission_backend = kinto.core.permission.postgresql
permission_url = %(url)s
cache_backend = kinto.core.cache.memcached
cache_hosts = 127.0.0.1:%(memcached)d
bucket_create_principals = system.Authenticated
'''
WSGI = '''
import configparser
from kinto import main
ini = configparser.ConfigParser(interpolation=None)
ini.read(%r)
application = main({}, **dict(ini.items('app:main')))
'''


class Kinto:
    """uWSGI with Kinto from the virtual environment `venv`."""

    def __init__(self, stack, venv, create):
        self.stack, self.venv = stack, venv
        psql = os.environ['PSQL'].split()
        subprocess.run(psql + ['-d', 'clq', '-c', 'CREATE DATABASE kinto'],
                       check=True)
        self.psql = psql + ['-d', 'kinto', '-c']
        port, ini = free_port(), stack.path('kinto.ini')
        user = ['-u', 'nobody'] if os.geteuid() == 0 else []
        self.memcached = stack.start('memcached', shutil.which('memcached'),
                                     '-l', '127.0.0.1', '-p', str(port),
                                     *user)
        with open(ini, 'w') as f:
            f.write(INI % {'url': os.environ['CLQ_PG_TCP_URL'].rpartition(
                '/')[0] + '/kinto', 'memcached': port})
        with open(stack.path('kinto_wsgi.py'), 'w') as f:
            f.write(WSGI % ini)
        subprocess.run([venv + '/bin/kinto', 'migrate', '--ini', ini],
                       check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        self.address = 'unix:' + stack.path('kinto.uwsgi')
        self.process = stack.start(
            'uwsgi', venv + '/bin/uwsgi', '--master', '--processes', '2',
            '--socket', self.address[5:], '--chmod-socket=666', '--wsgi-file',
            stack.path('kinto_wsgi.py'), '--virtualenv', venv,
            '--enable-threads', '--single-interpreter', '--lazy-apps',
            '--buffer-size', '65535', '--post-buffering', '65535',
            '--disable-logging', '--die-on-term', '--listen', '100',
            cwd=stack.dir)
        stack.wait(self.process, 'uwsgi',
                   lambda: stack.listening(self.address[5:]), 60)
        self.create = create

    def workers(self):
        return children(self.process.pid)

    def fill(self, front):
        """front: its address behind nginx."""
        for path in ('bench', 'bench/collections/list',
                     'bench/collections/shop'):
            r = self.create(front, '/v1/buckets/' + path)
            if r['errors']:
                raise SystemExit('Kinto does not create %s: %r' % (path, r))
        subprocess.run(self.psql + ['''
            INSERT INTO objects (id, parent_id, resource_name, last_modified,
                data, deleted)
            SELECT 'r' || i, '%s', 'record', timestamp '2020-09-13' +
                i * interval '1 ms', jsonb_build_object('n', i, 'group', 'g7',
                'title', 'record ' || i, 'done', true), FALSE
            FROM generate_series(0, 9999) AS i''' % PARENT,
            '-c', 'VACUUM ANALYZE'], check=True, stdout=subprocess.DEVNULL)
