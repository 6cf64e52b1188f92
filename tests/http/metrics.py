# SPDX-License-Identifier: Apache-2.0
"""Metrics: /__metrics__ over several workers, and StatsD (section 07-8)."""
import base64
import collections
import contextlib
import os
import re
import signal
import socket
import threading
import time

import fcgi
from harness import PATIENCE, Test, free_port, timed, wait_for

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

METRICS = os.environ['CLQ_TEST_METRICS']
LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')
KINTO = dict(use='kinto', includes='prometheus', project_version=None,
             userid_hmac_secret='x', storage_backend='memory',
             permission_backend='memory', cache_backend='memory',
             log_level='info', **{'multiauth.policies': 'basicauth'})


class Samples:
    """A scrape: {(name, labels): number}."""

    def __init__(self, text):
        self.text = text
        self.all = {}
        self.types = {}
        for line in text.splitlines():
            if line.startswith('# TYPE '):
                _, _, name, kind = line.split(' ')
                assert name not in self.types, 'twice: ' + line
                self.types[name] = kind
            if line.startswith('#'):
                continue
            name, labels, value = LINE.match(line).groups()
            pairs = LABEL.findall(labels or '')
            assert ','.join('%s="%s"' % p for p in pairs) == (labels or '')
            key = name, frozenset(pairs)
            assert key not in self.all, 'twice: ' + line
            self.all[key] = float(value)

    def sum(self, name, **labels):
        wanted = set(labels.items())
        return sum(v for (n, l), v in self.all.items()
                   if n == name and wanted <= l)

    def has(self, name, **labels):
        return any(n == name and set(labels.items()) <= l
                   for n, l in self.all)

    def counters(self):
        return {(n, l): v for (n, l), v in self.all.items()
                if re.search('_(total|count|sum|bucket)$', n)}


def user(name):
    return ('Authorization', 'Basic ' + base64.b64encode(
        name.encode() + b':x').decode())


def scrape(s):
    r = fcgi.request(s.address, 'GET', '/v1/__metrics__')
    assert r.status == 200, r.status
    return Samples(r.body.decode())


def start(t, **settings):
    s = t.start(ready=False, **{**KINTO, **settings})

    def up():
        with contextlib.suppress(OSError, fcgi.Closed):
            return fcgi.request(s.address, 'GET', '/v1/__lbheartbeat__',
                                timeout=10).status == 200
    wait_for(up)
    return s


def settle(s, was, want):
    """After a reload: until only `want` new workers are left."""
    return wait_for(lambda: len(s.workers()) == want and
                    not set(was) & set(s.workers()))


