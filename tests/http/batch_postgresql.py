# SPDX-License-Identifier: Apache-2.0
"""Batches and lists on PostgreSQL: a small number of round trips, whatever they
hold, and no look-up that goes through a list.

Between cliquetd and the server stands a proxy that counts the packets that
wait for an answer (Sync messages of the protocol).
"""
import base64
import contextlib
import json
import os
import socket
import struct
import subprocess
import threading

import fcgi
from api import Api, answering
from harness import Test, wait_for

AUTH = ('Authorization', 'Basic ' + base64.b64encode(b'me:me').decode())
OTHER = ('Authorization', 'Basic ' + base64.b64encode(b'he:he').decode())
RECORDS = '/buckets/b/collections/c/records'


class Proxy:
    """One port for another; counts what a client waits for."""

    def __init__(self, port):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port, self.trips = self.listener.getsockname()[1], 0
        self.to = port
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(('127.0.0.1', self.to))
            for f, *args in ((self.pump, server, client),
                             (self.requests, client, server)):
                threading.Thread(target=f, args=args, daemon=True).start()

    @staticmethod
    def pump(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        b.close()

    def requests(self, client, server):
        """Messages: a start-up one, or two; then type, length, content."""
        buf, started = b'', False
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                buf += data
                while len(buf) >= 5:
                    if not started:
                        size, code = struct.unpack('>II', buf[:8])
                        started = code >> 16 == 3
                    else:
                        size = 1 + struct.unpack('>I', buf[1:5])[0]
                    if len(buf) < size:
                        break
                    self.trips += started and buf[:1] == b'S'
                    buf = buf[size:]
                server.sendall(data)    # what is answered has been counted
        server.close()


def sql(text):
    out = subprocess.run(os.environ['PSQL'].split() +
                         ['-d', 'clq', '-At', '-c', text],
                         stdout=subprocess.PIPE, check=True)
    return out.stdout.decode().strip()


class Client:
    def __init__(self, t, server, proxy):
        self.t, self.server, self.proxy = t, server, proxy
        self.conn = fcgi.Conn(server.address)

    def end(self):
        self.conn.close()
        self.server.stop()

    def send(self, method, path, body=None, auth=AUTH):
        r = self.conn.request(method, '/v1' + path, [
            auth, ('Content-Type', 'application/json')],
            json.dumps(body).encode() if body is not None else b'')
        return r.status, r.json()

    def batch(self, most, what, requests, statuses, **defaults):
        """A batch that must answer so, with at most that many trips."""
        before = self.proxy.trips
        status, answer = self.send('POST', '/batch', {
            'defaults': defaults, 'requests': requests})
        trips = self.proxy.trips - before
        got = [r['status'] for r in answer.get('responses', [])]
        if status != 200 or got != statuses:
            self.t.equal((status, got), (200, statuses), what)
            print('#', str(answer)[:500])
        elif not self.t.ok(trips <= most, '%s: %d round trips' % (
                what, trips)):
            print('# at most', most)
        return answer


def batches(c):
    ids = ['%s/r%d' % (RECORDS, i) for i in range(25)]
    paths = [{'path': p} for p in ids]
    data = {'data': {'a': 1}}
    c.batch(2, 'PUT 25 new', paths, [201] * 25, method='PUT', body=data)
    c.batch(2, 'PUT 25 old', paths, [200] * 25, method='PUT', body=data)
    c.batch(2, 'PATCH 25', paths, [200] * 25, method='PATCH', body=data)
    c.batch(1, 'GET 25', paths, [200] * 25, method='GET')
    c.batch(2, 'POST 25', [{'path': RECORDS}] * 25, [201] * 25,
            method='POST', body=data)
    c.batch(2, 'POST 25 with ids', [{'path': RECORDS, 'body': {
        'data': {'id': 'n%d' % i}}} for i in range(25)], [201] * 25,
        method='POST')
    c.batch(2, 'DELETE 25', paths, [200] * 25, method='DELETE')
    c.batch(2, 'GET 25 that are gone', paths, [404] * 25, method='GET')
    c.batch(3, '25 mixed', [{'path': p, 'method': m} for p, m in zip(
        ids, ['PUT', 'DELETE', 'PATCH'] * 9)],
        ([201, 404, 404] * 9)[:25], body=data)
    c.batch(5, '25 of which one in two is refused',
            [{'path': p, 'headers': {'If-None-Match': '*'}}
             for p in ids[1:2] + ids[:24]],
            [201] + [412 if i % 3 == 0 or i == 1 else 201
                     for i in range(24)], method='PUT', body=data)
    c.batch(9, 'bucket, collection and 23 records', [
        {'path': '/buckets/n'}, {'path': '/buckets/n/collections/c'}] + [
        {'path': '/buckets/n/collections/c/records/%d' % i}
        for i in range(23)], [201] * 25, method='PUT')
    c.batch(12, '25 in a new collection of the default bucket', [
        {'path': '/buckets/default/collections/c/records/%d' % i}
        for i in range(25)], [201] * 25, method='PUT')
    c.batch(3, '25 in the default bucket', [
        {'path': '/buckets/default/collections/c/records/x%d' % i}
        for i in range(25)], [201] * 25, method='PUT')


def correct(c):
    """What one part does, the next ones see."""
    one = RECORDS + '/one'
    grant = {'permissions': {'write': ['system.Everyone']}}
    a = c.batch(20, 'a record through its life', [
        {'method': 'PUT', 'path': one, 'body': {'data': {'a': 1}}},
        {'method': 'GET', 'path': one},
        {'method': 'PATCH', 'path': one, 'body': {'data': {'b': 2}}},
        {'method': 'GET', 'path': one},
        {'method': 'DELETE', 'path': one},
        {'method': 'GET', 'path': one},
        {'method': 'PUT', 'path': one, 'body': grant},
        {'method': 'GET', 'path': one},
    ], [201, 200, 200, 200, 200, 404, 201, 200])['responses']
    c.t.equal([x['body']['data'].get('b') for x in (a[1], a[3], a[7])],
              [None, 2, None], '... each sees what was before it')
    c.t.ok('system.Everyone' in a[7]['body']['permissions']['write'] and
           'system.Everyone' not in a[1]['body']['permissions']['write'],
           '... and its permissions')
    c.t.equal(a[4]['body']['data']['deleted'], True, '... and its end')
    c.batch(20, 'a collection goes with its records', [
        {'method': 'PUT', 'path': '/buckets/b/collections/d'},
        {'method': 'PUT', 'path': '/buckets/b/collections/d/records/x'},
        {'method': 'DELETE', 'path': '/buckets/b/collections/d'},
        {'method': 'PUT', 'path': '/buckets/b/collections/d/records/y'},
        {'method': 'PUT', 'path': '/buckets/b/collections/d'},
        {'method': 'GET', 'path': '/buckets/b/collections/d/records/x'},
    ], [201, 201, 200, 404, 201, 404])


def lists(c):
    """A list comes with the look-up, if nothing else has to be known."""
    path = '/buckets/l/collections/c/records'
    for p in ('/buckets/l', '/buckets/l/collections/c'):
        c.send('PUT', p)
    for i in range(0, 200, 25):
        c.send('POST', '/batch', {'defaults': {'method': 'PUT'}, 'requests': [
            {'path': '%s/%d' % (path, j), 'body': {'data': {'n': j}}}
            for j in range(i, i + 25)]})
    newest = c.send('GET', path + '?_limit=1')[1]['data'][0]['last_modified']

    def get(most, what, query, n, **more):
        before = c.proxy.trips
        status, answer = c.send('GET', path + query, **more)
        trips = c.proxy.trips - before
        got = answer['data'] if status == 200 else status
        if status != 200 or len(got) != n or \
                len({r['id'] for r in got}) != n:
            c.t.equal(got, n, what)
        else:
            c.t.ok(trips == most, '%s: %d round trips' % (what, trips))

    get(1, 'a page of 100', '?_limit=100', 100)
    get(1, 'a poll that finds nothing', '?_since="%d"' % newest, 0)
    get(1, 'one that finds some', '?_since="%d"' % (newest - 1), 1)
    get(2, 'a list longer than what is read in vain', '', 200)
    get(2, 'a sort that looks at all', '?_sort=n&_limit=10', 10)
    get(2, 'a filter that looks at all', '?min_n=190', 10)
    c.send('PATCH', path + '/7', {'permissions': {'read': [
        'system.Everyone']}})
    get(3, 'what a stranger may see of it', '?_limit=5', 1, auth=OTHER)
    c.t.equal(c.send('GET', path + '?_limit=x', auth=OTHER)[0], 400,
              'a bad parameter where something may be seen')
    c.t.equal([c.send('GET', '/buckets/l/groups' + q, auth=OTHER)[0]
               for q in ('?_limit=5', '?_limit=x')], [403, 403],
              'none of a list that a stranger may not see')


BIG = '/buckets/b/collections/big'
READ = ("SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)"
        " FROM pg_stat_user_tables WHERE relname IN"
        " ('objects', 'access_control_entries')")


def fill(c):
    c.send('PUT', BIG)
    for i in range(0, 1000, 25):
        c.send('POST', '/batch', {'defaults': {'method': 'PUT'}, 'requests': [
            {'path': '%s/records/%d' % (BIG, j)} for j in range(i, i + 25)]})


def gone():
    """Sessions have counted what they read when they have ended."""
    return sql("SELECT count(*) FROM pg_stat_activity WHERE"
               " application_name = 'cliquet'") == '0'


def indexes(c):
    """autovacuum is off: the planner knows nothing of what was filled in."""
    for i in range(0, 1000, 50):
        c.send('GET', '%s/records/%d' % (BIG, i))
        c.send('PATCH', '%s/records/%d' % (BIG, i), {'data': {'b': 1}})


def main():
    with Test() as t:
        proxy = Proxy(int(os.environ['CLQ_PG_PORT']))
        url = 'postgresql://clq@127.0.0.1:%d/clq' % proxy.port
        more = dict(use='kinto', includes='default_bucket',
                    storage_backend='postgresql', storage_url=url,
                    permission_backend=None, **{
                        'multiauth.policies': 'basicauth'},
                    userid_hmac_secret='x', workers=1, log_level='warning')
        ini = t.ini(**more)
        cliquet = os.path.join(os.path.dirname(os.environ['CLIQUETD']),
                               'cliquet')
        status, out = t.run([cliquet, 'migrate', '--ini', ini])
        if not t.equal(status, 0, 'migrate'):
            print('#', out)
            return

        def client():
            return Client(t, answering(Api(t.start(ready=False, **more)))
                          .server, proxy)
        c = client()
        c.send('PUT', '/buckets/b')
        c.send('PUT', '/buckets/b/collections/c')
        batches(c)
        correct(c)
        lists(c)
        fill(c)
        c.end()
        wait_for(gone, 60)
        sql('SELECT pg_stat_reset()')
        c = client()
        indexes(c)
        c.end()
        wait_for(gone, 60)
        wait_for(lambda: int(sql(READ)) >= 40, 30)
        n = int(sql(READ))
        t.ok(40 <= n < 3000, '40 look-ups in a list of 1000 read %d rows' % n)


main()
