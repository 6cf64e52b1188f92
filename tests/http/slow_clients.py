# SPDX-License-Identifier: Apache-2.0
"""slow_clients.py PORT MASTER: what slow clients cost the others, who share one
worker with them (25_slow_clients.sh). nginx takes requests and answers into
its buffers, so the worker should see whole requests only, and be rid of an
answer at once, however slowly both travel between nginx and the client."""
import base64
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PORT, MASTER = int(sys.argv[1]), sys.argv[2]
AUTH = 'Basic ' + base64.b64encode(b'alice:secret').decode()
BIG = '/v1/buckets/default/collections/big/records'
SMALL = '/v1/buckets/default/collections/small/records'
RECORDS, BYTES = 40, 200000		# a list of 8 MB
TRICKLERS, UPLOADS, READERS = 20, 4, 10
SECONDS = 3				# of looking at the others meanwhile
FILE = 64 << 20				# a large upload

n = failed = 0


def ok(good, name):
    global n, failed
    n += 1
    failed += not good
    print('%s %d - %s' % ('ok' if good else 'not ok', n, name), flush=True)


def ask(method, path, body=None, kind='application/json'):
    c = http.client.HTTPConnection('127.0.0.1', PORT, timeout=120)
    c.request(method, path, body, {'Authorization': AUTH,
                                   'Content-Type': kind})
    r = c.getresponse()
    body = r.read()
    c.close()
    return r.status, body


def connect(buffer=None):
    s = socket.socket()
    if buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    s.settimeout(60)
    s.connect(('127.0.0.1', PORT))
    return s


def head(method, path, length=0, kind='application/json'):
    return ('%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'
            'Authorization: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n'
            '\r\n' % (method, path, AUTH, kind, length)).encode()


def rest(s):
    """The answer: (status, body)."""
    got = b''.join(iter(lambda: s.recv(65536), b''))
    s.close()
    first, _, body = got.partition(b'\r\n\r\n')
    return int(first.split()[1] if first else 0), body


def form(data):
    return (b'--x\r\nContent-Disposition: form-data; name="attachment"; '
            b'filename="f.pdf"\r\nContent-Type: application/pdf'
            b'\r\n\r\n' + data + b'\r\n--x--\r\n')


class Slowness:
    """Some clients are at it, until end()."""

    def __init__(self):
        self.over, self.lock, self.n = threading.Event(), threading.Lock(), 0

    def begun(self):
        """Of one client."""
        with self.lock:
            self.n += 1

    def wait(self, n):
        """Until so many have begun."""
        end = time.monotonic() + 60
        while self.n < n and time.monotonic() < end:
            time.sleep(0.02)


def trickle(slowness, answers, method, path, body, kind='application/json'):
    """Send the body in pieces: small ones at first, then the rest."""
    s = connect()
    s.sendall(head(method, path, len(body), kind))
    piece = len(body) // 1000 + 1
    at = piece
    s.sendall(body[:at])
    slowness.begun()
    while not slowness.over.wait(0.05):
        if at + piece < len(body):
            s.sendall(body[at:at + piece])
            at += piece
    s.sendall(body[at:])
    answers.append(rest(s)[0])


def read_slowly(slowness, answers):
    """Take a large list 4 kB at a time, then the rest."""
    s = connect(4096)
    s.sendall(head('GET', BIG))
    got = s.recv(4096)
    slowness.begun()
    while not slowness.over.wait(0.1):
        got += s.recv(4096)
    _, _, begin = got.partition(b'\r\n\r\n')
    body = begin + b''.join(iter(lambda: s.recv(1 << 20), b''))
    s.close()
    if got.split()[1] == b'200' and b'chunked' not in got.partition(
            b'\r\n\r\n')[0].lower():
        answers.append(len(json.loads(body)['data']))
    else:
        answers.append(got[:100])


def others(until):
    """What somebody else's requests take meanwhile, in seconds."""
    times = []
    i = 0
    while i == 0 or until():
        for method, path, body, want in (
                ('GET', '/v1/', None, 200),
                ('GET', SMALL + '?_limit=5', None, 200),
                ('PUT', '%s/r%d' % (SMALL, i % 10), '{"data":{"n":1}}', 0)):
            began = time.monotonic()
            status, _ = ask(method, path, body)
            times.append(time.monotonic() - began)
            if status not in (want, 200, 201):
                times.append(999)
        i += 1
        time.sleep(0.005)
    return sorted(times)


