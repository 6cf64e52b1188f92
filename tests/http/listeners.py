# SPDX-License-Identifier: Apache-2.0
"""Event listeners and their outbox (section 07-11, docs/listeners.md)."""
import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import statistics
import subprocess
import threading
import time

import fcgi
from api import Api, database, start_kinto
from harness import (CLIQUET, CLIQUETD, Test, alive, children, name,
                     wait_for)

SRC = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
USER = 'alice:x'
OPEN = dict(bucket_create_principals='system.Everyone',
            **{'multiauth.policies': 'basicauth'})


class Receiver:
    """An HTTP server that keeps what it gets and answers as told."""

    def __init__(self, port=0, tls=None):
        self.got, self.answer, self.lock = [], 200, threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                receiver.take(self, body)

            def log_message(self, *args):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Quiet(('127.0.0.1', port), Handler)
        self.port = self.server.server_address[1]
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket,
                                                 server_side=True)
        self.url = 'http%s://127.0.0.1:%d/hook' % ('s' if tls else '',
                                                   self.port)
        threading.Thread(target=self.server.serve_forever, args=(0.05,),
                         daemon=True).start()

    def take(self, handler, body):
        answer = self.answer
        if callable(answer):
            answer = answer(handler, body)
        if answer is None:
            return
        with self.lock:
            self.got.append((dict(handler.headers), json.loads(body), body,
                             answer))
        handler.send_response(answer)
        if answer in (301, 307):
            handler.send_header('Location', self.url + '/elsewhere')
        handler.send_header('Content-Length', '0')
        handler.end_headers()

    def events(self):
        """What was accepted, without repetitions, in the order of arrival."""
        seen, out = set(), []
        with self.lock:
            for _, event, _, answer in self.got:
                if answer < 300 and event['event_id'] not in seen:
                    seen.add(event['event_id'])
                    out.append(event)
        return out

    def wait(self, n, timeout=60):
        wait_for(lambda: len(self.events()) >= n, timeout)
        return self.events()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def hook(url, **more):
    values = {'event_listeners': 'hook',
              'event_listeners.hook.use': 'webhook',
              'event_listeners.hook.url': url,
              'event_listeners.hook.max_wait_seconds': 1}
    values.update({'event_listeners.hook.' + k: v for k, v in more.items()})
    return {**OPEN, **values}


def collection(api, bucket='b', name='c'):
    api('PUT', '/buckets/' + bucket, user=USER)
    path = '/buckets/%s/collections/%s' % (bucket, name)
    assert api('PUT', path, user=USER).status in (200, 201)
    return path


