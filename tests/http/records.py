# SPDX-License-Identifier: Apache-2.0
"""FastCGI on the wire: what is answered, what is refused, what is closed.

Each check is followed by a good request, so that "never crashes" is seen; at
the end the workers are still those of the start, with no descriptor more.
"""
import contextlib
import json
import os
import select
import signal
import socket
import struct
import time

import fcgi
from fcgi import (ABORT, BEGIN, DATA, GET_VALUES, GET_VALUES_RESULT, PARAMS,
                  STDIN, STDOUT, UNKNOWN_TYPE, Closed, Conn, begin, environ,
                  pairs, record, stream)
from harness import Test, fds, freeze, wait_for

MAX_BODY = 1 << 20
MAX_PARAMS = 128 << 10
PATIENT = 60            # connection_read_timeout: nothing ends because of it
SOON = 30               # what ends before has another reason


def params(method='GET', uri='/v1/env', headers=(), **more):
    return pairs(environ(method, uri, headers, **more))


def raw(method='GET', uri='/v1/env', body=b'', rid=1, keep=True, **more):
    return (begin(rid, keep=keep) +
            stream(PARAMS, rid, params(method, uri, **more)) +
            stream(STDIN, rid, body))


def fine(t, s, what):
    """The server is well: says so only if not."""
    try:
        r = fcgi.request(s.address, 'GET', '/v1/env')
        good = r.status == 200
    except (OSError, Closed):
        good = False
    if not good:
        t.ok(False, 'alive after: ' + what)


def refusal(t, r, status, errno, what):
    try:
        body = r.json()
        got = (r.status, body['code'], body['errno'],
               r.headers.get('content-type'))
    except (ValueError, KeyError):
        got = r.out
    t.equal(got, (status, status, errno, 'application/json'), what)


def kept(t, s):
    c = Conn(s.address)
    pids = set()
    for i in range(1, 6):
        r = c.request('GET', '/v1/env?value=%d' % i, rid=i)
        pids.add(r.json()['pid'])
        if r.json()['param'] != str(i):
            break
    t.equal((i, len(pids)), (5, 1), 'five requests on a kept connection')
    r = c.request('POST', '/v1/echo', body=b'x' * 100000)
    t.equal(r.body, b'x' * 100000, 'a body of 100 kB on it')
    r = c.request('GET', '/v1/env')
    t.equal(r.json()['body'], 0, 'no body is left over for the next')
    c.ask('GET', '/v1/env', keep=False)
    t.equal(c.response().status, 200, 'the last one, without FCGI_KEEP_CONN')
    t.ok(c.closed(SOON), 'is followed by the end of the connection')


def pieces(t, s):
    c = Conn(s.address)
    for byte in raw(body=b'hello', CONTENT_LENGTH='5'):
        c.send(bytes([byte]))
    t.equal(c.response().json()['body'], 5, 'byte by byte')
    data = params(headers=[('X-Test', 'v' * 300)], uri='/v1/env?name=X-Test')
    c.send(begin(padding=7) + stream(PARAMS, 1, data, 1, 3) +
           stream(STDIN, 1, b'body', 1, 5))
    t.equal(c.response().json(), dict(
        c.request('GET', '/v1/env').json(), header='v' * 300, body=4),
        'records of one byte, padding everywhere')
    c.send(begin() + stream(PARAMS, 1, params(), padding=255) +
           stream(STDIN, 1, b'', padding=255))
    t.equal(c.response().status, 200, 'padding after the last record')
    t.equal(c.request('GET', '/v1/env').status, 200, 'is not left over')
    body = os.urandom(MAX_BODY)
    r = c.request('POST', '/v1/echo', body=body)
    t.ok(r.body == body, 'a body of max_body_bytes')
    c.send(begin() + stream(PARAMS, 1, params('POST', '/v1/echo')))
    for i in range(20):
        c.send(record(STDIN, 1, b'z' * 1000))
        time.sleep(0.005)
    c.send(record(STDIN, 1))
    t.equal(c.response().body, b'z' * 20000,
            'a body in pieces, without CONTENT_LENGTH')
    r = c.request('GET', '/v1/big/5000000')
    t.equal((r.status, len(r.body), r.body[:3]), (200, 5000000, b'abc'),
            'an answer of 5 MB')
    r = c.request('GET', '/v1/env?name=X-Big', headers=[
        ('X-Big', 'a' * 60000), ('X-Bigger', 'b' * 60000)])
    t.equal(r.json()['header'], 'a' * 60000, 'parameters of 120 kB')
    c.close()


