# SPDX-License-Identifier: Apache-2.0
"""The log (section 07-9): text and JSON, files that are renamed, syslog and the
journal; full disks and readers that stop cost lines, never requests. Slow
requests, and Server-Timing."""
import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import tempfile

from api import start_kinto
from harness import CLIQUETD, PATIENCE, Server, Test, files, timed, wait_for


def lines_of(path):
    with open(path, errors='replace') as f:
        return f.read().splitlines()


def quick(t, s, what, n=30, limit=3):
    """n requests are answered, and soon."""
    def ask():
        got, took = timed(lambda: {s.get('/v1/env?n=%d' % i).status
                                   for i in range(n)})
        return took, got == {200}
    t.within(limit, ask, what)


def reopened(s, path):
    """All processes write there."""
    return wait_for(lambda: all(path in files(p)
                                for p in [s.pid, *s.workers()]))


def json_lines(t):
    log = t.name('.log')
    s = t.start(log_file=log, log_format='json', project_name='Test "1"')
    s.get('/v1/env?a=1&b=%22%0A&a=2', headers=[
        ('User-Agent', 'x"\n\x1b[31m'), ('Accept-Language', 'de'),
        ('X-Request-Id', 'abc-1')])
    s.get('/v1/nothing')
    s.stop()
    records = [json.loads(line) for line in lines_of(log)]
    t.ok(len(records) > 2 and all(
        (r['EnvVersion'], r['Logger']) == ('2.0', 'Test "1"') and
        r['Severity'] in (3, 4, 6, 7) and r['Pid'] > 0 and r['Hostname'] and
        r['Timestamp'] > 1e18 and r['Type'] for r in records),
        'JSON: every line a MozLog object')
    r = [r for r in records if r['Type'] == 'request.summary' and
         r['Fields'].get('rid') == 'abc-1'][0]['Fields']
    t.equal({k: r.get(k) for k in ('path', 'method', 'lang', 'code', 'errno',
                                   'querystring')},
            {'path': '/v1/env', 'method': 'GET', 'lang': 'de', 'code': 200,
             'errno': 0, 'querystring': {'a': '2', 'b': '"\n'}},
            'the summary; its query is an object')
    t.ok('\x1b' not in r['agent'] and
         isinstance(r['t'], int) and re.match(r'\d{4}-', r['time']),
         'harmless texts, numbers as numbers')
    r = [r for r in records if r['Fields'].get('path') == '/v1/nothing'][0]
    t.equal((r['Fields']['code'], r['Fields']['errno'],
             len(r['Fields']['rid'])), (404, 111, 32), 'an error, a new rid')


def denials(t):
    """What a policy has refused, with who, what and where (section 07-9)."""
    log = t.name('.log')
    s, api = start_kinto(t, log_file=log, log_format='json',
                         **{'multiauth.policies': 'basicauth'})
    api('PUT', '/buckets/a', user='alice:p')
    t.equal(api('PATCH', '/buckets/a', {'data': {}}, user='bob:p').status,
            403, 'a denial')
    s.stop()
    r = [r for r in map(json.loads, lines_of(log)) if
         r['Type'].startswith('Permission ')]
    t.ok(len(r) == 1 and re.fullmatch(
        r"Permission 'write' on '/buckets/a' not granted to "
        r"'basicauth:[0-9a-f]+'\.", r[0]['Type']) and
        (r[0]['Fields']['uri'], r[0]['Fields']['perm']) ==
        ('/buckets/a', 'write') and r[0]['Type'].endswith(
            "'%s'." % r[0]['Fields']['userid']), 'is in the log')


def colours(t):
    main, sub = pty.openpty()
    sock = t.name('.sock')
    ini = t.ini(socket=sock)
    p = subprocess.Popen([CLIQUETD, ini], stdin=subprocess.DEVNULL,
                         stdout=sub, stderr=sub,
                         env=dict(os.environ, TERM='xterm'))
    os.close(sub)
    s = Server(t, sock, p, log=t.name('.log'))
    open(s.log, 'w').close()
    t.servers.append(s)
    s.ready()
    text = b''
    while b'ready' not in text:
        text += os.read(main, 65536)
    t.ok(b'\033[32mINFO\033[0m' in text, 'colours on a terminal')
    s.signal(signal.SIGTERM)
    with contextlib.suppress(OSError):
        while os.read(main, 65536):
            pass
    p.wait(PATIENCE)
    os.close(main)
    s = t.start()
    t.ok(b'\033' not in open(s.log, 'rb').read(), 'none in a file')
    s.stop()