def outbox(server, *args):
    r = subprocess.run([CLIQUET, '--ini', server.ini, 'outbox', *args],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return r.returncode, r.stdout.decode()


def payloads(t):
    """What arrives, in which order, signed how."""
    r = Receiver()
    server, api = start_kinto(t, includes='prometheus', **hook(
        r.url, secret='s3cret', resources='record'))
    path = collection(api)
    a = api('POST', path + '/records', {'data': {'n': 1}}, user=USER)
    uri = '%s/records/%s' % (path, a.data['id'])
    b = api('PATCH', uri, {'data': {'n': 2}}, user=USER)
    api('GET', uri, user=USER)
    c = api('DELETE', uri, user=USER)
    events = r.wait(3)
    t.equal([e['action'] for e in events], ['create', 'update', 'delete'],
            'changes of a resource arrive, in order')
    head = {k: events[1][k] for k in (
        'timestamp', 'action', 'uri', 'resource_name', 'bucket_id',
        'collection_id', 'record_id')}
    t.equal(head, {'timestamp': b.data['last_modified'], 'action': 'update',
                   'uri': uri, 'resource_name': 'record', 'bucket_id': 'b',
                   'collection_id': 'c', 'record_id': a.data['id']},
            'the payload of an update')
    t.ok(events[0]['user_id'].startswith('basicauth:') and
         events[0]['uri'] == path + '/records' and
         'record_id' not in events[0], 'that of a POST has no record_id')
    t.equal(events[1]['impacted_objects'],
            [{'new': b.data, 'old': a.data}], 'its objects')
    t.equal(events[2]['impacted_objects'],
            [{'new': c.data, 'old': b.data}], 'those of a deletion')
    headers, _, body, _ = r.got[0]
    headers = {k.lower(): v for k, v in headers.items()}
    signed = ('%s.%s.' % (headers['webhook-id'],
                          headers['webhook-timestamp'])).encode() + body
    mac = base64.b64encode(hmac.new(b's3cret', signed,
                                    hashlib.sha256).digest()).decode()
    t.equal(headers['webhook-signature'], 'v1,' + mac, 'the signature')
    t.equal(headers['webhook-id'], events[0]['event_id'], 'the id')
    n = len(r.events())
    answer = api('POST', '/batch', {'requests': [
        {'method': 'POST', 'path': path + '/records', 'body': {'data': {}}},
        {'method': 'PUT', 'path': path + '/records/x', 'body': {'data': {}}},
        {'method': 'PATCH', 'path': path + '/records/none',
         'body': {'data': {}}}]}, user=USER)
    t.equal([x['status'] for x in answer.body['responses']], [201, 201, 404],
            'a batch')
    r.wait(n + 1)
    time.sleep(0.3)             # for what should not come
    events = r.events()
    t.equal((len(events) - n, len(events[-1]['impacted_objects'])), (1, 2),
            'a batch is one event with its objects')
    big = 'x' * 150000
    api('POST', '/batch', {'requests': [
        {'method': 'PUT', 'path': '%s/records/big%d' % (path, i),
         'body': {'data': {'big': big}}} for i in range(12)]}, user=USER)
    parts = wait_for(lambda: sum(len(e['impacted_objects']) for e in
                                 r.events()[n + 1:]) == 12, 60)
    t.ok(parts and len(r.events()) - n - 1 == 2,
         'a large event comes in parts')
    t.ok(max(len(x[2]) for x in r.got) < 1300000, 'none of them large')

    def delivered():
        text = server.get('/v1/__metrics__').body.decode()
        return re.search(r'^kinto_outbox_delivered_total\{listener="hook"\} '
                         r'%d(\.0)?$' % len(r.got), text, re.M)
    t.ok(wait_for(delivered, 60), 'what was delivered is counted')
    t.equal(server.stop(), 0, 'the server stops')
    t.ok(not children(server.pid), 'nothing stays behind')
    r.close()


def reads(t):
    r = Receiver()
    server, api = start_kinto(t, **hook(r.url, actions='read',
                                        resources='record', objects='true'))
    path = collection(api)
    a = api('PUT', path + '/records/r', {'data': {'n': 1}}, user=USER)
    got = api('GET', path + '/records/r', user=USER)
    t.equal((got.status, got.data), (200, a.data), 'a read is answered')
    api('GET', path + '/records', user=USER)
    events = r.wait(2)
    t.equal([(e['action'], e.get('record_id'), e['read_objects'])
             for e in events], [('read', 'r', [a.data]),
                                ('read', None, [a.data])], 'read events')
    server.stop()
    r.close()


def down(t):
    """The target is down, slow, wrong: no request notices."""
    r = Receiver()
    r.answer = 500
    server, api = start_kinto(t, **hook(r.url, resources='record',
                                        timeout_seconds=1, max_attempts=2,
                                        secret='k3y', headers='X-K: k3y'))
    path = collection(api)
    times = []
    for i in range(20):
        since = time.monotonic()
        api('PUT', '%s/records/r%d' % (path, i), user=USER)
        times.append(time.monotonic() - since)
    t.ok(statistics.median(times) < 0.5, 'requests do not wait for a target '
         'that answers 500')
    wait_for(lambda: len(r.got) >= 2, 60)
    asked = []

    def silent(handler, body):
        asked.append('silent')
        time.sleep(2)
    r.answer = silent
    api('PUT', path + '/records/r20', user=USER)
    wait_for(lambda: 'silent' in asked, 60)
    time.sleep(1)
    r.answer = 301
    wait_for(lambda: r.got[-1][3] == 301, 60)
    t.ok(all(h['webhook-id'] == r.got[0][0]['webhook-id']
             for h, _, _, _ in r.got), 'the first one is tried again')

    def huge(handler, body):
        asked.append('huge')
        handler.send_response(500)
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(1000):
                handler.wfile.write(b'x' * 65536)
        handler.close_connection = True
    r.answer = huge
    wait_for(lambda: 'huge' in asked, 60)
    code, text = outbox(server, 'list')
    t.ok(code == 0 and re.search(r'hook: 21 waiting \(the oldest for \d+ s\)'
                                 r', 0 put aside', text), 'outbox list')
    r.answer = 200
    ids = [e['record_id'] for e in r.wait(21)]
    t.equal(ids, ['r%d' % i for i in range(21)],
            'all arrive in order when it is back')
    t.ok(server.logged('events wait, because', 60) and
         server.logged('delivered again, after', 60), 'the log says so')
    # Refused: put aside, tried again on request.
    r.answer = 422
    api('PUT', path + '/records/bad', user=USER)
    t.ok(server.logged('put aside', 60), 'what is refused is put aside')
    r.answer = 200
    api('PUT', path + '/records/good', user=USER)
    t.equal(r.wait(22)[-1]['record_id'], 'good', 'and holds up nothing')
    # The receiver has it before the outbox forgets it.
    wait_for(lambda: '0 waiting, 1 put aside' in outbox(server, 'list')[1],
             60, 0.2)
    code, text = outbox(server, 'list', 'hook')
    line = re.search(r'(\S+)  (\S+Z)  refused: the answer is 422', text)
    t.ok(code == 0 and line and '0 waiting, 1 put aside' in text,
         'it is listed')
    t.equal(outbox(server, 'retry', 'hook', line and line.group(1) or '?'),
            (0, 'hook: 1 events wait again\n'), 'outbox retry')
    t.equal(r.wait(23)[-1]['record_id'], 'bad', 'it arrives')
    t.equal(outbox(server, 'retry', 'hook', 'nothing')[0], 1,
            'an id that is not there')
    t.equal(outbox(server, 'drop', 'nobody')[0], 1, 'no such listener')
    t.equal(outbox(server, 'explode')[0], 2, 'no such verb')
    r.answer = 422
    api('PUT', path + '/records/worse', user=USER)
    wait_for(lambda: ', 1 put aside' in outbox(server, 'list')[1], 60, 0.2)
    t.equal(outbox(server, 'drop', 'hook'), (0, 'hook: 1 events dropped\n'),
            'outbox drop')
    r.answer = 500
    api('PUT', path + '/records/never', user=USER)
    t.equal(outbox(server, 'drop', 'hook', 'waiting'),
            (0, 'hook: 1 events dropped\n'), 'drop what waits')
    # Deliverers come back.
    pid = [p for p in children(server.pid) if name(p) == 'cliquetd-outbox']
    os.kill(pid[0], signal.SIGKILL)
    r.answer = 200
    api('PUT', path + '/records/later', user=USER)
    t.equal(r.wait(24)[-1]['record_id'], 'later',
            'a killed process is replaced')
    code, text = t.run([CLIQUET, '--ini', server.ini, 'dump-config'])
    t.ok(code == 0 and 'event_listeners.hook.max_attempts = 2' in text and
         'k3y' not in text, 'settings are shown, secrets are not')
    server.stop()
    r.close()


def tls(t):
    if not shutil.which('openssl'):
        return t.skip('TLS', 'no openssl')
    key, cert = t.path('key.pem'), t.path('cert.pem')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:P-256', '-nodes', '-keyout', key,
                    '-out', cert, '-days', '2', '-subj', '/CN=x', '-addext',
                    'subjectAltName=IP:127.0.0.1'], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    r = Receiver(tls=context)
    server, api = start_kinto(t, **hook(r.url, resources='bucket'))
    api('PUT', '/buckets/b', user=USER)
    t.ok(server.logged('events wait, because.*certificate', 60),
         'a certificate of nobody')
    t.equal(r.events(), [], 'nothing is sent to it')
    with open(server.ini, 'a') as f:
        f.write('event_listeners.hook.ca_file = %s\n' % cert)
    server.signal(signal.SIGHUP)
    t.equal(len(r.wait(1)), 1, 'after a reload it is trusted')
    server.stop()
    r.close()