def meaning(t, s):
    def env(uri, headers=(), **more):
        return fcgi.request(s.address, 'GET', uri, headers, **more).json()

    r = env('/v1/env?name=Accept-Language&value=a%2Fb+c',
            [('Accept-Language', 'fr')])
    t.equal((r['header'], r['param']), ('fr', 'a/b c'),
            'header names, query string')
    for name in 'AUTHORIZATION', 'REDIRECT_HTTP_AUTHORIZATION':
        r = env('/v1/env?name=Authorization', **{name: 'Basic x'})
        t.equal(r['header'], 'Basic x', 'Authorization from ' + name)
    r = env('/v1/env?name=Content-Type', CONTENT_TYPE='text/x')
    t.equal(r['header'], 'text/x', 'Content-Type')
    r = env('/v1/env?name=Content-Type', CONTENT_TYPE='')
    t.equal(r['header'], None, 'an empty CONTENT_TYPE is none')
    r = env(None or '/x', REQUEST_URI=None, SCRIPT_NAME='/v1',
            PATH_INFO='/env', QUERY_STRING='value=1')
    t.equal((r['path'], r['param']), ('/v1/env', '1'), 'no REQUEST_URI')
    r = env('http://else.where:1/v1/env?value=2')
    t.equal((r['path'], r['param']), ('/v1/env', '2'), 'absolute REQUEST_URI')

    def location(**more):
        r = fcgi.request(s.address, 'GET', '/x', **more)
        return r.headers.get('location')

    t.equal(location(), 'http://localhost/v1/x', 'http, Host')
    t.equal(location(HTTPS='on'), 'https://localhost/v1/x', 'HTTPS=on')
    t.equal(location(HTTPS='off'), 'http://localhost/v1/x', 'HTTPS=off')
    t.equal(location(REQUEST_SCHEME='https'), 'https://localhost/v1/x',
            'REQUEST_SCHEME')
    t.equal(location(HTTP_HOST=None, SERVER_NAME='a.b', SERVER_PORT='8080'),
            'http://a.b:8080/v1/x', 'SERVER_NAME and SERVER_PORT')
    r = fcgi.request(s.address, 'HEAD', '/v1/env')
    t.equal((r.status, r.body, int(r.headers['content-length']) > 20),
            (200, b'', True), 'HEAD')
    r = fcgi.request(s.address, 'BREW', '/v1/env')
    refusal(t, r, 405, 115, 'an unknown method')
    r = fcgi.request(s.address, 'GET', '/v1/%ff')
    refusal(t, r, 400, 107, 'a path that is not UTF-8')


def lengths(t, s):
    for cl, what in [('4', 'short'), ('6', 'long'), ('-1', 'negative'),
                     ('abc', 'no number'), ('5 ', 'blank'), ('+5', 'sign'),
                     ('99999999999999999999999', 'beyond 64 bits'),
                     ('18446744073709551621', '5 modulo 2^64')]:
        c = Conn(s.address)
        r = c.request('POST', '/v1/echo', body=b'hello', CONTENT_LENGTH=cl)
        refusal(t, r, 400, 107, 'CONTENT_LENGTH %s: %s' % (cl, what))
        t.equal(c.request('GET', '/v1/env').status, 200, '... and on')
        c.close()
    for cl in None, '', '5', '0005':
        r = fcgi.request(s.address, 'POST', '/v1/echo', body=b'hello',
                         CONTENT_LENGTH=cl)
        t.equal(r.body, b'hello', 'CONTENT_LENGTH %r' % cl)
    c = Conn(s.address)
    r = c.request('POST', '/v1/echo', body=b'x' * (MAX_BODY + 1))
    refusal(t, r, 413, 113, 'a body of one byte too many')
    t.equal(c.request('GET', '/v1/env').status, 200,
            'the connection is good for more')
    r = c.request('POST', '/v1/echo', body=b'x' * (5 << 20))
    refusal(t, r, 413, 113, 'a body of 5 MB')
    c.close()
    endless(t, s)


