# SPDX-License-Identifier: Apache-2.0
"""Each operation against its ceilings: all.py FOLDER BUILD [OPTION...].

Rows are operations, on each storage, through nginx and over the socket. For
every row and round the server and its ceilings are measured right after each
other, so that what else the machine does meets all of them; figures are
medians of the rounds.
"""
import argparse
import base64
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time

import peer
from stack import Stack, children, cpu, memory

AUTH = 'Authorization: Basic ' + base64.b64encode(b'bench:mark').decode()
JSON = 'Content-Type: application/json'
LIST = '/v1/buckets/bench/collections/list/records'
MILLION = '/v1/buckets/bench/collections/million/records'
SHOP = '/v1/buckets/bench/collections/shop/records'
DOC = '{"n":{n},"title":"record number {N}","done":true}'
DATA = '{"data":%s}' % DOC


def batch(method, path, body=DATA, n=25):
    requests = ['{"path":"%s"%s}' % (path[3:], ',"body":%s' % body if body
                                     else '')] * n
    return '{"defaults":{"method":"%s"},"requests":[%s]}' % (
        method, ','.join(requests))


def one(method, uri, body='', headers=(), weight=1):
    return (weight, method, uri, [AUTH, JSON, *headers], body)


def mixed():
    """The frequencies of Cliquet's own load test."""
    shop = SHOP + '/s{r}'
    return [
        one('POST', SHOP, DATA, weight=20),
        one('PUT', SHOP + '/p{n}', DATA, weight=20),
        one('POST', '/v1/batch', batch('POST', SHOP), weight=50),
        one('POST', '/v1/batch', batch('PUT', SHOP + '/b{n}'), weight=50),
        one('POST', '/v1/batch', batch('PUT', shop), weight=50),
        one('POST', '/v1/batch', batch('PUT', shop), weight=50),
        one('PUT', shop, DATA, weight=50),
        one('GET', SHOP + '?done=true&_sort=title&_limit=20', weight=60),
        one('PUT', SHOP + '/d{n}', DATA, weight=10),
        one('POST', '/v1/batch', batch('PUT', SHOP + '/d{n}'), weight=10),
        one('GET', SHOP + '?_since=%22{since}%22&_limit=100', weight=90),
        one('GET', SHOP + '?_since=0&deleted=true&_limit=100', weight=40),
        one('POST', '/v1/batch', batch('HEAD', SHOP, '', 5), weight=50),
        one('GET', SHOP + '?_limit=20', weight=80),
    ]


# name, templates, and the query of the responder that is its ceiling
OPERATIONS = [
    ('hello', [(1, 'GET', '/v1/', [], '')], 'hello'),
    ('heartbeat', [(1, 'GET', '/v1/__heartbeat__', [], '')], 'hello'),
    ('GET', [one('GET', LIST + '/r{r}')], 'get'),
    ('GET 304', [one('GET', LIST + '/r1', headers=(
        'If-None-Match: {etag}',))], 'hello'),
    ('list of 100', [one('GET', LIST + '?_limit=100')], 'list'),
    ('filter + sort in 10^4', [one('GET', LIST +
     '?group=g7&_sort=title&_limit=100')], None),
    ('filter + sort in 10^6', [one('GET', MILLION +
     '?group=g7&_sort=title&_limit=100')], None),
    ('poll, no change', [one('GET', LIST + '?_since={etag}')], None),
    ('POST', [one('POST', SHOP, DATA)], 'post'),
    ('PUT', [one('PUT', LIST + '/r{r}', DATA)], None),
    ('PATCH', [one('PATCH', LIST + '/r{r}', '{"data":{"a":{n}}}')], None),
    ('DELETE', [one('DELETE', LIST + '/x{n}')], None),
    ('batch of 25', [one('POST', '/v1/batch', batch('POST', SHOP))], None),
    ('mixed', mixed(), None),
]
# More ceilings, for goals of report.py.
MORE = {('sqlite', 'GET'): 'hello'}