def counted(server):
    """Who delivers counts what waits when it starts, and each ten seconds."""
    wait_for(lambda: b'\nkinto_outbox_waiting{listener="hook"} 0' in
             server.get('/v1/__metrics__').body, 60)


def full(t):
    """More wait than may."""
    # Bound, so that it is nobody else's; the receiver may have it all the same.
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(('127.0.0.1', 0))
    port = kept.getsockname()[1]
    settings = hook('http://127.0.0.1:%d/' % port, resources='record',
                    max_entries=3)
    server, api = start_kinto(t, includes='prometheus', **settings)
    counted(server)
    path = collection(api)
    codes = [api('PUT', '%s/records/r%d' % (path, i), user=USER).status
             for i in range(6)]
    t.equal(codes, [201] * 6, 'changes go on when the outbox is full')
    t.ok(server.logged('events are lost, because 3 wait', 60), 'it is said')
    r = Receiver(port)
    t.equal([e['record_id'] for e in r.wait(3)], ['r0', 'r1', 'r2'],
            'the oldest were kept')
    wait_for(lambda: outbox(server, 'list')[1].startswith('hook: 0 '), 60)
    api('PUT', path + '/records/new', user=USER)
    t.equal(r.wait(4)[-1]['record_id'], 'new', 'and there is room again')
    server.stop()
    r.close()
    server, api = start_kinto(t, includes='prometheus', **settings,
                              **{'event_listeners.hook.when_full': 'refuse'})
    counted(server)
    path = collection(api)
    codes = [api('PUT', '%s/records/r%d' % (path, i), user=USER).status
             for i in range(4)]
    t.equal(codes, [201] * 3 + [503], 'or changes are refused')
    t.equal(api('GET', path + '/records/r3', user=USER).status, 404,
            'what was refused is not there')
    server.stop()


