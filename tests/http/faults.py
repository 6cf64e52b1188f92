# SPDX-License-Identifier: Apache-2.0
"""Backends that do not answer (sections 07-2, 02-5): a PostgreSQL behind a
network that swallows everything, a stopped memcached, an SQLite file whose
lock somebody holds. Heartbeats keep heartbeat_timeout_seconds, requests get 503
within the backend's own time-out, and all is well again by itself."""
import os
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

from api import start_kinto
from harness import (CLIQUET, PATIENCE, Test, free_port, freeze, timed,
                     wait_for)

USER = 'u:p'
GRACE = 3.0     # what a loaded machine may add


class Proxy:
    """A TCP relay in a thread, which can stop to forward, and go on."""

    def __init__(self, host, port):
        self.target, self.frozen = (host, port), threading.Event()
        self.ended, self.pairs = False, []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended:
            if self.frozen.is_set():
                # The kernel goes on accepting; nobody answers.
                time.sleep(0.02)
                continue
            peers = {a: b for pair in self.pairs for a, b in
                     (pair, pair[::-1])}
            ready, _, _ = select.select([self.listener, *peers], [], [],
                                        0.02)
            for s in ready:
                if s is self.listener:
                    a, b = s.accept()[0], socket.create_connection(self.target)
                    self.pairs.append((a, b))
                elif s in peers:
                    self.relay(s, peers[s])

    def relay(self, a, b):
        try:
            data = a.recv(65536)
            if data:
                b.sendall(data)
                return
        except OSError:
            pass
        self.pairs = [p for p in self.pairs if a not in p]
        a.close()
        b.close()

    def end(self):
        self.ended = True
        self.thread.join()
        for s in [self.listener] + [s for p in self.pairs for s in p]:
            s.close()


def beats(t, api, wanted, limit, what, n=3):
    """n heartbeats in a row."""
    status = 200 if all(wanted.values()) else 503

    def ask():
        r, took = timed(lambda: api('GET', '/__heartbeat__'))
        # What is up may be too late for a heartbeat on a busy machine.
        if (r.status, r.body) != (status, wanted):
            print('#', r.status, r.body)
            took = PATIENCE
        return took, True
    for i in range(n):
        t.within(limit + GRACE, ask, '%s, heartbeat %d' % (what, i + 1))


def answered(api, method, path, wanted):
    """For within(): status and errno of a request, and when to come back."""
    def ask():
        r, took = timed(lambda: api(method, path, user=USER))
        right = r.error[:2] == wanted and (
            wanted[0] != 503 or r.headers.get('retry-after') == '7')
        if not right:
            print('#', r.error, r.headers)
        return took, right
    return ask


def back(api):
    return wait_for(lambda: api('GET', '/buckets/b', user=USER).status == 200
                    and api('GET', '/__heartbeat__').status == 200)


def begin(t, api, what):
    """The limits are short: a busy machine may be too late for some."""
    t.ok(wait_for(lambda: api('PUT', '/buckets/b', user=USER).status in
                  (200, 201)) and
         wait_for(lambda: api('GET', '/__heartbeat__').body == up()),
         what + ': all is well')


def is_back(t, api, what):
    t.ok(back(api), what)


def up(*down):
    return {name: name not in down for name in
            ('storage', 'permission', 'cache')}