def observed(t):
    """What a request leaves."""
    s = start(t, workers=1, includes='history kinto.plugins.prometheus')
    ask = lambda m, u, b=b'', who='bob': fcgi.request(
        s.address, m, '/v1' + u, [user(who)] +
        ([('Content-Type', 'application/json')] if b else []), b)
    t.equal(ask('PUT', '/buckets/b').status, 201, 'a bucket')
    ask('PUT', '/buckets/b/collections/c')
    ask('PUT', '/buckets/b/collections/c/records/r', b'{"data":{"a":1}}')
    ask('GET', '/buckets/b/collections/c/records/r')
    ask('GET', '/buckets/b/collections/c/records/none')
    ask('GET', '/nothing')
    ask('POST', '/batch', b'{"requests":[{"path":"/buckets/b"},'
        b'{"path":"/buckets/b/collections"}]}')
    r = s.get('/v1/__metrics__')
    t.equal((r.status, r.headers['content-type']), (
        200, 'text/plain; version=0.0.4; charset=utf-8'), 'the endpoint')
    m = Samples(r.body.decode())
    record = dict(method='get', endpoint='record-object', bucket_id='b',
                  collection_id='c', record_id='r', group_id='')
    t.equal(m.sum('kinto_request_summary_total', status='200', **record), 1,
            'request_summary with ids of the route')
    t.equal(m.sum('kinto_request_summary_total', status='404',
                  endpoint='record-object', record_id='', bucket_id=''), 1,
            'no ids where there was an error')
    t.equal(m.sum('kinto_request_summary_total', status='404',
                  endpoint='unknown'), 1, 'unknown paths')
    t.equal([m.sum('kinto_request_summary_total', endpoint=e) for e in (
        'batch', 'bucket-object', 'collection-plural')], [1, 2, 1],
        'requests of a batch')
    t.equal(m.sum('kinto_request_duration_seconds_count', **record), 1,
            'request_duration_seconds')
    t.ok(0 < m.sum('kinto_request_duration_seconds_sum', **record) < PATIENCE,
         'in seconds')
    t.equal(m.sum('kinto_request_duration_seconds_bucket', le='+Inf',
                  **record), 1, 'buckets')
    t.equal(sorted({dict(l)['le'] for n, l in m.all
                    if n == 'kinto_request_duration_seconds_bucket'},
                   key=float),
            ['0.01', '0.05', '0.1', '0.5', '1.0', '3.0', '6.0', '+Inf'],
            'default buckets')
    size = len(ask('GET', '/buckets/b/collections/c/records/r').body)
    t.equal(m.sum('kinto_request_size_sum', **record), size, 'request_size')
    t.equal(m.sum('kinto_users_total', auth='basicauth'),
            m.sum('kinto_authentication_total', type='basicauth'),
            'users and authentication')
    t.ok(m.sum('kinto_users_total', auth='basicauth') >= 7, 'of everybody')
    t.ok(m.sum('kinto_backend_storage_seconds_count', method='lookup') >= 5,
         'calls of the storage')
    t.ok(m.has('kinto_backend_storage_seconds_count', method='commit'),
         'transactions')
    t.ok(m.sum('kinto_authentication_basicauth_seconds_count') >= 6,
         'calls of a policy')
    t.equal(m.sum('kinto_plugins_history_seconds_count'), 3,
            'time of history')
    t.ok(m.has('kinto_request_summary_created'), '*_created')
    types = {n: k for n, k in m.types.items() if not n.endswith('_created')}
    t.equal({types.get(n) for n in (
        'kinto_request_summary_total', 'kinto_users_total')}, {'counter'},
        'counters')
    t.equal((types['kinto_request_duration_seconds'],
             types['kinto_request_size']), ('histogram', 'summary'),
            'histograms and summaries')
    hello = s.get('/v1/').json()['capabilities']['prometheus']
    t.equal((hello['prefix'], hello['disabled_metrics']), ('kinto_', []),
            'capability')
    t.equal(s.get('/v1/__metrics__', method='HEAD').status, 200, 'HEAD')
    parsed(t, r.body.decode())
    s.stop()


def parsed(t, text):
    if text_string_to_metric_families is None:
        return t.skip('prometheus_client reads it',
                      'no python3-prometheus-client')
    families = {f.name: f for f in text_string_to_metric_families(text)}
    kinds = collections.Counter(f.type for f in families.values())
    t.ok(kinds['counter'] >= 5 and kinds['histogram'] >= 4 and
         kinds['summary'] == 1, 'prometheus_client reads it')
    bad = []
    for f in families.values():
        if f.type != 'histogram':
            continue
        series = collections.defaultdict(list)
        for x in f.samples:
            if x.name.endswith('_bucket'):
                key = tuple(sorted((k, v) for k, v in x.labels.items()
                                   if k != 'le'))
                series[key].append((float(x.labels['le']), x.value))
        for key, buckets in series.items():
            values = [v for _, v in sorted(buckets)]
            count = [x.value for x in f.samples
                     if x.name.endswith('_count') and
                     tuple(sorted(x.labels.items())) == key]
            if values != sorted(values) or count != values[-1:]:
                bad.append((f.name, key))
    t.equal(bad, [], 'every histogram is one')