def command(t):
    out = t.path('said')
    program = t.path('program')
    with open(program, 'w') as f:
        f.write('''#!/bin/bash
[ "$2" = '$HOME;x' ] || exit 1
read -r line
case $line in
*slow*) sleep 60 ;;
*loud*) exec yes >&2 ;;
*refuse*) echo no, thanks >&2; exit 1 ;;
*deaf*) exit 0 ;;
esac
echo "$1 $CLIQUET_LISTENER $CLIQUET_EVENT_ID $line" >> "$3"
''')
    os.chmod(program, 0o755)
    server, api = start_kinto(t, **OPEN, **{
        'event_listeners': 'run', 'event_listeners.run.use': 'command',
        'event_listeners.run.command': "%s one $HOME;x %s" % (program, out),
        'event_listeners.run.timeout_seconds': 3,
        'event_listeners.run.max_wait_seconds': 1,
        'event_listeners.run.max_attempts': 2,
        'event_listeners.run.max_age_seconds': 8,
        'event_listeners.run.resources': 'bucket'})
    api('PUT', '/buckets/b1', user=USER)

    def lines():
        with contextlib.suppress(OSError):
            with open(out) as f:
                return f.read().splitlines()
        return []
    t.ok(wait_for(lambda: len(lines()) == 1, 60), 'a program is run')
    first = lines()[0].split(' ', 3)
    event = json.loads(first[3])
    t.equal((first[:2], first[2], event['bucket_id']),
            (['one', 'run'], event['event_id'], 'b1'),
            'with arguments, environment and event')
    api('PUT', '/buckets/deaf', {'data': {'x': 'y' * 300000}}, user=USER)
    api('PUT', '/buckets/refuse', user=USER)
    t.ok(server.logged('says: no, thanks', 60) and
         server.logged('(refused|too old): its exit status is 1', 60),
         'one that refuses is heard')
    api('PUT', '/buckets/slow', user=USER)
    t.ok(server.logged('too old: it ran for more than 3 seconds', 60),
         'one that takes too long is killed')
    api('PUT', '/buckets/b2', user=USER)
    t.ok(wait_for(lambda: len(lines()) == 2, 60), 'the next event comes through')
    api('PUT', '/buckets/loud', user=USER)
    api('PUT', '/buckets/b3', user=USER)
    t.ok(wait_for(lambda: len(lines()) == 3, 60),
         'and after one that does not stop talking')
    t.equal(server.stop(), 0, 'the server stops')

    def left():
        return subprocess.run(['pgrep', '-f', program],
                              stdout=subprocess.PIPE).stdout
    # What was killed may take a moment.
    t.ok(wait_for(lambda: left() == b'', 30), 'no program is left')


