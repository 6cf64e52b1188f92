# SPDX-License-Identifier: Apache-2.0
"""Crashes and internal errors are told with a backtrace, and to Sentry: what
arrives there, what must not, and what a Sentry that is dead, hangs or refuses
costs (nothing but events)."""
import contextlib
import http.server
import json
import os
import re
import signal
import threading
import time

import fcgi
from harness import (CLIQUET, CLIQUETD, PATIENCE, Test, alive, children,
                     free_port, name, timed, wait_for)

SECRETS = ['hunter2', 'topsecret', 'c00kie', 'b0dy', 'qu3ry']


class Sentry(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        self.got, self.mode, self.tries = [], 'ok', 0
        self.wake = threading.Event()
        super().__init__(('127.0.0.1', 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.02,),
                         daemon=True).start()

    def dsn(self):
        return 'http://publickey:s3cr3t@127.0.0.1:%d/base/42' % self.port

    def events(self):
        return [e for _, _, e in self.got]

    def end(self):
        self.wake.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        sentry = self.server
        sentry.tries += 1
        body = self.rfile.read(int(self.headers['Content-Length']))
        if sentry.mode == 'hang':
            sentry.wake.wait(600)
            return
        if sentry.mode == 'ok':
            head, item, event, _ = body.split(b'\n')
            event_id = json.loads(head)['event_id']
            item, event = json.loads(item), json.loads(event)
            assert item['type'] == 'event' and event_id == event['event_id']
            assert re.fullmatch('[0-9a-f]{32}', event_id)
            sentry.got.append((self.path, dict(self.headers), event))
        self.send_response(200 if sentry.mode == 'ok' else sentry.mode)
        if sentry.mode == 429:
            self.send_header('Retry-After', '1')
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'{}')

    def log_message(self, *args):
        pass


def fail(s, **more):
    """A request that ends with 500, with secrets wherever one may have them."""
    return s.get('/v1/__version__?token=qu3ry', headers=[
        ('Authorization', 'Basic hunter2'), ('Cookie', 'sid=c00kie'),
        ('X-Request-Id', 'rid-7')], body=b'{"x":"b0dy"}', **more)


def helper(s):
    return [p for p in children(s.pid) if name(p) == 'cliquetd-sentry']


def no_version(t):
    """A missing file is the operator's affair: told, but nobody's bug."""
    s = t.start(version_json_path='/nonexistent')
    for _ in range(2):
        t.equal(fail(s).status, 500, 'nothing to show as version')
    t.ok(s.logged(r'(?s)(WARN\w* version_json_path: /nonexistent: no such '
                  r'file.*){2}'), 'is told with the name of the file')
    t.ok('internal error' not in s.text(), 'and not as an internal error')
    s.stop()


def logs(t):
    """Without Sentry, too."""
    s = t.start(version_json_path='/dev/null')
    t.equal(fail(s).status, 500, 'an internal error')
    t.ok(s.logged(r'ERROR internal error in GET /v1/__version__ '
                  r'\(rid rid-7\): .*backtrace: .*\w+\.so.*\(.*\+0x'),
         'is told with request, id and backtrace')
    for what, sig in ('crash', 11), ('abort', 6):
        with contextlib.suppress(fcgi.Closed):
            t.equal(s.get('/v1/' + what + '?x=1').status, 503,
                    'a crash: 503')
        t.ok(s.logged(r'ERROR worker \d+ died of signal %d \(.*\) while '
                      r'serving GET /v1/%s \(rid \w+\); backtrace: .*slow\.so\('
                      % (sig, what)),
             'is told with request and backtrace')
    t.equal(helper(s), [], 'no process for Sentry without a DSN')
    s.stop()