def endless(t, s):
    """A body without end is answered and left."""
    c = Conn(s.address)
    c.send(begin() + stream(PARAMS, 1, params('POST', '/v1/echo')))
    sent, chunk = 0, record(STDIN, 1, b'y' * 65535) * 16
    try:
        while sent < 200 << 20:
            c.send(chunk)
            sent += len(chunk)
    except OSError:
        pass
    t.ok(sent < 200 << 20, 'a body without end is not read for ever')
    try:
        refusal(t, c.response(), 413, 113, 'but answered')
    except Closed:
        t.ok(False, 'but answered')
    c.close()


def too_much(t, s):
    many = [('X-%d' % i, 'v') for i in range(10000)]
    c = Conn(s.address)
    r = c.request('GET', '/v1/env', many)
    refusal(t, r, 400, 107, '10,000 headers')
    r = c.request('GET', '/v1/env', many[:5000], HTTP_ORIGIN='http://o')
    refusal(t, r, 400, 107, '5,000 headers')
    t.equal(r.headers.get('access-control-allow-origin'), '*',
            'with CORS headers')
    r = c.request('GET', '/v1/env', [('X', 'a' * 60000)] * 1 + [
        ('Y', 'b' * 60000), ('Z', 'c' * 60000)])
    refusal(t, r, 400, 107, 'parameters over max_params_bytes')
    r = c.request('GET', '/v1/env', [('X', 'a\0b')])
    refusal(t, r, 400, 107, 'a NUL in a value')
    for what, bad in [
            ('a value longer than the stream', b'\x01\x05Xab'),
            ('a name of 2 GB', b'\xff\xff\xff\xff\xff\xff\xff\xffX'),
            ('a length cut off', b'\x01\x80\0'),
            ('a name without a value', b'\x05')]:
        c.send(begin() + stream(PARAMS, 1, params() + bad) +
               stream(STDIN, 1, b''))
        refusal(t, c.response(), 400, 107, 'parameters: ' + what)
        fine(t, s, what)
    c.send(begin() + stream(PARAMS, 1, b'') + stream(STDIN, 1, b''))
    t.ok(c.response().status in (307, 404), 'no parameters at all')
    t.equal(c.request('GET', '/v1/env').status, 200, 'and on')
    c.close()


def control(t, s):
    c = Conn(s.address)
    c.send(record(GET_VALUES, 0, pairs([
        ('FCGI_MAX_CONNS', ''), ('FCGI_MPXS_CONNS', ''), ('OTHER', '')])))
    kind, rid, content = c.read_record()
    t.equal((kind, rid, content), (GET_VALUES_RESULT, 0, pairs([
        ('FCGI_MAX_CONNS', '1'), ('FCGI_MPXS_CONNS', '0')])), 'GET_VALUES')
    c.send(record(GET_VALUES, 0, b'\xff' * 3000))
    t.equal(c.read_record()[:2], (GET_VALUES_RESULT, 0),
            'GET_VALUES with nonsense')
    c.send(record(99, 0, b'abc'))
    t.equal(c.read_record(), (UNKNOWN_TYPE, 0, b'\x63' + b'\0' * 7),
            'unknown management record')
    c.send(begin(1, role=2) + stream(PARAMS, 1, params()) +
           stream(STDIN, 1, b''))
    t.equal(c.response().end, 3, 'role AUTHORIZER: UNKNOWN_ROLE')
    c.send(begin(1) + begin(2) + stream(PARAMS, 2, params()) +
           stream(STDIN, 2, b'') + stream(PARAMS, 1, params()) +
           stream(STDIN, 1, b''))
    t.equal(c.response(2).end, 1, 'a second request: CANT_MPX_CONN')
    t.equal(c.response(1).status, 200, 'the first is served')
    c.send(begin(7) + record(PARAMS, 7, params()) + record(ABORT, 7))
    r = c.response(7)
    t.equal((r.end, r.out), (0, b''), 'ABORT_REQUEST ends a request')
    c.send(record(ABORT, 7) + record(STDIN, 9, b'stray'))
    t.equal(c.request('GET', '/v1/env', rid=3).status, 200,
            'records of no request are ignored')
    c.send(begin(0xffff) + stream(PARAMS, 0xffff, params()) +
           stream(STDIN, 0xffff, b''))
    t.equal(c.response(0xffff).status, 200, 'request id 65535')
    c.send(raw() + raw(rid=2))
    t.equal(c.response(1).status, 200, 'two at once: the first is served')
    t.ok(c.closed(SOON), 'then the connection ends, nothing hangs')