def redis(t):
    if not shutil.which('redis-server'):
        return t.skip('redis', 'no redis-server')
    sock = t.path('redis.sock')

    def start():
        with open(t.path('redis.out'), 'ab') as f:
            p = subprocess.Popen(['redis-server', '--port', '0',
                                  '--unixsocket', sock, '--save', '',
                                  '--dir', t.dir, '--requirepass', 'p:w'],
                                 stdout=f, stderr=f)
        t.procs.append(p)
        return p

    def lrange():
        r = subprocess.run(['redis-cli', '-s', sock, '-a', 'p:w',
                            '--no-auth-warning', 'LRANGE', 'my.events', '0',
                            '-1'], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
        return [json.loads(x) for x in r.stdout.splitlines()
                if x.startswith(b'{')]
    server, api = start_kinto(t, **OPEN, includes='kinto_redis', **{
        'event_listeners': 'redis',
        'event_listeners.redis.use': 'kinto_redis.listeners',
        'event_listeners.redis.url': 'unix://:p%%3Aw@' + sock,
        'event_listeners.redis.listname': 'my.events',
        'event_listeners.redis.pool_size': 5,
        'event_listeners.redis.max_wait_seconds': 1,
        'event_listeners.redis.actions': 'create',
        'event_listeners.redis.resources': 'bucket'})
    t.equal([api('PUT', '/buckets/b%d' % i, user=USER).status
             for i in range(3)], [201] * 3, 'Redis is down: no request fails')
    t.ok(server.logged('events wait, because.*redis: ', 60), 'it is said')
    p = start()
    t.ok(wait_for(lambda: len(lrange()) == 3, 60), 'the events come later')
    got = lrange()
    t.equal([e['bucket_id'] for e in got], ['b2', 'b1', 'b0'], 'by LPUSH')
    t.equal(sorted(got[0]), ['action', 'bucket_id', 'event_id',
                             'resource_name', 'timestamp', 'uri', 'user_id'],
            'the payload, without objects')
    p.terminate()
    p.wait()
    api('PUT', '/buckets/b3', user=USER)
    start()
    t.ok(wait_for(lambda: [e['bucket_id'] for e in lrange()] == ['b3'],
                  60),
         'Redis starts again')
    server.stop()


def log(t):
    server, api = start_kinto(t, **OPEN, log_level='info', **{
        'event_listeners': 'one two', 'event_listeners.one.use': 'log',
        'event_listeners.one.resources': 'bucket',
        'event_listeners.two.use': 'log',
        'event_listeners.two.format': 'json',
        'event_listeners.two.resources': 'collection'})
    collection(api)
    t.ok(server.logged(r'listener one: create bucket /buckets/b by '
                       r'basicauth:\w+, 1 objects', 60), 'log as text')
    server.logged(r'listener two: \{.*\}', 60)
    line = re.search(r'listener two: (\{.*\})', server.text())
    t.ok(line and json.loads(line.group(1))['collection_id'] == 'c',
         'log as JSON')
    t.ok(not [p for p in children(server.pid)
              if name(p) == 'cliquetd-outbox'], 'it needs no process')
    server.stop()


def refused(t):
    """What does not start: file, line, remedy."""
    good = {'use': 'webhook', 'url': 'http://127.0.0.1/'}
    for change, message in (
            ({'use': 'nothing'}, 'event_listeners.h.use'),
            ({'use': None}, 'the listener "h" needs it'),
            ({'url': None}, 'the URL that events are sent to'),
            ({'url': 'ftp://x/'}, 'begins with http:// or https://'),
            ({'url': 'http://u:p@x/'}, "names a user"),
            ({'url': 'http://:x:y/'}, 'event_listeners.h.url'),
            ({'secret': 'whsec_%%'}, 'is no base64'),
            ({'headers': 'nonsense'}, 'is no list of headers'),
            ({'timeout_seconds': '0'}, 'event_listeners.h.timeout_seconds'),
            ({'processes': '17'}, 'event_listeners.h.processes'),
            ({'when_full': 'panic'}, 'is not one of drop, refuse'),
            ({'actions': 'explode'}, 'is not one of create'),
            ({'resources': 'mushroom'}, 'there is no resource'),
            ({'use': 'redis', 'url': 'http://x'}, 'is no URL of Redis'),
            ({'use': 'command'}, 'a program and its arguments'),
            ({'use': 'command', 'command': 'true'}, 'no absolute path'),
            ({'use': 'command', 'command': '/none'}, 'No such file'),
            ({'use': 'log', 'format': 'xml'}, 'is not one of text, json')):
        options = {'event_listeners.h.' + k: v
                   for k, v in {**good, **change}.items() if v is not None}
        ini = t.ini(use='kinto', userid_hmac_secret='x',
                    storage_backend='memory', permission_backend='memory',
                    cache_backend='memory', project_version=None,
                    socket=t.path('refused.sock'), event_listeners='h',
                    **options)
        code, text = t.run([CLIQUETD, ini])
        t.ok(code != 0 and message in text and re.search(
            r'\.ini:\d+|event_listeners\.h\.', text),
             'refused: %s' % change)
        if message not in text:
            print('#', text[-500:])


def single(t):
    """A process without a master, as spawn-fcgi starts it."""
    r = Receiver()
    path = t.name('.sock')
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(16)
        ini = t.ini(use='kinto', userid_hmac_secret='x', workers=None,
                    project_version=None, cache_backend='memory',
                    **database(t), **hook(r.url, resources='bucket'))
        server = t.spawn([CLIQUETD, ini], path, stdin=listening)
    api = Api(server)
    wait_for(api.up, 60)
    api('PUT', '/buckets/b', user=USER)
    t.equal(len(r.wait(1)), 1, 'a process without a master delivers too')
    nurse = [p for p in children(server.pid) if name(p) == 'cliquetd-nurse']
    pids = children(nurse[0])
    os.kill(pids[0], signal.SIGKILL)
    time.sleep(0.2)
    wait_for(lambda: api('PUT', '/buckets/b', user=USER).status != 200 or
             r.wait(3, 1)[2:], 60, 0.5)
    t.ok(len(r.events()) > 2, 'and goes on when that part is killed')
    pids += children(nurse[0])
    t.equal(server.stop(), 0, 'it stops')
    t.ok(wait_for(lambda: not any(map(alive, nurse + pids)), 30),
         'nothing stays behind')
    r.close()


def owners(t):
    """A lane whose owner has ended is free, whoever has its number now."""
    r = Receiver()
    files = database(t)
    settings = dict(hook(r.url, resources='record'), **files)
    server, api = start_kinto(t, **settings)
    path = collection(api)
    api('PUT', path + '/records/a', user=USER)
    r.wait(1)
    server.stop()
    with open('/proc/self/stat') as f:
        us = int(f.read().rpartition(')')[2].split()[19])

    def belongs(began):
        db = sqlite3.connect(files['storage_url'])
        where = " FROM objects WHERE parent = '/outbox/hook/owners'"
        for row, data in db.execute('SELECT rowid, data' + where).fetchall():
            data = dict(json.loads(data), pid=os.getpid(), began=began,
                        until=int(time.time() * 1000) + 600000)
            db.execute('UPDATE objects SET data = ? WHERE rowid = ?',
                       (json.dumps(data), row))
        db.commit()
        db.close()
    belongs(us)
    server, api = start_kinto(t, **settings)
    api('PUT', path + '/records/b', user=USER)
    t.equal(len(r.wait(2, 3)), 1, 'a lane that somebody has is left alone')
    server.stop()
    belongs(us - 1)
    server, api = start_kinto(t, **settings)
    t.equal([e['record_id'] for e in r.wait(2)], ['a', 'b'],
            'one whose owner has ended is not')
    server.stop()
    r.close()


def guide(t):
    """The listener of docs/listeners.md, as it stands."""
    with open(os.path.join(SRC, 'docs', 'listeners.md')) as f:
        code = re.search(r'```c\n(.*?)```', f.read(), re.S).group(1)
    source, plugin, out = t.path('tofile.c'), t.path('tofile.so'), \
        t.path('events')
    with open(source, 'w') as f:
        f.write(code)
    cjson = subprocess.run(['pkg-config', '--cflags', 'libcjson'],
                           stdout=subprocess.PIPE).stdout.decode().split()
    r = t.run([os.environ.get('CC', 'cc').split()[-1], '-std=gnu11', '-Wall',
               '-Wextra', '-Werror', '-fPIC', '-shared', '-o', plugin,
               '-I' + os.path.join(SRC, 'core', 'include'), *cjson, source])
    if not t.equal(r, (0, ''), 'the listener of the guide compiles'):
        return
    server, api = start_kinto(t, **OPEN, **{
        'event_listeners': 'disk', 'event_listeners.disk.use': plugin,
        'event_listeners.disk.file': out,
        'event_listeners.disk.resources': 'bucket'})
    api('PUT', '/buckets/b', user=USER)

    def lines():
        with contextlib.suppress(OSError, ValueError):
            with open(out) as f:
                return [json.loads(x) for x in f]
        return []
    t.ok(wait_for(lambda: [e['bucket_id'] for e in lines()] == ['b'], 60),
         'it writes events to its file')
    server.stop()


def listens(address):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(address) == 0


def kills(t):
    """Everything is killed, again and again: nothing acknowledged is lost."""
    r = Receiver()
    dice = random.Random(7)
    r.answer = lambda h, b: 500 if dice.random() < 0.01 else 200
    settings = hook(r.url, resources='record', processes=2)
    server, api = start_kinto(t, **settings)
    paths = [collection(api, 'b', 'c%d' % i) for i in range(4)]
    acknowledged, stop, lock = [], threading.Event(), threading.Lock()

    def write(k):
        i = 0
        while not stop.is_set():
            uri = '%s/records/w%d-%d' % (paths[(i + k) % 4], k, i)
            i += 1
            with contextlib.suppress(OSError, fcgi.Closed, ValueError):
                if api('PUT', uri, user=USER).status == 201:
                    with lock:
                        acknowledged.append(uri)
                    continue
            time.sleep(0.02)
    writers = [threading.Thread(target=write, args=(k,)) for k in range(3)]
    for w in writers:
        w.start()
    for round_ in range(4):
        time.sleep(0.7)
        pids = children(server.pid)
        if round_ % 2 == 0:
            pids.append(server.pid)
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if round_ % 2 == 0:
            server.popen.wait()
            wait_for(lambda: not any(map(alive, pids)), 60)
            # Those that keep its connections go by themselves.
            wait_for(lambda: not listens(server.address), 60)
            again = t.spawn([CLIQUETD, server.ini], server.address,
                            log=server.log)
            again.ini = server.ini
            server = api.server = again
            wait_for(api.up, 60)
    wait_for(lambda: len(acknowledged) > 100, 60)
    time.sleep(0.5)
    stop.set()
    for w in writers:
        w.join()
    wanted = set(acknowledged)

    def missing():
        return wanted - {e['uri'] for e in r.events()}
    wait_for(lambda: not missing(), 60)
    t.equal(sorted(missing())[:5], [], '%d acknowledged changes, all arrive'
            % len(wanted))
    t.ok(len(wanted) > 50, 'there were some')
    last, wrong = {}, 0
    for e in r.events():
        key = e['collection_id']
        wrong += e['timestamp'] <= last.get(key, 0)
        last[key] = e['timestamp']
    t.equal(wrong, 0, 'those of one list arrive in order')
    repeated = len(r.got) - len(r.events())
    print('# %d arrived, %d of them again or refused' % (len(r.got),
                                                       repeated))
    t.ok(wait_for(lambda: outbox(server, 'list')[1].startswith('hook: 0 '),
                  60, 0.2), 'and the outbox is empty')
    server.stop()
    r.close()


with Test() as t:
    which = (os.environ.get('CLQ_TEST_ONLY') or 'payloads reads down tls full '
             'command redis log refused single owners guide kills').split()
    for part in which:
        since = time.monotonic()
        globals()[part](t)
        print('# %s took %.1f s' % (part, time.monotonic() - since))