def settings(t):
    s = start(t, workers=1, project_name='My-Project', **{
        'prometheus_disabled_metrics': 'myproject_users request_size '
        'backend.storage.seconds', 'prometheus_histogram_buckets': '0.5 2',
        'prometheus_created_metrics_enabled': 'false',
        'metrics_matchdict_fields': 'bucket_id'})
    fcgi.request(s.address, 'PUT', '/v1/buckets/b', [user('bob')])
    m = scrape(s)
    t.equal(m.sum('myproject_request_summary_total', bucket_id='b'), 1,
            'prefix and fields')
    t.ok(not re.search('users|request_size|backend_storage', m.text.replace(
        'metric="', '')), 'disabled metrics')
    t.ok('_created' not in m.text, 'no *_created')
    t.equal({dict(l)['le'] for n, l in m.all if n.endswith('_bucket')},
            {'0.5', '2.0', '+Inf'}, 'buckets')
    s.stop()
    for wrong in (dict(prometheus_histogram_buckets='1 0.5'),
                  dict(prometheus_histogram_buckets='x'),
                  dict(prometheus_prefix='1st'),
                  dict(metrics_matchdict_fields='status'),
                  dict(includes='statsd', statsd_url='http://x'),
                  dict(statsd_url='udp://:1'),
                  dict(statsd_url='udp://127.0.0.1:99999'),
                  dict(statsd_url='udp://127.0.0.1', statsd_backend='my.own')):
        s = t.start(ready=False, **{**KINTO, **wrong})
        key = [k for k in wrong if k != 'includes'][-1]
        t.ok(s.wait() not in (0, None) and key in s.text(),
             'refused: %s = %s' % (key, wrong[key]))


def own(t):
    s = start(t, includes='prometheus ' + METRICS, workers=1,
              prometheus_max_series=3)
    for kind in ('cep', 'cep', 'a"b\\', '%C3%A9', 'x1', 'x2', 'x3'):
        s.get('/v1/eat/' + kind + '?ms=200', method='POST')
    for n in (5, -2):
        s.get('/v1/basket/%d' % n, method='PUT')
    m = scrape(s)
    t.equal(m.sum('kinto_mushrooms_eaten_total', kind='cep'), 2, 'a counter')
    t.equal(m.sum('kinto_mushrooms_eaten_total', kind='a\\"b\\\\'), 1,
            'quotes')
    t.equal(m.sum('kinto_mushrooms_eaten_total', kind='\u00e9'), 1, 'letters')
    t.equal((m.sum('kinto_mushrooms_eaten_total', kind=''),
             m.sum('kinto_mushrooms_eaten_total')), (3, 7),
            'too many series: counted without the label')
    t.equal(m.sum('kinto_metrics_blanked_total',
                  metric='kinto_mushrooms_eaten'), 3, 'and told')
    t.equal((m.sum('kinto_chewing_seconds_bucket', le='0.1'),
             m.sum('kinto_chewing_seconds_bucket', le='0.5'),
             m.sum('kinto_chewing_seconds_sum')), (0, 7, 1.4), 'a timer')
    t.equal((m.sum('kinto_basket'), m.types['kinto_basket']), (-2, 'gauge'),
            'a gauge')
    t.equal((m.sum('kinto_weight_grams_count'),
             m.sum('kinto_weight_grams_sum')), (7, 210), 'a summary')
    t.ok(s.logged('too many series'), 'the log says so')
    s.stop()


class Load:
    """Clients that count the answers they got."""

    def __init__(self, s, n=6):
        self.s, self.stop = s, threading.Event()
        self.lock = threading.Lock()
        self.good = self.bad = 0
        self.threads = [threading.Thread(target=self.run, args=(i,))
                        for i in range(n)]
        for x in self.threads:
            x.start()

    def run(self, i):
        conn = None
        while not self.stop.is_set():
            try:
                conn = conn or fcgi.Conn(self.s.address)
                ok = conn.request('GET', '/v1/buckets/b%d' % i,
                                  [user('u%d' % i)]).status == 403
            except (OSError, fcgi.Closed):
                ok = False
            if not ok and conn:
                conn.close()
                conn = None
            with self.lock:
                self.good += ok
                self.bad += not ok

    def end(self):
        self.stop.set()
        for x in self.threads:
            x.join()