def told(what, times):
    print('# %s: %d requests, median %.1f ms, 99%% %.1f ms, most %.1f ms' % (
        what, len(times), statistics.median(times) * 1e3,
        times[len(times) * 99 // 100] * 1e3, times[-1] * 1e3))


def board():
    return json.loads(subprocess.check_output(
        [os.environ['CLIQUET'], 'top', '--json', MASTER]))


def start(f, *args):
    t = threading.Thread(target=f, args=args, daemon=True)
    t.start()
    return t


def soon(limit, times):
    """The times, measured again if one was too long: a busy machine is late
    now and then, a worker that waits for others each time."""
    for _ in range(3):
        found = times()
        if found[-1] < limit():
            break
    return found


def disk():
    """Seconds to store a large file here and now."""
    began = time.monotonic()
    with tempfile.NamedTemporaryFile() as f:
        f.write(os.urandom(FILE))
        f.flush()
        os.fsync(f.fileno())
    return time.monotonic() - began


def seconds(n):
    end = time.monotonic() + n
    return lambda: time.monotonic() < end


def slow(alone):
    """All kinds of slow clients at once."""
    sent, stored, read, slowness = [], [], [], Slowness()
    threads = [start(trickle, slowness, sent, 'POST', SMALL, json.dumps(
        {'data': {'x': 'y' * 2000}}).encode()) for _ in range(TRICKLERS)]
    threads += [start(trickle, slowness, stored, 'POST',
                      SMALL + '/r%d/attachment' % i,
                      form(os.urandom(2 << 20)),
                      'multipart/form-data; boundary=x')
                for i in range(UPLOADS)]
    threads += [start(read_slowly, slowness, read) for _ in range(READERS)]
    slowness.wait(len(threads))		# the lists have been made
    times = soon(lambda: 2, lambda: others(seconds(SECONDS)))
    ok(not sent and not stored and not read, 'they are still at it')
    state = board()
    told('beside slow clients', times)
    # Held by one of them, it would be until that one is done.
    ok(times[-1] < 2, 'others are served meanwhile: %.0f ms at most' % (
        times[-1] * 1e3))
    ok(statistics.median(times) < max(0.2, 10 * statistics.median(alone)),
       'and mostly at once')
    # nginx keeps those over which the lists came.
    ok(state['connections'] < TRICKLERS, 'the worker knows nothing of the '
       'slow ones: %d connections' % state['connections'])
    slowness.over.set()
    for t in threads:
        t.join(60)
    ok(sent == [201] * TRICKLERS, 'what was sent slowly arrives')
    ok(stored in ([201] * UPLOADS, [200] * UPLOADS), 'files too')
    ok(read == [RECORDS] * READERS, 'what is read slowly is whole')


def large():
    """One large upload, as fast as it goes."""
    answers, limits = [], []

    def limit():
        """The worker's own work on the file is what others wait for."""
        limits.append(5 + 3 * disk())
        return limits[-1]

    def meanwhile():
        t = start(lambda: answers.append(ask(
            'POST', SMALL + '/r0/attachment', form(bytes(FILE)),
            'multipart/form-data; boundary=x')[0]))
        began = time.monotonic()
        times = others(t.is_alive)
        took = time.monotonic() - began
        told('beside an upload of %d MB that took %.1f s' % (
            FILE >> 20, took), times)
        return times
    times = soon(limit, meanwhile)
    ok(answers and set(answers) <= {200, 201}, 'a large upload: %s' % answers)
    ok(times[-1] < limits[-1], 'others wait %.0f ms at most meanwhile, less '
       'than %.1f s' % (times[-1] * 1e3, limits[-1]))


for at in range(0, RECORDS, 10):
    ask('POST', '/v1/batch', json.dumps({'requests': [
        {'method': 'PUT', 'path': '%s/b%d' % (BIG, i),
         'body': {'data': {'x': 'z' * BYTES}}}
        for i in range(at, at + 10)]}))
for i in range(10):
    ask('PUT', '%s/r%d' % (SMALL, i), '{"data":{}}')
alone = others(seconds(1))
told('alone', alone)
slow(alone)
large()
print('1..%d' % n)
sys.exit(failed > 0)