class Server:
    """One storage with its server and its ceilings."""

    def __init__(self, stack, storage, url, database, options, **settings):
        self.stack, self.storage, self.database = stack, storage, database
        self.options, self.first, self.deleted = options, 1, 0
        self.process, self.address = stack.cliquetd(
            storage, storage_backend=storage, storage_url=url, **settings)
        self.addresses = {storage: self.address}
        self.parts = {'cliquetd': [self.process.pid]}
        self.pg = int(os.environ.get('CLQ_BENCH_POSTGRES', 0))
        if storage == 'postgresql' and self.pg:
            self.parts['postgres'] = [self.pg]
        self.fill()
        for query in ('hello', 'get', 'list', 'post'):
            p, self.addresses['c_' + query] = stack.respond(
                '%s-%s' % (storage, query), query, database)
            self.parts.setdefault('responder', []).append(p.pid)

    def workers(self):
        """Without the process that keeps their connections."""
        out = []
        for pid in children(self.process.pid):
            with open('/proc/%d/comm' % pid) as f:
                if f.read().strip() != 'cliquetd-keeper':
                    out.append(pid)
        return out

    def ask(self, *template):
        return self.stack.measure('-F', self.address, [one(*template)], n=1,
                                  c=1)

    def fill(self):
        """A list of 10^4 through the protocol, one of `million` by SQL."""
        for path in ('bench', 'bench/collections/list',
                     'bench/collections/million', 'bench/collections/shop'):
            self.ask('PUT', '/v1/buckets/' + path)
        doc = ('{"n":{N},"group":"g7","title":"record {N}","done":true}')
        for path, n in ((LIST + '/r{n}', 400), (LIST + '/x{n}', 400),
                        (SHOP + '/s{n}', 400)):
            r = self.stack.measure('-F', self.address, [one(
                'POST', '/v1/batch', batch('PUT', path,
                                           '{"data":%s}' % doc))],
                c=1, n=n, t=60)
            if r['errors']:
                raise SystemExit('filling failed')
        self.million()

    def million(self):
        n, parent = self.options.million, '/buckets/bench/collections/million'
        if self.storage == 'sqlite':
            db = sqlite3.connect(self.database)
            db.executescript('''
                INSERT INTO objects (resource, parent, id, last_modified,
                    deleted, data)
                WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL
                    SELECT i + 1 FROM s WHERE i < %d)
                SELECT 'record', '%s', 'm' || i, 1600000000000 + i, 0,
                    '{"n":' || i || ',"group":"g' || (i %% 1000) ||
                    '","title":"record number ' || i || '"}' FROM s;
                INSERT OR REPLACE INTO timestamps VALUES
                    ('record', '%s', 1600000000000 + %d);''' % (
                n, parent, parent, n))
            db.close()
            return
        subprocess.run(os.environ['PSQL'].split() + ['-d', 'clq', '-c', '''
            SET cliquet.clock = 'on';
            INSERT INTO objects (id, parent_id, resource_name, last_modified,
                data, deleted)
            SELECT 'm' || i, '%s', 'record', timestamp '2020-09-13' +
                i * interval '1 ms', jsonb_build_object('n', i, 'group',
                'g' || (i %% 1000), 'title', 'record number ' || i), FALSE
            FROM generate_series(1, %d) AS i''' % (parent, n),
            '-c', 'VACUUM ANALYZE'], check=True, stdout=subprocess.DEVNULL)

    def etag(self):
        """The list's timestamp, from the database of the load."""
        if self.storage == 'sqlite':
            db = sqlite3.connect(self.database)
            t = db.execute("SELECT last_modified FROM timestamps WHERE parent"
                           " = '/buckets/bench/collections/list'").fetchone()
            db.close()
            return int(t[0])
        out = subprocess.run(os.environ['PSQL'].split() + [
            '-d', 'clq', '-At', '-c', 'SELECT as_epoch(last_modified) FROM'
            " timestamps WHERE parent_id = '/buckets/bench/collections/list'"
            " AND resource_name = 'record'"], check=True,
            stdout=subprocess.PIPE, text=True).stdout
        return int(out)

    def templates(self, templates):
        etag = '"%d"' % self.etag()
        return [(w, m, u.replace('{etag}', '%22' + etag[1:-1] + '%22')
                 .replace('{since}', etag[1:-1]),
                 [h.replace('{etag}', etag) for h in headers], b)
                for w, m, u, headers, b in templates]

    def run(self, how, address, name, templates):
        """One measurement, with the CPU of the parts."""
        o = self.options
        # each can be deleted once
        limit = 10 ** 4 // (2 * o.rounds) if name == 'DELETE' else 0
        first = self.deleted if limit else self.first
        before = {k: cpu(v) for k, v in self.parts.items()}
        r = self.stack.measure(how, address, templates, c=o.clients,
                               t=o.seconds, n=limit, first=first)
        self.deleted += limit
        self.first = max(self.first, r['next'] + 1)
        r['cpu'] = {k: (cpu(v) - before[k]) / max(1, r['requests']) * 1e6
                    for k, v in self.parts.items()}
        return r


def median(results):
    keys = ('rate', 'p50', 'p99')
    out = {k: statistics.median(r[k] for r in results) for k in keys}
    out['errors'] = sum(r['errors'] for r in results)
    out['requests'] = sum(r['requests'] for r in results)
    out['cpu'] = {k: statistics.median(r['cpu'][k] for r in results)
                  for k in results[0]['cpu']}
    return out


def measure_row(server, way, ports, op):
    """Rounds of one operation and its ceilings, interleaved."""
    name, templates, ceiling = op
    targets = {server.storage: server.templates(templates)}
    for c in {ceiling, MORE.get((server.storage, name))}:
        if c is not None:
            targets['c_' + c] = targets[server.storage]
    if way == 'nginx' and name == 'hello':
        targets['nginx'] = targets[server.storage]
    if way == 'nginx' and name in peer.OPERATIONS and 'kinto' in ports:
        targets['kinto'] = targets[server.storage]
    got = {k: [] for k in targets}
    for i in range(server.options.rounds):
        if i > 0 and time.monotonic() > server.options.until:
            break
        for key, t in targets.items():
            where = ports[key] if way == 'nginx' else server.addresses[key]
            got[key].append(server.run('-H' if way == 'nginx' else '-F',
                                       where, name, t))
    return {k: median(v) for k, v in got.items()}