def under_load(t):
    """4 workers that are killed, recycled and replaced."""
    s = start(t, workers=4, max_requests=300)
    load = Load(s)
    before, wrong, scrapes, killed = {}, [], 0, 0
    now = time.monotonic()
    end, latest = now + 6, now + PATIENCE
    # A busy machine gets the time to do enough.
    while now < end or now < latest and not (
            scrapes > 20 and killed > 2 and load.good > 1000):
        now = time.monotonic()
        step = scrapes % 8
        if step == 3:
            with contextlib.suppress(OSError, IndexError):
                os.kill(s.workers()[scrapes % 4], signal.SIGKILL)
                killed += 1
        elif step == 6:
            s.signal(signal.SIGHUP)
        try:
            found = scrape(s).counters()
        except (OSError, fcgi.Closed):
            continue
        finally:
            scrapes += 1
        wrong += [k for k, v in before.items() if found.get(k, -1) < v]
        before = found
        time.sleep(0.05)
    load.end()
    m = scrape(s)
    seen = m.sum('kinto_request_summary_total', endpoint='bucket-object')
    t.ok(scrapes > 20 and killed > 2 and load.good > 1000,
         '%d answers, %d scrapes, %d workers killed' % (
             load.good, scrapes, killed))
    t.equal(wrong[:3], [], 'no counter ever went backwards')
    t.ok(load.good <= seen <= load.good + load.bad,
         'all answers are counted: %d <= %d <= %d' % (
             load.good, seen, load.good + load.bad))
    t.ok(abs(m.sum('kinto_request_duration_seconds_count',
                   endpoint='bucket-object') - seen) <= killed,
         'and timed')
    t.equal(m.sum('kinto_metrics_dropped_total'), 0, 'nothing is dropped')
    s.stop()


def reload_(t):
    s = start(t, workers=2)
    for _ in range(20):
        fcgi.request(s.address, 'GET', '/v1/buckets/b', [user('bob')])
    was = s.all_workers()
    with open(s.ini, 'a') as f:
        f.write('no_such_thing\nworkers = x\n')
    s.signal(signal.SIGHUP)
    t.ok(s.logged('reload: refused'), 'a bad file')
    os.kill(was[0], signal.SIGKILL)
    wait_for(lambda: was[0] not in s.workers() and len(s.workers()) == 2)
    m = scrape(s)
    t.equal(m.sum('kinto_users_total'), 20, 'changes nothing, after a '
            'respawn too')
    was = s.workers()
    t.ini(s.ini, **{**KINTO, 'socket': s.address, 'workers': 2,
                    'metrics_matchdict_fields': 'bucket_id'})
    s.signal(signal.SIGHUP)
    settle(s, was, 2)
    m = scrape(s)
    t.equal(m.sum('kinto_users_total'), 20, 'what is declared as before '
            'goes on')
    t.ok(not m.has('kinto_request_summary_total', record_id=''),
         'other labels: the old series are gone')
    t.equal(m.sum('kinto_request_summary_total', endpoint='bucket-object'),
            0, 'and the new ones start at zero')
    was = s.workers()
    t.ini(s.ini, **{**KINTO, 'socket': s.address, 'workers': 2,
                    'prometheus_memory_bytes': 2000000})
    s.signal(signal.SIGHUP)
    settle(s, was, 2)
    m = scrape(s)
    t.equal(m.sum('kinto_request_summary_total', endpoint='bucket-object'),
            20, 'the old labels again: the old numbers')
    t.ok(s.logged('prometheus_memory_bytes` needs a restart'),
         'memory needs a restart')
    was = s.workers()
    t.ini(s.ini, **{**KINTO, 'socket': s.address, 'workers': 2,
                    'includes': ''})
    s.signal(signal.SIGHUP)
    settle(s, was, 2)
    t.equal(s.get('/v1/__metrics__').status, 404, 'switched off')
    s.stop()


class StatsD:
    def __init__(self, family=socket.AF_INET, host='127.0.0.1', port=0):
        self.s = socket.socket(family, socket.SOCK_DGRAM)
        self.s.bind((host, port))
        self.s.settimeout(0.2)
        self.port = self.s.getsockname()[1]
        self.lines = []

    def read(self):
        with contextlib.suppress(OSError):
            while True:
                self.lines += self.s.recv(65536).decode().split('\n')
        return self.lines

    def wait(self, pattern):
        return wait_for(lambda: any(re.fullmatch(pattern, x)
                                    for x in self.read()))


