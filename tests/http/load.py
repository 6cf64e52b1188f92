# SPDX-License-Identifier: Apache-2.0
"""Reloads, recycling and deaths under load, through nginx with kept
connections: no request fails but those that die with their worker."""
import http.client
import os
import random
import signal
import threading
import time
import urllib.parse

from harness import PATIENCE, Test, nginx, wait_for


class Load:
    """Clients with kept HTTP connections; counts what goes wrong."""

    KINDS = ['get', 'post', 'upload', 'put', 'sleep', 'big']

    def __init__(self, url, kinds, clients=12):
        self.kinds = kinds
        self.where = urllib.parse.urlsplit(url).netloc
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.good, self.bad, self.slowest = 0, [], 0
        self.pids = set()
        self.threads = [threading.Thread(target=self.client, args=(i,))
                        for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def client(self, seed):
        pick = random.Random(seed)
        conn = http.client.HTTPConnection(self.where, timeout=120)
        while not self.stop.is_set():
            kind = pick.choice(self.kinds)
            begun = time.monotonic()
            why = None
            try:
                why = self.one(conn, kind)
            except (OSError, http.client.HTTPException) as e:
                why = repr(e)
                conn.close()
            took = time.monotonic() - begun
            with self.lock:
                self.slowest = max(self.slowest, took)
                if why is None:
                    self.good += 1
                else:
                    self.bad.append('%s: %s' % (kind, why))

    def one(self, conn, kind):
        body = None
        if kind == 'get':
            conn.request('GET', '/v1/env?value=1')
        elif kind == 'post' or kind == 'upload':
            body = os.urandom(random.choice([1, 1000, 10000])
                              if kind == 'post' else 100000)
            conn.request('POST', '/v1/echo', body)
        elif kind == 'put':
            conn.request('PUT', '/v1/env', b'x' * 100)
        elif kind == 'sleep':
            conn.request('POST', '/v1/sleep/%d' % random.randrange(20))
        else:
            conn.request('GET', '/v1/big/300000')
        r = conn.getresponse()
        data = r.read()
        if r.status != 200:
            return '%d %r' % (r.status, data[:100])
        if body is not None and data != body:
            return 'wrong body'
        if kind == 'big' and len(data) != 300000:
            return 'cut'
        return None

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def check(t, load, what, allowed=0):
    load.end()
    if not t.ok(load.good > 100 and len(load.bad) <= allowed,
                '%s: %d requests, %d failed, slowest %.2f s' % (
                    what, load.good, len(load.bad), load.slowest)):
        for why in load.bad[:8]:
            print('#', why)


def run(t, what, seconds, act, allowed=None, kinds=Load.KINDS, keepalive=16,
        deaths=0, **settings):
    # nginx's workers may be another user.
    s = t.start(log_level='info', socket_mode='0666', **settings)
    url = nginx(t, s.address, keepalive=keepalive)
    load = Load(url, kinds)

    def died():
        return s.text().count(' died of signal')
    now = time.monotonic()
    end, latest = now + seconds, now + PATIENCE
    # A busy machine gets the time to do enough.
    while now < end or now < latest and (load.good <= 100 or
                                         died() < deaths):
        time.sleep(0.3)
        act(s)
        now = time.monotonic()
    check(t, load, what, len(allowed) if allowed is not None else 0)
    t.ok(wait_for(lambda: s.get('/v1/env').status == 200), '... and serves')
    s.stop()
    t.procs.pop().terminate()
    return died()


def main():
    kills = []
    with Test() as t:
        def nothing(s):
            pass

        def hup(s):
            s.signal(signal.SIGHUP)

        def kill(s):
            pids = s.workers()
            if pids:
                kills.append(random.choice(pids))
                os.kill(kills[-1], signal.SIGKILL)

        def crash(s):
            try:
                s.get('/v1/crash')
            except Exception:
                pass

        run(t, 'load', 2, nothing)
        run(t, 'a reload every 0.3 s', 6, hup)
        run(t, 'the same, one worker', 4, hup, workers=1)
        run(t, 'the same, four workers, fewer kept connections', 4, hup,
            workers=4, keepalive=4)
        run(t, 'the same, more connections than places', 4, hup,
            max_connections_per_worker=3)
        run(t, 'max_requests = 25', 4, nothing, max_requests=25)
        # An upload that is half read when its worker dies is lost.
        died = run(t, 'crashes: only the crashing request fails', 4, crash,
                   deaths=3,
                   kinds=['get', 'post', 'put', 'sleep', 'big'])
        t.ok(died >= 3, 'workers did die (%d)' % died)
        run(t, 'kill -9 of a worker every 0.3 s: one request each', 4, kill,
            allowed=kills, kinds=['get', 'post', 'put', 'sleep'])


main()
