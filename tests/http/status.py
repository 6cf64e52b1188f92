# SPDX-License-Identifier: Apache-2.0
"""The status page and `cliquet top`: what the workers of a running server are
doing, and who may see it."""
import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

import fcgi
from harness import CLIQUET, PATIENCE, Sleeper, Test, free_port, freeze, \
    wait_for

LOCAL = dict(REMOTE_ADDR='127.0.0.1')


def status(s, query='', **env):
    return s.get('/__status__' + query, **dict(LOCAL, **env))


def top(t, *args):
    code, out = t.run([CLIQUET, 'top', *args])
    return code, out


def top_json(t, s):
    code, out = top(t, '--json', str(s.pid))
    return json.loads(out) if code == 0 else {}


def who_may(t):
    s = t.start()
    t.equal(s.get('/__status__', **LOCAL).status, 307,
            'no status_path: no page, a path without version')
    s.stop()
    s = t.start(status_path='/__status__')
    unknown = s.get('/__nothing__', REMOTE_ADDR='192.0.2.1')
    for remote in '192.0.2.1', '', None, '127.0.0.11':
        r = s.get('/__status__', REMOTE_ADDR=remote)
        t.equal((r.status, r.body.replace(b'status', b'nothing')),
                (unknown.status, unknown.body),
                'as if there were none: REMOTE_ADDR %s' % remote)
    r = s.get('/__status__', headers=[('X-Forwarded-For', '127.0.0.1')],
              REMOTE_ADDR='192.0.2.1')
    t.equal(r.status, 307, 'what the client says does not count')
    t.equal(status(s).status, 200, 'loopback')
    t.equal(status(s, REMOTE_ADDR='::1').status, 200, 'IPv6')
    t.equal(s.get('/__status__', 'POST', **LOCAL).status, 307, 'POST')
    r = s.get('/__status__', 'HEAD', **LOCAL)
    t.ok(r.status == 200 and not r.body and
         int(r.headers['content-length']) > 100, 'HEAD')
    s.stop()
    s = t.start(status_path='/s', status_allow='192.0.2.1')
    t.equal((s.get('/s', REMOTE_ADDR='192.0.2.1').status,
             s.get('/s', **LOCAL).status), (200, 307), 'status_allow')
    s.stop()
    for wrong in 'localhost', '::1 10.0.0.0/8':
        s = t.start(ready=False, status_allow=wrong)
        t.ok(s.wait() == 1 and s.logged('is no address; write addresses'),
             'status_allow = %s is refused' % wrong)


def page(t):
    s = t.start(status_path='/__status__', slow_request_ms=100)
    s.get('/v1/sleep/150')
    c = Sleeper(s, query='&secret=x')

    # A worker writes down what it did when the answer is on its way.
    def told():
        r = status(s)
        d = r.json()
        longest = max(p['request_ms'] or 0 for p in d['processes'])
        return d['workers']['busy'] == 2 and d['slow'] >= 1 and \
            d['requests'] >= 2 and longest > 100 and r
    s.all_workers()
    r = wait_for(told)
    t.equal((r.headers['content-type'], r.headers['cache-control']),
            ('application/json', 'no-store'), 'JSON, not kept')
    d = r.json()
    t.equal((d['pid'], d['generation'], d['config'], d['reloaded'],
             d['workers']['wanted'], d['workers']['busy']),
            (s.pid, 1, s.ini, None, 2, 2), 'totals')
    t.ok(d['slow'] >= 1 and d['requests'] >= 2 and d['uptime_seconds'] >= 0 and
         d['version'] and d['started'].endswith('Z'), 'and more of them')
    t.equal(sorted(p['pid'] for p in d['processes']), s.workers(),
            'each worker')
    p = max(d['processes'], key=lambda p: p['request_ms'] or 0)
    t.ok(p['state'] == 'busy' and p['request'] == 'GET ' + c.path and
         100 < p['request_ms'] < 600000 and p['pid'] == c.pid,
         'what it is serving, since when, without the query')
    t.ok(all(p['rss_bytes'] > 1 << 20 for p in d['processes']) and
         all(p['pss_bytes'] is None or p['pss_bytes'] > 1 << 18
             for p in d['processes']), 'memory')
    t.ok(all(p['generation'] == 1 and p['connections'] >= 0 and
             p['age_seconds'] >= 0 for p in d['processes']), 'and the rest')
    c.release().response()
    # One worker serves the page, the other shows what it served last.
    c.request('GET', '/v1/<script>alert(1)</script>')
    for ask in (lambda: status(s, '?html'), lambda: s.get(
            '/__status__', headers=[('Accept', 'text/html,*/*')], **LOCAL)):
        def shown():
            c.request('GET', '/v1/<script>alert(1)</script>')
            r = ask()
            return b'&lt;script' in r.body and r
        r = wait_for(shown)
        t.ok(r and r.headers['content-type'].startswith('text/html') and
             b'<table' in r.body and b'<script' not in r.body,
             'HTML, harmless')
    t.equal(status(s, '?json', headers=[('Accept', 'text/html')]).headers[
        'content-type'], 'application/json', '?json')
    s.stop()