def full_disk(t):
    link = t.name('.link')
    os.symlink('/dev/full', link)
    s = t.start(log_file=link)
    s.all_workers()
    quick(t, s, 'a full disk: requests are served')
    s.logged('lines are lost until')
    said = s.text()
    t.equal(said.count('lines are lost until'), 1,
            'told once, by all processes together')
    t.ok('%s: No space left on device' % link in said, 'with the reason')
    os.unlink(link)
    s.signal(signal.SIGUSR1)
    t.ok(reopened(s, link), 'another file')
    quick(t, s, 'is written', 5)
    t.ok(wait_for(lambda: s.get('/v1/env').status == 200 and re.search(
        r'WARN log: \d+ lines were lost', open(link).read())),
         'with the number of lost lines')
    # A worker that opens it later than another may lose a line again.
    t.ok(s.logged('link can be written to again') and
         s.text().count('link can be written to again') <= 3,
         'and told where the loss was told')
    # A name that cannot be opened: the old file goes on.
    os.rename(link, link + '.1')
    os.mkdir(link)
    s.signal(signal.SIGUSR1)
    t.ok(wait_for(lambda: 'log file not reopened' in
                  open(link + '.1').read()), 'a name that cannot be opened')
    quick(t, s, 'the old file goes on', 5)
    s.stop()


def stopped_reader(t):
    """Standard error is a pipe, as with many service managers."""
    r, w = os.pipe()
    sock = t.name('.sock')
    p = subprocess.Popen([CLIQUETD, t.ini(socket=sock)], stdout=w, stderr=w,
                         stdin=subprocess.DEVNULL)
    os.close(w)
    s = Server(t, sock, p, log=t.name('.log'))
    open(s.log, 'w').close()
    t.servers.append(s)
    s.ready()
    quick(t, s, 'nobody reads our standard error: requests are served', 800,
          10)
    os.set_blocking(r, False)

    text = b''

    def recovered():
        nonlocal text
        s.get('/v1/env')
        with contextlib.suppress(BlockingIOError):
            text += os.read(r, 1 << 20)
        return b'lines were lost: standard error' in text
    t.ok(wait_for(recovered, step=0.05), 'somebody reads again: it says so')
    s.signal(signal.SIGTERM)
    p.wait(PATIENCE)
    os.close(r)


def receiver(path):
    d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    d.bind(path)
    d.settimeout(PATIENCE)
    return d


def until(d, text):
    """The first datagram with that text in it."""
    with contextlib.suppress(socket.timeout):
        while True:
            got = d.recv(65536)
            if text in got:
                return got
    return b''


def datagrams(t, target, **settings):
    path = t.name('.dgram')
    d = receiver(path)
    s = t.start(log_target=target, **dict(settings, **{
        'syslog_socket' if target == 'syslog' else 'journald_socket': path}))
    s.get('/v1/env?first', headers=[('User-Agent', 'a\nPRIORITY=0\nB=1')])
    got = until(d, b'first')
    quick(t, s, '%s does not read: requests are served' % target, 600, 5)
    s.logged('lines are lost until')
    t.equal(s.text().count('lines are lost until'), 1, 'told once')

    def recovered():
        s.get('/v1/env')
        d.settimeout(0.01)
        with contextlib.suppress(socket.timeout):
            while True:
                if b'lines were lost' in d.recv(65536):
                    return True
        return False
    t.ok(wait_for(recovered), 'it reads again: the loss is in the log')
    d.close()
    os.unlink(path)
    quick(t, s, 'it is gone: requests are served', 5)
    d = receiver(path)
    s.get('/v1/env?second')
    t.ok(until(d, b'second'), 'it is back')
    s.stop()
    d.close()
    return got


