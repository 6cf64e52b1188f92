# SPDX-License-Identifier: Apache-2.0
"""Stopping, reloading, dying: what the signals do, and what a request that
never ends or kills its worker costs."""
import contextlib
import json
import os
import re
import select
import signal
import threading
import time

import fcgi
from harness import (APP, CLIQUET, Sleeper, Test, alive, fds, files, freeze,
                     timed, wait_for)


def connections(t, s):
    """Those that wait, and those the workers have."""
    code, out = t.run([CLIQUET, 'top', '--json', str(s.pid)])
    board = json.loads(out)
    return board['waiting'], sum(p['connections'] for p in
                                 board['processes'])


def pid_of(s):
    return s.get('/v1/env').json()['pid']


def stopping(t):
    for sig in signal.SIGTERM, signal.SIGINT:
        def end():
            s = t.start()
            c = Sleeper(s)
            idle = fcgi.Conn(s.address)
            idle.request('GET', '/v1/env')
            s.signal(sig)
            closed = idle.closed()
            status = c.release().response().status
            code, took = timed(s.wait)
            return took, (closed, status, code) == (True, 200, 0)
        t.within(3, end, '%s: idle connections are closed, the running '
                 'request is answered, status 0' % sig.name)

    def late():
        s = t.start(shutdown_timeout=1, request_timeout=0)
        workers = s.all_workers()
        c = Sleeper(s)
        begun = time.monotonic()
        s.signal(signal.SIGTERM)
        r = c.response()
        code, took = s.wait(), time.monotonic() - begun
        return took, took >= 1 and (r.status, r.json()['errno'], code) == \
            (503, 201, 0) and not any(alive(p) for p in workers)
    t.within(4, late, 'beyond shutdown_timeout: 503, and no worker is left')

    def stood_still():
        s = t.start(shutdown_timeout=1, request_timeout=0)
        c = Sleeper(s)
        s.signal(signal.SIGTERM)
        s.logged('stopping')
        for pid in c.pid, s.pid:
            freeze(pid)
        time.sleep(4)
        os.kill(s.pid, signal.SIGCONT)
        begun = time.monotonic()
        time.sleep(0.3)
        status = 0
        with contextlib.suppress(fcgi.Closed, ProcessLookupError):
            os.kill(c.pid, signal.SIGCONT)
            status = c.response().status
        took = time.monotonic() - begun
        s.wait()
        # Only if we are late, too, it may be killed.
        return took, status == 503 or took >= 1
    t.within(1, stood_still, 'when all have stood still: 503')

    def half():
        s = t.start(shutdown_timeout=30, connection_read_timeout=2)
        c = fcgi.Conn(s.address)
        c.send(fcgi.begin())
        # Taken in: nobody is waiting any more, and a worker has one.
        wait_for(lambda: connections(t, s) == (0, 1))
        s.signal(signal.SIGTERM)
        code, took = timed(s.wait)
        return took, code == 0
    t.within(5, half, 'half a request does not hold the end up beyond '
             'connection_read_timeout')


def refused(s):
    """It is asked to reload, and says no."""
    before = s.text().count('refused for the reasons above')
    s.signal(signal.SIGHUP)
    return wait_for(lambda: s.text().count('refused for the reasons above') >
                    before)


def reloading(t):
    s = t.start(project_version='1.0', workers=2)
    old = s.all_workers()
    kept = [fcgi.Conn(s.address) for _ in range(20)]
    for c in kept:
        c.request('GET', '/v1/env')
    busy = Sleeper(s)
    t.ini(s.ini, socket=s.address, project_version='2.0', workers=3)
    s.signal(signal.SIGHUP)
    t.ok(s.logged('reload: configuration 2'), 'HUP: new configuration')
    t.ok(wait_for(lambda: set(old) & set(s.workers()) == {busy.pid} and
                  len(s.workers()) == 4), 'new workers, as many as it says; '
         'of the old ones that stays which has something to do')
    t.equal(busy.release().response().status, 200,
            'a request that ran meanwhile is answered')
    t.ok(wait_for(lambda: len(s.workers()) == 3 and
                  not set(old) & set(s.workers())), 'then that one is gone')
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
        t.ini(s.ini, **dict(dict(socket=s.address, project_version='3.0'),
                            **values))
        t.ok(refused(s), what + ': refused')
    os.unlink(s.ini)
    t.ok(refused(s), 'no file: refused')
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
    s.all_workers(3)
    fd0 = fds(s.pid)
    for i in range(15):
        s.signal(signal.SIGHUP)
        time.sleep(0.01 * i)
    old = s.workers()
    t.ini(s.ini, socket=s.address, project_version='2.0', workers=3)
    s.signal(signal.SIGHUP)
    t.ok(wait_for(lambda: s.get('/v2/env').status == 200), 'HUP upon HUP')
    t.ok(wait_for(lambda: len(s.workers()) == 3 and
                  not set(old) & set(s.workers())), 'three workers serve')
    t.equal(s.get('/v2/env').status, 200, 'with the last configuration')
    t.ok(wait_for(lambda: len(fds(s.pid)) == len(fd0)),
         'no descriptor is leaked')
    s.stop()