def loops(server):
    """The query alone, without any server."""
    o, out = server.options, {}
    for query in ('get', 'list', 'post'):
        rates = [float(subprocess.run(
            [server.stack.responder, 'loop', str(o.seconds), '2', query,
             server.database], check=True, stdout=subprocess.PIPE).stdout)
            for _ in range(o.rounds)]
        out[query] = statistics.median(rates)
    return out


def crowd(server, url):
    """1,000 that are silent and 256 that are busy, through nginx to four
    workers."""
    p, address = server.stack.cliquetd(
        'crowd-' + server.storage, workers=4,
        storage_backend=server.storage, storage_url=url)
    nginx, ports = server.stack.nginx({'crowd': address})
    r = server.stack.measure('-H', ports['crowd'],
                             [one('GET', LIST + '/r{r}')], c=256, idle=1000,
                             t=server.options.seconds * 3)
    server.stack.end(nginx)
    server.stack.end(p)
    return r


def endure(server, workers):
    """What many requests leave behind in a worker."""
    before = [memory(p) for p in workers]
    r = server.stack.measure('-F', server.address, [one('GET', LIST +
                             '/r{r}')], n=server.options.endure, t=180)
    after = [memory(p) for p in workers]
    return {'requests': r['requests'], 'errors': r['errors'],
            'before': before, 'after': after}


def starts(server, url):
    """Milliseconds from the start of the server to its first answer, and of
    CPU for it."""
    wall, used = [], []
    for _ in range(server.options.rounds):
        p = server.stack.cliquetd('start', storage_backend=server.storage,
                                  storage_url=url)[0]
        wall.append(p.ready_after * 1000)
        used.append(p.ready_cpu * 1000)
        server.stack.end(p)
    return {'wall': statistics.median(wall), 'cpu': statistics.median(used)}


def create(stack):
    return lambda front, path: stack.measure('-H', front, [one('PUT', path)],
                                             n=1, c=1, t=30)


def measure_storage(stack, storage, url, database, options, **settings):
    server = Server(stack, storage, url, database, options, **settings)
    addresses = {**server.addresses, 'nginx': None}
    kinto = None
    if options.kinto:
        kinto = peer.Kinto(stack, options.kinto, create(stack))
        server.parts['kinto'] = [kinto.process.pid]
        addresses['kinto'] = kinto.address
    nginx, ports = stack.nginx(addresses)
    if kinto is not None:
        kinto.fill(ports['kinto'])
    server.parts['nginx'] = [nginx.pid]
    result = {'storage': storage, 'starts': starts(server, url), 'rows': [],
              'million': options.million}
    workers = server.workers()
    result['memory_before'] = [memory(p) for p in workers]
    for op in OPERATIONS:
        for way in ('nginx', 'socket'):
            row = measure_row(server, way, ports, op)
            result['rows'].append({'name': op[0], 'way': way, **{
                'of': row.pop(storage), 'ceilings': row}})
            mine = result['rows'][-1]['of']
            print('bench: %-10s %-22s %-6s %8.0f/s p99 %6.0f us %d errors' % (
                storage, op[0], way, mine['rate'], mine['p99'],
                mine['errors']), file=sys.stderr, flush=True)
    result['loops'] = loops(server)
    result['memory'] = [memory(p) for p in workers]
    if kinto is not None:
        result['kinto_memory'] = [memory(p) for p in kinto.workers()]
    result['endured'] = endure(server, workers)
    stack.end(nginx)
    result['crowd'] = crowd(server, url)
    return result


def main():
    p = argparse.ArgumentParser()
    p.add_argument('folder')
    p.add_argument('build')
    p.add_argument('--storage', default='sqlite')
    p.add_argument('--seconds', type=float, default=1.0)
    p.add_argument('--rounds', type=int, default=5)
    p.add_argument('--million', type=int, default=10 ** 6)
    p.add_argument('--clients', type=int, default=16)
    p.add_argument('--endure', type=int, default=10 ** 6)
    p.add_argument('--kinto', default='', help='its virtual environment')
    p.add_argument('--budget', type=int, default=420,
                   help='seconds after which there is one round of each')
    p.add_argument('--out', required=True)
    o = p.parse_args()
    o.until = time.monotonic() + o.budget
    with Stack(o.folder, o.build) as stack:
        if o.storage == 'sqlite':
            path = stack.path('bench.db')
            result = measure_storage(stack, 'sqlite', 'sqlite:///' + path,
                                     path, o)
        else:
            url = os.environ['CLQ_PG_URL']
            result = measure_storage(stack, 'postgresql', url, url, o)
    with open(o.out, 'w') as f:
        json.dump(result, f)


if __name__ == '__main__':
    main()