def services(t):
    got = datagrams(t, 'syslog', syslog_facility='local3')
    t.ok(re.fullmatch(rb'<158>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d '
                      rb'cliquetd\[\d+\]: request\.summary .*', got) and
         b'path=/v1/env' in got, 'syslog: facility and severity, name, text')
    got = datagrams(t, 'syslog', log_format='json')
    t.equal(json.loads(got.split(b': ', 1)[1])['Fields']['path'], '/v1/env',
            'syslog: JSON')
    got = datagrams(t, 'journald')
    fields = dict(line.split(b'=', 1) for line in got.splitlines())
    t.equal({k: fields.get(k) for k in (
        b'PRIORITY', b'SYSLOG_IDENTIFIER', b'CLIQUET_TYPE', b'CLIQUET_PATH',
        b'CLIQUET_CODE', b'CLIQUET_METHOD', b'B')},
        {b'PRIORITY': b'6', b'SYSLOG_IDENTIFIER': b'cliquetd',
         b'CLIQUET_TYPE': b'request.summary', b'CLIQUET_PATH': b'/v1/env',
         b'CLIQUET_CODE': b'200', b'CLIQUET_METHOD': b'GET', b'B': None},
        'journal: fields, and nobody else makes any')
    t.ok(fields[b'MESSAGE'].startswith(b'request.summary '), 'and a message')


def in_journal(t):
    """Standard error as systemd's journal reads it: levels before lines, if
    JOURNAL_STREAM means that very stream."""
    ini = t.ini(socket='x', log_target='printer')
    with tempfile.TemporaryFile() as f:
        st = os.fstat(f.fileno())
        for ours in (True, False):
            f.seek(0)
            f.truncate()
            subprocess.run([CLIQUETD, '--check', ini], stderr=f, env=dict(
                os.environ, JOURNAL_STREAM='%d:%d' % (
                    st.st_dev, st.st_ino if ours else st.st_ino + 1)))
            f.seek(0)
            line = f.readline().decode()
            t.ok(line.startswith('<3>' + ini) if ours else
                 re.match(r'\d{4}-.* ERROR ', line),
                 'the journal reads standard error: %s' % ours)


def timings(t):
    log = t.name('.log')
    s = t.start(log_file=log, log_format='json', slow_request_ms=100,
                server_timing_rate=1)
    r = s.get('/v1/sleep/150?secret=1', headers=[('X-Request-Id', 'slow-1')])
    parts = dict((name, float(ms)) for name, ms in re.findall(
        r'(\w+);dur=([\d.]+)', r.headers['server-timing']))
    t.ok(set(parts) == {'route', 'auth', 'database', 'cache', 'view',
                        'render', 'total'} and 150 <= parts['view'] and
         abs(sum(parts.values()) - 2 * parts['total']) < 0.1,
         'Server-Timing: the parts make the whole')
    t.equal('server-timing' in s.get('/v1/nothing').headers, True,
            'errors have it too')
    s.stop()
    slow = [r['Fields'] for r in map(json.loads, lines_of(log))
            if r['Type'] == 'request.slow']
    # A busy machine may be slow with others, too.
    t.ok(all(r['t'] >= 100 for r in slow), 'slow requests')
    slow = [r for r in slow if r['rid'] == 'slow-1']
    t.equal([(r['path'], r['method'], r['rid'], r['code']) for r in slow],
            [('/v1/sleep/150', 'GET', 'slow-1', 200)],
            'one is ours, without its query')
    t.ok(slow[0]['t'] >= 150 and 150 <= slow[0]['view'] <= slow[0]['t'] + 1,
         'where the time went')
    s = t.start(slow_request_ms=0)
    r = s.get('/v1/sleep/50')
    t.ok('server-timing' not in r.headers and 'request.slow' not in s.text(),
         'neither unless wished')
    s.stop()
    s = t.start(server_timing_rate=0.5)
    n = sum('server-timing' in s.get('/v1/env').headers for _ in range(200))
    t.ok(60 < n < 140, 'a sample (%d of 200)' % n)
    s.stop()


def wrong(t):
    for key, value in [('log_target', 'printer'), ('syslog_facility', 'mail'),
                       ('server_timing_rate', '2'),
                       ('server_timing_rate', 'often')]:
        code, out = t.run([CLIQUETD, '--check', t.ini(socket='x',
                                                      **{key: value})])
        t.ok(code == 1 and "%s: '%s' is" % (key, value) in out,
             '%s = %s is refused' % (key, value))


with Test() as t:
    json_lines(t)
    denials(t)
    colours(t)
    full_disk(t)
    stopped_reader(t)
    services(t)
    in_journal(t)
    timings(t)
    wrong(t)