def postgresql(t):
    port = int(os.environ['CLQ_PG_PORT'])
    proxy = Proxy('127.0.0.1', port)
    tcp = os.environ['CLQ_PG_TCP_URL']
    assert ':%d/' % port in tcp
    via = tcp.replace(':%d/' % port, ':%d/' % proxy.port)
    ini = t.ini(use='kinto', userid_hmac_secret='x',
                storage_backend='postgresql', storage_url=tcp,
                permission_backend='postgresql', permission_url=tcp)
    subprocess.run([CLIQUET, '-q', '--ini', ini, 'migrate'],
                   check=True)
    values = {'multiauth.policies': 'basicauth'}
    s, api = start_kinto(
        t, storage_backend='postgresql', storage_url=via,
        permission_backend='postgresql', permission_url=via,
        storage_statement_timeout_seconds=1, heartbeat_timeout_seconds=1,
        storage_connect_timeout_seconds=1, retry_after_seconds=7, **values)
    begin(t, api, 'PostgreSQL')
    proxy.frozen.set()
    beats(t, api, up('storage', 'permission'), 1,
          'a database that swallows everything is down')
    bucket = answered(api, 'GET', '/buckets/b', (503, 201))
    t.within(1 + GRACE, bucket, 'a request on a new connection: 503')
    proxy.frozen.clear()
    is_back(t, api, 'it answers again: all is well by itself')

    def old():
        proxy.frozen.clear()
        was_back = back(api)
        proxy.frozen.set()
        answers = [bucket() for _ in range(3)]
        return max(took for took, _ in answers), \
            was_back and all(right for _, right in answers)
    t.within(3 + GRACE, old, 'a request on an old connection: 503')
    proxy.frozen.clear()
    is_back(t, api, 'and again')
    t.equal(s.text().count('died') + s.text().count('ended'), 0,
            'no worker was lost')
    s.stop()
    proxy.end()


def memcached(t):
    program = shutil.which('memcached')
    if program is None:
        t.skip('memcached hangs', 'no memcached')
        return
    port = free_port()
    argv = [program, '-l', '127.0.0.1', '-p', str(port), '-U', '0']
    if os.getuid() == 0:
        argv += ['-u', 'nobody']
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    t.procs.append(p)
    s, api = start_kinto(
        t, cache_backend='memcached', cache_hosts='127.0.0.1:%d' % port,
        heartbeat_timeout_seconds=1, retry_after_seconds=7,
        **{'multiauth.policies': 'basicauth'})
    begin(t, api, 'memcached')
    freeze(p.pid)
    beats(t, api, up('cache'), 1, 'memcached is stopped: the cache is down')
    t.within(1 + GRACE, answered(api, 'GET', '/buckets/b', (200, None)),
             'what needs no cache is served')
    p.send_signal(signal.SIGCONT)
    is_back(t, api, 'it goes on: all is well')
    s.stop()


def migrations(t):
    """One at a time: the next waits a moment for the first, not for ever."""
    url = os.environ['CLQ_PG_TCP_URL']
    ini = t.ini(use='kinto', userid_hmac_secret='x',
                storage_backend='postgresql', storage_url=url,
                permission_backend='postgresql', permission_url=url)
    for seconds, wanted in (1, 0), (600, 1):
        other = subprocess.Popen(os.environ['PSQL'].split() + [
            '-d', 'clq', '-At',
            '-c', "SELECT pg_advisory_lock(hashtext('cliquet migrate'))",
            '-c', "SELECT 'locked'", '-c', 'SELECT pg_sleep(%d)' % seconds],
            stdout=subprocess.PIPE)
        other.stdout.readline()         # the lock's empty line

        def migrate():
            (code, out), took = timed(lambda: t.run([CLIQUET, '--ini', ini,
                                                     'migrate']))
            return took, code == wanted and (
                'another migration is running' in out) == (wanted != 0)
        t.within(20, migrate, 'while another migration lasts %d s' % seconds)
        other.kill()
        other.wait()


def sqlite(t):
    path = t.path('locked.sqlite')
    s, api = start_kinto(
        t, storage_backend='sqlite', storage_url=path,
        permission_backend='sqlite', permission_url=path,
        heartbeat_timeout_seconds=1, sqlite_busy_timeout=1000,
        retry_after_seconds=7, **{'multiauth.policies': 'basicauth'})
    begin(t, api, 'SQLite')
    db = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)
    db.execute('BEGIN IMMEDIATE')
    beats(t, api, up('storage', 'permission'), 1,
          'somebody holds the lock: storage is down for writing')
    t.within(1 + GRACE, answered(api, 'PUT', '/buckets/c', (503, 201)),
             'a write: 503')
    t.equal(api('GET', '/buckets/b', user=USER).status, 200, 'reads go on')
    db.execute('ROLLBACK')
    db.close()
    is_back(t, api, 'the lock is free: all is well')
    s.stop()


with Test() as t:
    if 'CLQ_PG_URL' in os.environ:
        postgresql(t)
        migrations(t)
    else:
        t.skip('PostgreSQL hangs', 'no PostgreSQL')
    memcached(t)
    sqlite(t)