def broken(t, s):
    cases = [
        ('HTTP', b'GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
        ('version 2', record(BEGIN, 1, b'\0\1\1' + b'\0' * 5, version=2)),
        ('BEGIN_REQUEST with id 0', record(BEGIN, 0, b'\0\1\1\0\0\0\0\0')),
        ('BEGIN_REQUEST of 3 bytes', record(BEGIN, 1, b'\0\1\1')),
        ('STDIN before the parameters end',
         begin() + record(PARAMS, 1, params()) + record(STDIN, 1, b'x')),
        ('PARAMS after their end',
         begin() + stream(PARAMS, 1, params()) + record(PARAMS, 1, b'x')),
        ('DATA for a responder',
         begin() + stream(PARAMS, 1, params()) + record(DATA, 1, b'x')),
        ('STDOUT from a server', begin() + record(STDOUT, 1, b'x')),
        ('noise', bytes(range(2, 256)) * 20),
    ]
    for what, data in cases:
        c = Conn(s.address)
        c.send(data)
        t.ok(c.closed(SOON), what + ': closed')
        c.close()
        fine(t, s, what)


def slow(t, s):
    """On a server of its own: here connections that say nothing end."""
    limit = 4           # its connection_read_timeout
    whole = raw()
    conns = []
    since = 0
    own = t.start(connection_read_timeout=limit, log_level='info')

    def beside(what):
        for _ in range(20):
            fine(t, own, what)

    def half_requests():
        nonlocal since
        while conns:
            conns.pop().close()
        since = time.monotonic()
        for cut in 0, 3, 8, 12, 16, 20, len(whole) - 1:
            conns.append(Conn(own.address))
            conns[-1].send(whole[:cut])
        beside('half requests')
    t.soon(limit / 2, half_requests, 'seven half requests hold nobody up')
    t.ok(all(c.closed(SOON) for c in conns), 'they are closed')
    took = time.monotonic() - since
    t.ok(took > limit * 0.9, 'after connection_read_timeout, not before '
         '(%.1f s)' % took)
    own.stop()
    for cut in 3, 20, len(whole) - 1:
        c = Conn(s.address)
        c.send(whole[:cut])
        c.close()
    fine(t, s, 'half requests and gone')
    reader = Conn(s.address)
    reader.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.ask('GET', '/v1/big/20000000')
    reader.s.recv(1, socket.MSG_PEEK)   # it is being answered

    def beside_reader():
        for _ in range(20):
            fine(t, s, 'a slow reader')
    t.soon(SOON / 2, beside_reader, 'who reads slowly holds nobody up')
    t.equal(len(reader.response().body), 20000000, 'and gets everything')
    reader.close()
    c = Conn(s.address)
    c.ask('GET', '/v1/big/20000000')
    c.close()
    c = Conn(s.address)
    c.ask('GET', '/v1/sleep/100')
    c.close()
    time.sleep(0.2)
    fine(t, s, 'gone before the answer')
    c = Conn(s.address)
    c.ask('GET', '/v1/env')
    c.s.shutdown(socket.SHUT_WR)
    t.equal(c.response().status, 200, 'half-closed after the request')
    t.ok(c.closed(SOON), 'is closed')


def prompt(act, limit):
    """What act() returns, done in less than these seconds: peers that take
    longer may be let go, and the machine may have been elsewhere."""
    for _ in range(5):
        begun = time.monotonic()
        try:
            got = act()
        except (OSError, Closed):
            got = None
        if time.monotonic() - begun < limit:
            break
    return got


def end(conns):
    """Their places are free afterwards, not a moment later."""
    for c in conns:
        with contextlib.suppress(OSError, Closed):  # it made room
            c.request('GET', '/v1/env', keep=False)
            c.closed(SOON)
        c.close()


def crowd(t, s):
    """More connections than the workers keep (8 each here)."""
    def asks():
        # Who has connected has a second to ask, when others wait.
        c = Conn(s.address)
        c.ask('GET', '/v1/env')
        return c
    conns = [prompt(asks, 0.8) for _ in range(40)]
    try:
        good = sum(c.response().status == 200 for c in conns)
    except (OSError, Closed, AttributeError):
        good = -1
    t.equal(good, 40, '40 connections, 16 places: all are answered')
    fine(t, s, 'a crowd')
    for c in conns:
        c.close()
    own = small(t)

    def beside_idle():
        idle = [Conn(own.address) for _ in range(16)]
        for c in idle:
            c.request('GET', '/v1/env')
        fine(t, own, 'idle connections')
        end(idle)
    t.soon(2, beside_idle, 'idle connections make room')
    own.stop()


def late(t, s):
    """A worker that stood still does not take those for idle whose requests
    came meanwhile, though it hears of 64 at a time."""
    own = t.start(workers=1, max_connections_per_worker=100)
    worker, = own.workers()
    end([Conn(own.address)])
    before = len(fds(worker))
    conns = [Conn(own.address) for _ in range(100)]
    wait_for(lambda: len(fds(worker)) >= before + 100)
    freeze(worker)
    conns.append(Conn(own.address))         # for whom room must be made
    for c in conns:
        c.ask('GET', '/v1/env')
    time.sleep(1.1)
    os.kill(worker, signal.SIGCONT)
    good = 0
    for c in conns:
        with contextlib.suppress(OSError, Closed):
            good += c.response().status == 200
    t.equal(good, 101, 'a stop is nobody\'s fault: all are answered')
    end(conns)
    own.stop()


def hint(t, s):
    """nginx is asked to close by a record after the end."""
    env = dict(SERVER_SOFTWARE='nginx/1.22.1')

    def hinted():
        """(the record seen, the next request's status, that of who waits)"""
        conns = [Conn(own.address) for _ in range(16)]
        for c in conns:
            c.request('GET', '/v1/env', **env)
        late = Conn(own.address)
        late.ask('GET', '/v1/env')
        ready, _, _ = select.select([c.s for c in conns], [], [], SOON)
        got = []
        for c in [c for c in conns if c.s in ready][:1]:
            got.append(c.read_record() == (fcgi.STDERR, 1, b''))
            got.append(c.request('GET', '/v1/env', **env).status)
            c.close()
        return got + [late.response().status]
    for _ in range(3):
        own = small(t)
        begun, got = time.monotonic(), None
        with contextlib.suppress(OSError, Closed):
            got = hinted()
        took = time.monotonic() - begun
        own.stop()
        if took < 4:            # who was asked to close has five seconds
            break
    t.equal(got, [True, 200, 200], 'an idle connection gets an empty STDERR '
            'record; a request sent in spite of it is served, and who waited')


def both(t, s):
    """Each worker has opened what it needs: has answered."""
    conns, pids = [], set()
    for _ in range(9):          # one of them has 8 places
        conns.append(Conn(s.address))
        pids.add(conns[-1].request('GET', '/v1/env').json()['pid'])
    end(conns)
    t.equal(s.workers(), sorted(pids), 'both workers answer')


def small(t):
    """A server of two workers with 8 places each, all of them free."""
    s = t.start(max_body_bytes=MAX_BODY, max_params_bytes=MAX_PARAMS,
                connection_read_timeout=PATIENT,
                connection_idle_timeout=PATIENT,
                max_connections_per_worker=8, log_level='info')
    both(t, s)
    return s


def main():
    with Test() as t:
        s = small(t)
        workers = s.workers()
        before = [len(fds(p)) for p in workers]
        for part in (kept, pieces, meaning, lengths, too_much, control,
                     broken, slow, crowd, late, hint):
            part(t, s)
            fine(t, s, part.__name__)
        t.equal(s.workers(), workers, 'no worker has died')
        after = []

        def as_before():
            # One descriptor of a memory file may stay in each.
            after[:] = [len(fds(p)) for p in workers]
            return all(a <= b + 1 for a, b in zip(after, before))
        t.ok(wait_for(as_before, 30),
             'no descriptor is leaked %s %s' % (before, after))
        t.equal(s.stop(), 0, 'stops')
        t.ok(json and struct, 'done')


main()