def events(t):
    """Reloads and deaths are counted; totals outlive workers."""
    s = t.start(status_path='/__status__', max_requests=5)
    for _ in range(20):
        s.get('/v1/env')
    t.ok(wait_for(lambda: status(s).json()['requests'] >= 20),
         'requests of workers that are gone count')
    s.stop()
    s = t.start(status_path='/__status__')
    workers = s.all_workers()
    before = status(s).json()['respawns']
    os.kill(workers[0], signal.SIGKILL)
    t.ok(wait_for(lambda: status(s).json()['respawns'] == before + 1),
         'a death is counted')
    s.signal(signal.SIGHUP)
    t.ok(wait_for(lambda: status(s).json()['generation'] == 2),
         'so is a reload')
    t.ok(status(s).json()['reloaded'], 'with its time')
    s.stop()


def waiting(t, address):
    s = t.start(socket=address, workers=2)
    workers = s.all_workers()
    for pid in workers:
        freeze(pid)
    try:
        conns = [fcgi.Conn(s.address) for _ in range(3)]
        t.ok(wait_for(lambda: top_json(t, s)['waiting'] == 3, step=0.2),
             'connections that wait are counted: ' + address.split('/')[-1])
        t.ok(top_json(t, s)['backlog'] >= 128, 'and how many may')
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    t.ok(wait_for(lambda: top_json(t, s)['waiting'] == 0, step=0.2) and
         top_json(t, s)['waiting_most'] == 3, 'the most is kept')
    for c in conns:
        c.close()
    s.stop()


def live_top(t, master):
    """(the other end of its terminal, the process) of a `cliquet top`."""
    main, sub = pty.openpty()
    p = subprocess.Popen([CLIQUET, 'top', str(master)], stdin=sub, stdout=sub,
                         stderr=sub, env=dict(os.environ, TERM='xterm'))
    t.procs.append(p)
    os.close(sub)
    return main, p


def command(t):
    s = t.start(workers=3)
    s.all_workers(3)
    c = Sleeper(s)

    def once():
        code, out = top(t, '--once', str(s.pid))
        lines = out.splitlines()
        return code == 0 and 'master %d ' % s.pid in lines[0] and \
            'workers 3 wanted: 1 busy' in lines[1] and len(lines) == 7 and \
            'GET ' + c.path in lines[4] and '\033' not in out
    # A worker that has just answered is busy for a moment.
    t.ok(wait_for(once), 'top --once: the busiest first, no control codes')
    c.release().response()
    code, out = t.run([CLIQUET, '--ini', s.ini, 'top', '--json'])
    t.equal((code, json.loads(out)['pid']), (0, s.pid),
            'the server of the ini is found')
    code, out = t.run([CLIQUET, '--ini', '/none', 'top', '--once'])
    t.ok(code == 1 and 'the server of /none is not running' in out and
         'cliquet top %d' % s.pid in out,
         'an ini without a server: it says so, and shows nobody else')
    other = t.start()
    code, out = t.run([CLIQUET, 'top', '--once'], env=dict(
        os.environ, CLIQUET_INI='/none'))
    t.ok(code == 1 and 'cliquet top %d' % s.pid in out and
         'cliquet top %d' % other.pid in out, 'several: it asks which one')
    code, out = top(t, '--once', '999999999')
    t.ok(code == 1 and '999999999 is not the process id of' in out and
         'cliquet top %d' % s.pid in out and
         'cliquet top %d' % other.pid in out,
         'the id of none: it says so, and which there are')
    other.stop()
    for args, want in (['x'], 2), (['1'], 1), (['--once', '999999999'], 1):
        t.equal(top(t, *args)[0], want, 'top %s: %d' % (' '.join(args), want))
    main, p = live_top(t, s.pid)
    out = b''

    def shown(text):
        nonlocal out
        if select.select([main], [], [], 0.05)[0]:
            with contextlib.suppress(OSError):
                out += os.read(main, 65536)
        return text in out
    t.ok(wait_for(lambda: shown(b'/s)')), 'live: a second picture, with rates')
    p.send_signal(signal.SIGINT)
    t.equal(p.wait(PATIENCE), 0, '^C ends it')
    t.ok(wait_for(lambda: shown(b'\033[?1049l')), 'and the screen is back')
    os.close(main)
    interrupted_writing(t, s.pid)
    c.close()
    freeze(s.pid)
    t.equal(top(t, '--once', str(s.pid))[0], 0, 'a stopped master is no hindrance')
    os.kill(s.pid, signal.SIGCONT)
    s.stop()