def logs(t):
    log = t.name('.log')
    s = t.start(log_file=log)
    workers = s.all_workers()
    s.get('/v1/env?value=first')
    os.rename(log, log + '.1')
    s.signal(signal.SIGUSR1)
    t.ok(wait_for(lambda: all(log in files(p) for p in [s.pid, *workers])),
         'USR1: the log is reopened')
    for _ in range(20):
        s.get('/v1/env?value=second')

    def lines():
        with open(log) as f:
            return f.read().count('second')
    t.ok(wait_for(lambda: lines() >= 20) and lines() == 20, 'by all workers')
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
    busy = Sleeper(s)
    for c in kept[:5]:
        c.ask('POST', '/v1/echo', body=b'precious')
    kept[5].ask('GET', '/v1/crash')
    for c in kept[6:]:
        c.ask('POST', '/v1/echo', body=b'precious')
    busy.release().response()
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
    s.all_workers()
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
    s = t.start(workers=2, request_timeout=0, shutdown_timeout=1)
    kept = [fcgi.Conn(s.address) for _ in range(8)]
    for c in kept:
        c.request('GET', '/v1/env')
    busy = Sleeper(s)
    good = sum(c.request('GET', '/v1/env').status == 200 for c in kept)
    t.ok(good == 8 and not select.select([busy.s], [], [], 0)[0],
         'kept connections do not wait behind a long request')
    busy.release().response()
    s.stop()
    s = t.start(workers=2, request_timeout=2)
    for c in kept:
        c.close()
    kept = [fcgi.Conn(s.address) for _ in range(8)]
    for c in kept:
        c.request('GET', '/v1/env')

    def late():
        r, took = timed(lambda: s.get('/v1/sleep/200000'))
        return took, took >= 2 and (r.status, r.json()['errno']) == (503, 201)
    t.within(5, late, 'request_timeout: 503 in time')
    t.ok(s.logged(r'ended while serving GET /v1/sleep/200000 \(rid \w+\): '
                  'no answer'), 'the log says which request it was')
    t.equal({c.request('GET', '/v1/env').status for c in kept}, {200},
            'kept connections go on')

    # One that does not even notice the alarm.
    def stuck():
        replaced = len(s.all_workers()) == 2
        c = Sleeper(s)
        freeze(c.pid)
        gone, took = timed(lambda: wait_for(lambda: not alive(c.pid)))
        c.close()
        return took, replaced and gone
    t.within(12, stuck, 'a late worker is replaced, a stuck one is killed')
    t.ok(s.logged('killed while serving GET /v1/sleep/600000'), 'and said')
    t.equal(s.get('/v1/env').status, 200, 'service goes on')
    s.stop()


def lost(t):
    """Requests that kill their worker are told and counted as others are."""
    s = t.start(workers=1, request_timeout=30, slow_request_ms=500)
    t.equal(s.get('/v1/rest/600').json(), {'errno': 0},
            'what a view waits in is not interrupted')
    s.stop()
    s = t.start(workers=1, request_timeout=1, slow_request_ms=500,
                includes='kinto.plugins.prometheus')
    for path, rid in (('/v1/sleep/90000?a=1', 'rid-of-late'),
                      ('/v1/crash', 'rid-of-crash')):
        r = fcgi.request(s.address, 'GET', path, [('X-Request-Id', rid)])
        t.equal(r.status, 503, path + ': 503')
        t.ok(wait_for(lambda: any(
            'request.summary' in x and 'rid=%s' % rid in x and
            'code=503' in x and 'errno=201' in x and 'method=GET' in x and
            'path=' + path.split('?')[0] in x for x in s.text().splitlines())),
            path + ': its summary')
    t.ok(s.logged('request.slow .*rid=rid-of-late'), 'and that it was slow')
    t.ok(s.logged(r'died of signal .*\(rid rid-of-crash\)'),
         "the master's line has the rid")

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
    s = t.start(workers=2, shutdown_timeout=60)
    workers = s.all_workers()
    c = Sleeper(s)
    os.kill(s.pid, signal.SIGKILL)
    s.popen.wait()
    t.ok(wait_for(lambda: [p for p in workers if alive(p)] == [c.pid]),
         'kill -9 of the master: workers leave')
    t.equal(c.release().response().status, 200,
            'but the running request is answered')
    t.ok(wait_for(lambda: not alive(c.pid)), 'then its worker leaves')
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
        t.ok(wait_for(lambda: others(pid) and not alive(pid)),
             'a worker that is never idle hears %s' % sig.name)
    pid = s.workers()[0]
    s.signal(signal.SIGKILL)
    s.popen.wait()
    t.ok(wait_for(lambda: not alive(pid)), 'and of the end of its master')
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
