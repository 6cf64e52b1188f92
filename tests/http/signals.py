# SPDX-License-Identifier: Apache-2.0
"""Stopping, reloading, dying: what the signals do, and what a request that
never ends or kills its worker costs."""
import contextlib
import os
import re
import signal
import threading
import time

import fcgi
from harness import APP, Test, alive, wait_for


def pid_of(s):
    return s.get('/v1/env').json()['pid']


def in_background(fn):
    """Run fn; returns a function that waits for its result."""
    box = []

    def run():
        try:
            box.append(fn())
        except Exception as e:
            box.append(e)
    thread = threading.Thread(target=run)
    thread.start()

    def result():
        thread.join()
        return box[0]
    return result


def sleeper(s, ms):
    """A request that lasts, on a connection of its own; running already."""
    c = fcgi.Conn(s.address, 30)
    c.ask('GET', '/v1/sleep/%d' % ms)
    time.sleep(0.1)
    return c


def stopping(t):
    for sig in signal.SIGTERM, signal.SIGINT:
        s = t.start()
        c = sleeper(s, 700)
        idle = fcgi.Conn(s.address)
        idle.request('GET', '/v1/env')
        begun = time.monotonic()
        s.signal(sig)
        t.equal(c.response().status, 200,
                '%s: the running request is answered' % sig.name)
        t.ok(idle.closed(), 'idle connections are closed')
        t.equal(s.wait(), 0, 'status 0')
        took = time.monotonic() - begun
        t.ok(took < 3, 'soon after it (%.1f s)' % took)
    s = t.start(shutdown_timeout=1, request_timeout=0)
    workers = s.workers()
    c = sleeper(s, 20000)
    begun = time.monotonic()
    s.signal(signal.SIGTERM)
    r = c.response()
    t.equal((r.status, r.json()['errno']), (503, 201),
            'beyond shutdown_timeout: 503')
    t.equal(s.wait(), 0, 'and the end')
    took = time.monotonic() - begun
    t.ok(1 <= took < 4, 'in time (%.1f s)' % took)
    t.ok(not any(alive(p) for p in workers), 'no worker is left')
    s = t.start(shutdown_timeout=30, connection_read_timeout=2)
    half = fcgi.Conn(s.address)
    half.send(fcgi.begin())
    time.sleep(0.1)
    begun = time.monotonic()
    s.signal(signal.SIGTERM)
    t.equal(s.wait(20), 0, 'half a request does not hold the end up')
    t.ok(time.monotonic() - begun < 5, 'beyond connection_read_timeout')


def reloading(t):
    s = t.start(project_version='1.0', workers=2)
    wait_for(lambda: len(s.workers()) == 2)
    old = s.workers()
    kept = [fcgi.Conn(s.address) for _ in range(20)]
    for c in kept:
        c.request('GET', '/v1/env')
    busy = sleeper(s, 800)
    t.ini(s.ini, socket=s.address, project_version='2.0', workers=3)
    s.signal(signal.SIGHUP)
    t.ok(s.logged('reload: configuration 2'), 'HUP: new configuration')
    t.ok(wait_for(lambda: len(s.workers()) == 3 and
                  not set(old) & set(s.workers()), 10),
         'new workers, as many as it says; the old ones are gone')
    t.equal(busy.response().status, 200,
            'a request that ran meanwhile is answered')
    t.equal(s.get('/v2/env').status, 200, 'it is in force')
    t.equal({c.request('GET', '/v2/env').status for c in kept}, {200},
            'kept connections go on, with new workers')
    t.equal(busy.request('GET', '/v2/env').status, 200, 'that one too')
    new = s.workers()
    for what, values in [
            ('a wrong value', dict(workers='many')),
            ('a plugin that is not there', dict(use='/no/plugin.so')),
            ('a socket that cannot be opened',
             dict(socket=s.address + ' /no/such/folder.sock')),
            ('no socket', dict(socket=''))]:
        before = s.text().count('refused for the reasons above')
        t.ini(s.ini, **dict(dict(socket=s.address, project_version='3.0'),
                            **values))
        s.signal(signal.SIGHUP)
        t.ok(wait_for(lambda: s.text().count(
            'refused for the reasons above') > before), what + ': refused')
    os.unlink(s.ini)
    s.signal(signal.SIGHUP)
    time.sleep(0.3)
    t.ok(s.get('/v2/env').status == 200 and s.workers() == new,
         'the old configuration and its workers stay')
    other = t.name('.sock')
    t.ini(s.ini, socket=other, project_version='2.0')
    s.signal(signal.SIGHUP)
    t.ok(wait_for(lambda: os.path.exists(other) and
                  not os.path.exists(s.address)), 'another socket: moves')
    s.address = other
    t.equal(s.get('/v2/env').status, 200, 'and serves there')
    for c in kept:
        c.close()
    t.equal(s.stop(), 0, 'TERM')