def interrupted_writing(t, master):
    """A signal that comes in the middle of a write is no failure either. The
    terminal is stopped (^S), so that the next picture waits in its write."""
    main, p = live_top(t, master)
    t.ok(os.read(main, 65536), 'live: it is shown')
    os.write(main, b'\x13')
    time.sleep(2)               # twice the time between pictures
    p.send_signal(signal.SIGINT)
    time.sleep(0.2)
    os.write(main, b'\x11')
    t.equal(p.wait(PATIENCE), 0, '^C in the middle of a picture ends it well')
    os.close(main)


FOREIGN = r'''
import os, struct, sys, time
seed, size, uid, owner = sys.argv[1], *map(int, sys.argv[2:5])
data = bytearray(open(seed, 'rb').read())
struct.pack_into('i', data, 560, os.getpid())
data[16:48] = (b'\033]0;title\007\xc2\x9b5m' + b'v' * 40)[:32]
data[48:560] = (b'/etc/\033[2J\r\n\xff.ini' + b'i' * 512)[:512]
if owner:
    os.seteuid(owner)
fd = os.memfd_create('cliquet-scoreboard')
os.write(fd, data)
os.truncate(fd, size or len(data))
if uid:
    os.seteuid(0)
    os.setresuid(uid, uid, uid)
print('ready', flush=True)
time.sleep(600)
'''


@contextlib.contextmanager
def foreign(t, seed, size=0, uid=0, owner=0):
    """A process that pretends to be a master."""
    p = subprocess.Popen([sys.executable, '-c', FOREIGN, seed, str(size),
                          str(uid), str(owner)], stdout=subprocess.PIPE)
    t.procs.append(p)
    p.stdout.readline()
    try:
        yield p.pid
    finally:
        p.kill()
        p.wait()
        p.stdout.close()


def disbelief(t):
    """Anybody can make a scoreboard: what is in it is not believed."""
    s = t.start()
    s.all_workers()
    fds = '/proc/%d/fd' % s.pid
    board, = [f for f in os.listdir(fds) if os.readlink(
        os.path.join(fds, f)).startswith('/memfd:cliquet-scoreboard')]
    seed = t.name('.board')
    shutil.copyfile(os.path.join(fds, board), seed)
    with foreign(t, seed) as pid:
        code, out = top(t, '--once', str(pid))
        t.ok(code == 0 and '/etc/?[2J???.iniiii' in out and
             not re.search('[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f]', out),
             'escape sequences of a foreign scoreboard are not printed')
        code, out = top(t, '--json', str(pid))
        t.ok(code == 0 and '/etc/?[2J' in json.loads(out)['config'],
             'nor in JSON')
        code, out = t.run([CLIQUET, 'top', '--once'], env=dict(
            os.environ, CLIQUET_INI='/none'))
        t.ok(re.search('cliquet top %d .*as [a-z0-9]+' % pid, out),
             'it is told whose a server is')
    for size in 100, os.path.getsize(seed) - 1, 1 << 40:
        with foreign(t, seed, size) as pid:
            code, out = top(t, '--once', str(pid))
            t.ok(code == 1 and 'is not the process id of' in out,
                 'a scoreboard of %d bytes is none' % size)
    if os.geteuid() == 0:
        for uid, owner, want in (2, 0, 0), (2, 2, 0), (2, 3, 1):
            with foreign(t, seed, 0, uid, owner) as pid:
                t.equal(top(t, '--once', str(pid))[0], want,
                        'a file of user %d in a process of %d' % (owner, uid))
    s.stop()


with Test() as t:
    who_may(t)
    page(t)
    events(t)
    waiting(t, t.name('.sock'))
    waiting(t, '127.0.0.1:%d' % free_port())
    command(t)
    disbelief(t)