def arrives(t, sentry):
    s = t.start(version_json_path='/dev/null', sentry_dsn=sentry.dsn(),
                sentry_env='tests', project_name='x')
    t.equal(fail(s).status, 500, 'Sentry: an internal error')
    t.ok(wait_for(lambda: any('internal error' in e['logentry']['formatted']
                              for e in sentry.events())), 'arrives')
    path, headers, e = [g for g in sentry.got if 'internal error' in
                        g[2]['logentry']['formatted']][0]
    t.equal((path, headers['Content-Type']),
            ('/base/api/42/envelope/', 'application/x-sentry-envelope'),
            'as an envelope of the project')
    t.ok(re.fullmatch(r'Sentry sentry_version=7, sentry_client=cliquet/\S+, '
                      'sentry_key=publickey', headers['X-Sentry-Auth']),
         'with the public key')
    t.equal((e['level'], e['environment'], e['platform'], e['request'],
             e['tags']['rid']),
            ('error', 'tests', 'native', {
                'method': 'GET', 'url': 'http://localhost/v1/__version__'},
             'rid-7'), 'level, environment, request, id')
    t.ok(e['release'].startswith('cliquet@') and e['server_name'] and
         'backtrace: ' in e['logentry']['formatted'] and
         '%' in e['logentry']['message'], 'release, server, text and format')
    with contextlib.suppress(fcgi.Closed):
        s.get('/v1/crash?token=qu3ry',
              headers=[('Authorization', 'Basic hunter2')])
    t.ok(wait_for(lambda: any('died of signal 11' in e['logentry'][
        'formatted'] for e in sentry.events())), 'so does a crash')
    text = [e['logentry']['formatted'] for e in sentry.events()
            if 'died of' in e['logentry']['formatted']][0]
    t.ok('while serving GET /v1/crash' in text and 'backtrace' in text,
         'with its request and backtrace')
    sent = json.dumps(sentry.got)
    t.equal([x for x in SECRETS + ['s3cr3t'] if x in sent], [],
            'no header, cookie, body or query is among it')
    t.equal([x for x in ('hunter2', 'c00kie', 'b0dy', 's3cr3t')
             if x in s.text()], [], 'nor in the log')
    # The helper is not needed, and comes back.
    pid = helper(s)[0]
    os.kill(pid, signal.SIGKILL)
    t.ok(wait_for(lambda: helper(s) and helper(s) != [pid]),
         'a helper that dies is replaced')
    n = len(sentry.got)
    fail(s)
    t.ok(wait_for(lambda: len(sentry.got) > n), 'and reports on')
    s.signal(signal.SIGUSR1)
    t.ok(wait_for(lambda: len(helper(s)) == 1 and s.get('/v1/env').status
                  == 200), 'USR1')
    s.stop()

    # There are three seconds for it, which a busy machine may miss.
    def last():
        s = t.start(version_json_path='/dev/null', sentry_dsn=sentry.dsn())
        wait_for(lambda: helper(s))
        n = len(sentry.got)
        fail(s)
        pids = helper(s)
        t.equal(s.stop(), 0, 'the end')
        t.ok(not any(alive(p) for p in pids), 'and the helper ends')
        return len(sentry.got) > n
    t.ok(last() or last() or last(), 'what was met last is sent')


def passwords(t, sentry):
    """Of URLs in messages, say of a backend that is not there."""
    s = t.start(sentry_dsn=sentry.dsn(), cache_backend='memcached',
                cache_hosts='127.0.0.1:1', storage_backend='postgresql',
                permission_backend='postgresql', storage_url=
                'postgresql://u:topsecret@127.0.0.1:1/x?password=topsecret')
    s.get('/v1/__heartbeat__')
    t.ok(wait_for(lambda: any('heartbeat: storage is down' in
                              e['logentry']['formatted']
                              for e in sentry.events())),
         'a backend that is down is reported')
    t.ok('topsecret' not in json.dumps(sentry.events()) + s.text(),
         'without its password')
    s.stop()
    code, out = t.run([CLIQUET, '--ini', s.ini, 'dump-config'])
    t.ok('topsecret' not in out and 's3cr3t' not in out and
         'publickey' not in out, 'dump-config shows none either')