def many_reloads(t):
    """HUP again before the last is through."""
    s = t.start(workers=3)
    fd0 = len(os.listdir('/proc/%d/fd' % s.pid))
    for i in range(15):
        s.signal(signal.SIGHUP)
        time.sleep(0.01 * i)
    t.ok(wait_for(lambda: len(s.workers()) == 3, 10), 'HUP upon HUP')
    time.sleep(0.3)
    t.equal((len(s.workers()), s.get('/v1/env').status), (3, 200),
            'three workers serve')
    t.equal(len(os.listdir('/proc/%d/fd' % s.pid)), fd0,
            'no descriptor is leaked')
    s.stop()


def logs(t):
    log = t.name('.log')
    s = t.start(log_file=log)
    s.get('/v1/env?value=first')
    os.rename(log, log + '.1')
    s.signal(signal.SIGUSR1)
    t.ok(wait_for(lambda: os.path.exists(log)), 'USR1: the log is reopened')
    time.sleep(0.2)
    for _ in range(20):
        s.get('/v1/env?value=second')
    with open(log) as f:
        text = f.read()
    t.equal(text.count('second'), 20, 'by all workers')
    t.ok(len(s.workers()) == 2, 'nobody ends')
    s.stop()


def crashes(t):
    s = t.start(workers=2)
    for uri, sig in [('/v1/crash', 11), ('/v1/abort', 6)]:
        r = s.get(uri)
        t.equal((r.status, r.json()['errno']), (503, 201),
                uri + ': its client gets 503')
        t.ok(s.logged(r'died of signal %d .* while serving GET %s' %
                      (sig, uri)), 'the log says which request it was')
    t.ok(wait_for(lambda: len(s.workers()) == 2), 'replaced')
    s.stop()
    s = t.start(workers=1)
    kept = [fcgi.Conn(s.address) for _ in range(10)]
    for c in kept:
        c.request('GET', '/v1/env')
    busy = sleeper(s, 300)
    for c in kept[:5]:
        c.ask('POST', '/v1/echo', body=b'precious')
    kept[5].ask('GET', '/v1/crash')
    for c in kept[6:]:
        c.ask('POST', '/v1/echo', body=b'precious')
    busy.response()
    good = 0
    for i, c in enumerate(kept):
        with contextlib.suppress(OSError, fcgi.Closed):
            r = c.response()
            good += r.body == b'precious' if i != 5 else r.status == 503
    t.equal(good, 10, 'a crash costs its own request: those that wait on '
            'the same worker are served by the next')
    s.stop()


def killed(t):
    s = t.start(workers=2)
    wait_for(lambda: len(s.workers()) == 2)
    seen = set()
    for _ in range(8):
        victim = s.workers()[0]
        seen.add(victim)
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: victim not in s.workers() and
                 len(s.workers()) == 2)
        if s.get('/v1/env').status != 200:
            break
    t.equal(len(seen), 8, 'kill -9, eight times: always replaced')
    t.ok(s.logged('died of signal 9'), 'and said')
    t.equal(s.stop(), 0, 'TERM')


def too_long(t):
    s = t.start(workers=2, request_timeout=2)
    kept = [fcgi.Conn(s.address) for _ in range(8)]
    for c in kept:
        c.request('GET', '/v1/env')
    begun = time.monotonic()
    result = in_background(lambda: s.get('/v1/sleep/20000'))
    time.sleep(0.1)
    good = sum(c.request('GET', '/v1/env').status == 200 for c in kept)
    took = time.monotonic() - begun
    t.ok(good == 8 and took < 1.8, 'kept connections do not wait behind a '
         'long request (%.3f s)' % took)
    r = result()
    t.equal((r.status, r.json()['errno']), (503, 201),
            'request_timeout: 503')
    took = time.monotonic() - begun
    t.ok(2 <= took < 5, 'in time (%.2f s)' % took)
    t.ok(s.logged(r'ended while serving GET /v1/sleep/20000 \(rid \w+\): '
                  'no answer'), 'the log says which request it was')
    t.equal({c.request('GET', '/v1/env').status for c in kept}, {200},
            'kept connections go on')
    t.ok(wait_for(lambda: len(s.workers()) == 2), 'the worker is replaced')
    # One that does not even notice the alarm.
    c = fcgi.Conn(s.address)
    pid = c.request('GET', '/v1/env').json()['pid']
    c.ask('GET', '/v1/sleep/20000')
    time.sleep(0.1)
    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    t.ok(wait_for(lambda: not alive(pid), 20), 'a stuck worker is killed')
    took = time.monotonic() - begun
    t.ok(took < 12, 'by the master (%.1f s)' % took)
    t.ok(s.logged('killed while serving GET /v1/sleep/20000'), 'and said')
    t.equal(s.get('/v1/env').status, 200, 'service goes on')
    s.stop()


