# SPDX-License-Identifier: Apache-2.0
"""The writers' lock of redis.so: whoever holds it, dies, or finds another
server, others get it soon, and nobody writes without it."""
import os
import signal
import socket
import subprocess
import threading
import time

from api import Api, answering
from harness import PATIENCE, Test, timed, wait_for

APP = os.environ['CLQ_TEST_TOOLKIT']
ME = 'Toolkit me'


class Redis:
    """A redis-server that keeps all that it was told."""

    def __init__(self, t):
        self.t, self.sock = t, t.path('redis.sock')
        self.start()

    def start(self):
        with open(self.t.path('redis.out'), 'ab') as f:
            self.p = subprocess.Popen(
                ['redis-server', '--port', '0', '--unixsocket', self.sock,
                 '--save', '', '--appendonly', 'yes', '--appendfsync',
                 'always', '--dir', self.t.dir], stdout=f, stderr=f)
        self.t.procs.append(self.p)
        wait_for(lambda: self('PING') == 'PONG')

    def restart(self):
        self.p.send_signal(signal.SIGKILL)
        self.p.wait()
        self.start()

    def __call__(self, *command):
        return subprocess.run(['redis-cli', '-s', self.sock, *command],
                              stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL).stdout.strip()


def post(api, **data):
    began = time.monotonic()
    got = api('POST', '/things', {'data': data}, auth=ME)
    return got.status, time.monotonic() - began


def hold(api, redis):
    """A request that holds the lock and does not end; its token."""
    def ask():
        try:
            post(api, how='hang')
        except Exception:
            pass	# its worker is killed
    threading.Thread(target=ask, daemon=True).start()
    return wait_for(lambda: redis('GET', 'cliquet.lock'))


def connections(redis, n):
    all_of_them = [socket.socket(socket.AF_UNIX) for _ in range(n)]
    for s in all_of_them:
        s.connect(redis.sock)
    return all_of_them


with Test() as t:
    redis = Redis(t)
    for s in connections(redis, 100):	# so that numbers are high
        s.close()
    api = answering(Api(t.start(
        ready=False, use=APP, storage_backend='redis',
        storage_url='unix://' + redis.sock, permission_backend=None,
        cache_backend='memory', workers=3, request_timeout=60,
        **{'multiauth.policies': 'toolkit'})))
    t.equal(post(api, n=1)[0], 201, 'a write')

    token = hold(api, redis)
    t.ok(token and token.count(':') == 2, 'somebody holds the lock')
    redis.restart()
    t.equal(redis('GET', 'cliquet.lock'), token, 'Redis comes back with it')
    # The numbers of connections begin anew: that of the holder is taken again.
    holder = token.split(':')[1]
    others = connections(redis, int(holder))
    t.ok(wait_for(lambda: redis('CLIENT', 'LIST', 'ID', holder)),
         'a connection has the number of the dead one')
    got, took = timed(lambda: wait_for(lambda: post(api, n=2)[0] == 201, 120))
    # By itself it would be free after 60 seconds.
    t.ok(got and took < 30, 'a write gets it soon: in %.1f s' % took)
    t.ok(redis('GET', 'cliquet.lock') == '', 'and gives it back')

    token = hold(api, redis)
    run = token.split(':')[0]
    t.ok(len(run) == 40 and 'run_id:' + run in redis('INFO', 'server'),
         'a lock names the run of its server')
    results = []
    thread = threading.Thread(target=lambda: results.append(post(api, n=3)))
    thread.start()
    time.sleep(0.7)
    t.ok(redis('GET', 'cliquet.lock') == token and not results,
         'while its holder lives, the lock is his')
    redis('CLIENT', 'KILL', 'ID', token.split(':')[1])
    thread.join(PATIENCE)
    t.ok(results and results[0][0] == 201,
         'when its connection is gone, the next one has it')
    for s in others:
        s.close()
    for pid in api.server.workers():
        os.kill(pid, signal.SIGKILL)	# those that hang