def levels(t, sentry):
    s = t.start(sentry_dsn=sentry.dsn(), sentry_events_min_level=40,
                version_json_path='/dev/null', nonsense_key='1')
    fail(s)
    t.ok(wait_for(lambda: sentry.got), 'sentry_events_min_level = 40')
    t.equal({e['level'] for e in sentry.events()}, {'error'},
            'errors only')
    s.stop()


def troubles(t, sentry):
    """What is wrong with Sentry is no request's business."""
    for mode in 'hang', 429, 500, 403:
        sentry.mode = mode

        def ask():
            worst = max(timed(lambda: fail(s))[1] for _ in range(400))
            return worst, True

        def end():
            code, took = timed(s.stop)
            return took, code == 0
        sentry.tries = 0
        s = t.start(version_json_path='/dev/null',
                    sentry_dsn=sentry.dsn())
        begun = time.monotonic()
        t.within(2, ask, '%s: no request waits' % mode)
        if mode != 'hang':
            t.ok(s.logged('refuses events with status 403' if mode == 403
                          else 'thrown away for'), 'the log tells')
        if mode in (429, 500):
            # 429 asks for a second, 500 gets half a minute.
            took = time.monotonic() - begun
            t.ok(sentry.tries < 5 + took, 'it is left alone (%d tries in '
                 '%.0f s)' % (sentry.tries, took))
        if mode == 429:
            sentry.mode = 'ok'
            sentry.got.clear()
            t.ok(wait_for(lambda: fail(s) and sentry.got, step=0.1),
                 'until the time it has asked for is over')

        def again():
            nonlocal s
            took, right = end()
            if took >= 4.5:
                s = t.start(version_json_path='/dev/null',
                            sentry_dsn=sentry.dsn())
                fail(s)
            return took, right
        t.within(4.5, again, 'the end, in time')
        s.stop()
    s = t.start(version_json_path='/dev/null',
                sentry_dsn='http://k@127.0.0.1:%d/1' % free_port())
    t.equal(fail(s).status, 500, 'nobody listens: the answer comes')
    t.ok(s.logged('thrown away for'), 'and the log tells')
    s.stop()


def without_master(t, sentry):
    import socket
    path = t.name('.sock')
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(8)
        s = t.spawn([CLIQUETD, t.ini(version_json_path='/dev/null',
                                     sentry_dsn=sentry.dsn())], path,
                    stdin=listener)
    s.ready()
    fail(s)
    t.ok(wait_for(lambda: sentry.got), 'one process on descriptor 0')
    with contextlib.suppress(fcgi.Closed):
        s.get('/v1/crash')
    t.ok(s.logged(r'slow\.so\(?'), 'its crash has a backtrace, too')
    s.popen.wait(PATIENCE)
    t.ok(wait_for(lambda: not helper(s)), 'and the helper is gone')


def wrong(t):
    for dsn in 'nonsense', 'https://host/1', 'ftp://k@h/1', 'https://k@h/', \
            'https://k@/1', 'https://k h@x/1':
        code, out = t.run([CLIQUETD, '--check', t.ini(socket='x',
                                                      sentry_dsn=dsn)])
        t.ok(code == 1 and 'sentry_dsn: not a DSN' in out and dsn not in out,
             'refused: ' + dsn)


def reload(t, sentry):
    s = t.start(version_json_path='/dev/null')
    t.ini(s.ini, socket=s.address, version_json_path='/dev/null',
          sentry_dsn=sentry.dsn())
    s.signal(signal.SIGHUP)
    t.ok(wait_for(lambda: helper(s)), 'reload: a DSN')
    t.ok(wait_for(lambda: fail(s) and sentry.got, step=0.1), 'is used')
    t.ini(s.ini, socket=s.address)
    s.signal(signal.SIGHUP)
    t.ok(wait_for(lambda: not helper(s)), 'reload: none; no helper')
    s.stop()


with Test() as t:
    no_version(t)
    logs(t)
    # Each has one of its own, which knows nothing of earlier events.
    for part in arrives, passwords, levels, troubles, without_master, reload:
        sentry = Sentry()
        part(t, sentry)
        sentry.end()
    wrong(t)