def statsd(t):
    d = StatsD(port=free_port())
    s = start(t, includes='prometheus ' + METRICS, workers=2,
              statsd_url='udp://127.0.0.1:%d' % d.port)
    fcgi.request(s.address, 'PUT', '/v1/buckets/b', [user('bob')])
    s.get('/v1/eat/a:b%7Cc%0Ad', method='POST')
    s.get('/v1/basket/-7', method='PUT')
    ids = r'bucket_id\.b\.collection_id\.\.group_id\.\.record_id\.'
    for pattern in (
            r'kinto\.request_summary:method\.put\.endpoint\.bucket-object\.' +
            ids + r'\.status\.201\|s',
            r'kinto\.request_duration_seconds\.method\.put\.endpoint\.'
            r'bucket-object\.' + ids + r':[0-9]+\.[0-9]{6}\|ms',
            r'kinto\.request_size:[1-9][0-9]+\|g',
            r'kinto\.users:auth\.basicauth\.userid\.[0-9a-f]+\|s',
            r'kinto\.authentication:type\.basicauth\|s',
            r'kinto\.backend\.storage\.seconds\.method\.lookup:[0-9.]+\|ms',
            r'kinto\.authentication\.basicauth\.seconds\.method\.'
            r'authenticate:[0-9.]+\|ms',
            r'kinto\.mushrooms\.eaten:kind\.ab_c_d\|s',
            r'kinto\.weight_grams:30\|g',
            r'kinto\.basket:-7\|g'):
        t.ok(d.wait(pattern), 'StatsD gets ' + pattern[:60])
    i = d.lines.index('kinto.basket:-7|g')
    t.equal(d.lines[i - 1], 'kinto.basket:0|g', 'a negative gauge')
    t.ok(scrape(s).sum('kinto_request_summary_total') >= 3,
         'both plugins together')
    # It goes and comes back.
    d.s.close()
    t.within(2, ask_some(s), 'nobody there')
    d = StatsD(port=d.port)
    t.ok(wait_for(lambda: ask_some(s)()[1] and d.read()), 'it comes back')
    t.ok(d.wait(r'kinto\.request_summary:.*'), 'with what it gets')
    # It does not read.
    d.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    t.within(2, ask_some(s, 300), 'nobody reads')
    s.stop()
    d.s.close()


def ask_some(s, n=40):
    """For within(): the slowest of some requests; all must succeed."""
    def ask():
        answers = [timed(lambda: s.get('/v1/__lbheartbeat__').status)
                   for _ in range(n)]
        return max(took for _, took in answers), \
            all(status == 200 for status, _ in answers)
    return ask


def statsd_names(t):
    s = start(t, includes='', statsd_url='udp://statsd.invalid:8125')
    t.within(2, ask_some(s), 'no such host')

    def said():
        ask_some(s, 2)()
        return s.logged(r'statsd\.invalid: .*metrics are dropped', 0.1)
    t.ok(wait_for(said), 'the log says so')
    t.equal(s.stop(), 0, 'it stops all the same')

    d = StatsD()
    file = t.name('.dns')
    env = dict(os.environ, LD_PRELOAD=os.environ['CLQ_TEST_DNS'],
               CLQ_TEST_DNS_FILE=file)
    env['ASAN_OPTIONS'] = env.get('ASAN_OPTIONS', '') + \
        ':verify_asan_link_order=0'
    values = dict(includes='', workers=2, popen=dict(env=env),
                  statsd_url='udp://stats:%d' % d.port)
    s = start(t, **values)
    t.within(2, ask_some(s), 'a name server that does not answer')
    t.equal(d.read(), [], 'nothing can arrive')

    def stopped():
        s = start(t, **values)
        ask_some(s)()
        code, took = timed(s.stop)
        return took, code == 0
    t.within(5, stopped, 'it stops while the name is looked up')
    open(file, 'w').close()

    def arrived():
        ask_some(s, 2)()
        return d.read()
    t.ok(wait_for(arrived), 'once it answers, metrics arrive')
    os.unlink(file)
    worker = s.all_workers()[0]
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: worker not in s.workers() and len(s.workers()) == 2)
    t.within(2, ask_some(s), 'a respawned worker')
    t.equal(s.stop(), 0, 'it stops, too')
    d.s.close()

    with contextlib.suppress(OSError):
        d = StatsD(socket.AF_INET6, '::1')
        s = start(t, includes='', project_name='', statsd_prefix='mine',
                  statsd_url='udp://[::1]:%d' % d.port)
        ask_some(s, 2)()
        t.ok(d.wait(r'mine\.request_summary:.*'), 'IPv6, statsd_prefix')
        s.stop()
        d.s.close()


with Test() as t:
    observed(t)
    settings(t)
    own(t)
    under_load(t)
    reload_(t)
    statsd(t)
    statsd_names(t)