def lost(t):
    """Requests that kill their worker are told and counted as others are."""
    s = t.start(workers=1, request_timeout=1, slow_request_ms=500,
                includes='kinto.plugins.prometheus')
    t.equal(s.get('/v1/rest/600').json(), {'errno': 0},
            'what a view waits in is not interrupted')
    for path, rid in (('/v1/sleep/9000?a=1', 'rid-of-late'),
                      ('/v1/crash', 'rid-of-crash')):
        r = fcgi.request(s.address, 'GET', path, [('X-Request-Id', rid)])
        t.equal(r.status, 503, path + ': 503')
        t.ok(wait_for(lambda: any(
            'request.summary' in x and 'rid=%s' % rid in x and
            'code=503' in x and 'errno=201' in x and 'method=GET' in x and
            'path=' + path.split('?')[0] in x for x in s.text().splitlines())),
            path + ': its summary')
    t.ok(any('request.slow' in x and 'rid=rid-of-late' in x
             for x in s.text().splitlines()), 'and that it was slow')
    t.ok(any('died of signal' in x and '(rid rid-of-crash)' in x
             for x in s.text().splitlines()), "the master's line has the rid")

    def counted():
        text = s.get('/v1/__metrics__').body.decode()
        return all('request_summary_total{method="get",endpoint="%s",'
                   'status="503"} 1' % e in text for e in ('sleep', 'crash'))
    if not t.ok(wait_for(counted), 'and counted in the metrics'):
        print('#', [x for x in s.get('/v1/__metrics__').body.decode()
                    .splitlines() if '503' in x])
    s.stop()


def recycled(t):
    for workers in 1, 2:
        s = t.start(workers=workers, max_requests=20)
        kept = [fcgi.Conn(s.address) for _ in range(4)]
        pids, good = set(), 0
        for i in range(400):
            r = kept[i % 4].request('POST', '/v1/env', body=b'x')
            pids.add(r.json()['pid'])
            good += r.status == 200
        t.equal(good, 400, 'max_requests, %d worker(s): no request and no '
                'kept connection is lost' % workers)
        t.ok(400 / 40 <= len(pids) <= 400 / 20 + workers,
             'workers are replaced (%d)' % len(pids))
        s.stop()


def orphaned(t):
    s = t.start(workers=2, shutdown_timeout=5)
    wait_for(lambda: len(s.workers()) == 2)
    workers = s.workers()
    c = sleeper(s, 500)
    os.kill(s.pid, signal.SIGKILL)
    s.popen.wait()
    t.equal(c.response().status, 200,
            'kill -9 of the master: the running request is answered')
    t.ok(wait_for(lambda: not any(alive(p) for p in workers), 8),
         'then the workers leave')
    s = t.start(socket=s.address)
    t.equal(s.get('/v1/env').status, 200, 'a new server takes over')
    s.stop()


def never_idle(t):
    """Whenever the worker looks, somebody has asked for something."""
    s = t.start(workers=1, shutdown_timeout=5)
    asking = True

    def ask():
        c = None
        while asking:
            with contextlib.suppress(OSError, fcgi.Closed):
                c = c or fcgi.Conn(s.address)
                c.request('GET', '/v1/sleep/40')
                continue
            c = None
            time.sleep(0.01)

    def others(pid):
        return [p for p in s.workers() if p != pid]
    clients = [threading.Thread(target=ask) for _ in range(6)]
    for c in clients:
        c.start()
    time.sleep(0.5)
    for sig in signal.SIGTERM, signal.SIGQUIT:
        pid = s.workers()[0]
        os.kill(pid, sig)
        t.ok(wait_for(lambda: others(pid) and not alive(pid), 15),
             'a worker that is never idle hears %s' % sig.name)
    pid = s.workers()[0]
    s.signal(signal.SIGKILL)
    s.popen.wait()
    t.ok(wait_for(lambda: not alive(pid), 15), 'and of the end of its master')
    asking = False
    for c in clients:
        c.join()


def main():
    with Test() as t:
        for part in (stopping, reloading, many_reloads, logs, crashes,
                     killed, too_long, lost, recycled, orphaned, never_idle):
            part(t)
        t.ok(bool(re and APP and pid_of), 'done')


main()
