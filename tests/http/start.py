# SPDX-License-Identifier: Apache-2.0
"""The ways to start cliquetd: each with the real program that does it, where
there is one, and by hand."""
import array
import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

import fcgi
from harness import APP, CLIQUETD, PATIENCE, Server, Sleeper, Test, alive, \
    children, files, free_port, parent, timed, wait_for


def pid_of(s):
    return s.get('/v1/env').json()['pid']


def unix_alone(t):
    s = t.start(socket_mode='0640')
    mode = stat.S_IMODE(os.lstat(s.address).st_mode)
    t.equal(oct(mode), '0o640', 'socket_mode')
    t.ok(wait_for(lambda: len(s.workers()) == 2), 'two workers')
    t.ok(pid_of(s) in s.workers(), 'a worker serves, not the master')
    other = t.start(socket=s.address, ready=False)
    t.equal(other.wait(), 1, 'a second server on the same socket is refused')
    t.ok(other.logged('in use by a running server'), 'and says why')
    t.equal(s.get('/v1/env').status, 200, 'the first goes on')
    # Known before: afterwards they have another parent.
    family = children(s.pid)
    os.kill(s.pid, signal.SIGKILL)
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    s.popen.wait()
    wait_for(lambda: not any(map(alive, family)))
    t.ok(os.path.exists(s.address), 'killed: a stale socket stays')
    s = t.start(socket=s.address)
    t.equal(s.get('/v1/env').status, 200, 'it is replaced')
    t.equal(s.stop(), 0, 'TERM: status 0')
    t.ok(not os.path.exists(s.address), 'and the socket is removed')
    path = t.name('.file')
    open(path, 'w').close()
    s = t.start(socket=path, ready=False)
    t.equal((s.wait(), os.path.exists(path)), (1, True),
            'a file that is no socket is left alone')
    s = t.start(socket=t.path('no/such/folder.sock'), ready=False)
    t.equal((s.wait(), s.logged('No such file')), (1, True), 'no folder')
    s = t.start(socket='/' + 'x' * 200, ready=False)
    t.equal((s.wait(), s.logged('longer than')), (1, True), 'a long path')
    s = t.start(socket=t.name('.sock'), socket_owner='nobody-at-all',
                ready=False)
    t.equal((s.wait(), s.logged('no user')), (1, True), 'unknown owner')


def ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as s:
        s.bind(('::1', 0))
        return True
    return False


def tcp_alone(t):
    v4 = '127.0.0.1:%d' % free_port()
    v6 = '%s:%d' % ('[::1]' if ipv6() else '127.0.0.1', free_port())
    path = t.name('.sock')
    s = t.start(socket='%s %s %s' % (v4, v6, path))
    for address in v4, v6, path:
        t.equal(fcgi.request(address, 'GET', '/v1/env').status, 200, address
                if address != path else 'and a path, at once')
    c = fcgi.Conn(v4)
    t.equal([c.request('GET', '/v1/env').status for _ in range(3)],
            [200] * 3, 'kept TCP connection')
    other = t.start(socket=v4, ready=False)
    t.equal((other.wait(), other.logged('in use')), (1, True),
            'a port in use is refused')
    s.stop()
    env = dict(os.environ, FCGI_WEB_SERVER_ADDRS='127.0.0.2,10.0.0.1')
    s = t.start(socket=v4, ready=False, popen=dict(env=env))
    s.logged('ready')
    try:
        fcgi.request(v4, 'GET', '/v1/env')
        t.ok(False, 'FCGI_WEB_SERVER_ADDRS turns strangers away')
    except (fcgi.Closed, OSError):
        t.ok(True, 'FCGI_WEB_SERVER_ADDRS turns strangers away')
    s.stop()


def listening(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(64)
    return s


def on_stdin(t):
    """As mod_fcgid and spawn-fcgi do: the socket is descriptor 0."""
    path = t.name('.sock')
    sock = listening(path)
    ini = t.ini()
    s = t.spawn([CLIQUETD, ini], path, stdin=sock).ready()
    t.equal((pid_of(s), s.workers()), (s.pid, []),
            'socket on descriptor 0: one process, no master')
    t.equal(s.stop(), 0, 'which ends')

    def end():
        s = t.spawn([CLIQUETD, ini], path, stdin=sock).ready()
        c = Sleeper(s)
        s.signal(signal.SIGTERM)
        status = c.release().response().status
        code, took = timed(s.wait)
        return took, (status, code) == (200, 0)
    t.within(5, end, 'TERM: the running request is finished, then it ends')
    s = t.spawn([CLIQUETD, '--workers', '3', ini], path, stdin=sock).ready()
    t.ok(wait_for(lambda: len(s.workers()) == 3),
         '--workers: a master on the inherited socket')
    t.equal(s.stop(), 0, 'TERM')
    t.ok(os.path.exists(path), 'a socket of others is not removed')
    s = t.spawn([CLIQUETD, t.ini(request_timeout=1)], path,
                stdin=sock).ready()
    r = s.get('/v1/sleep/60000')
    t.equal((r.status, r.json()['errno']), (503, 201),
            'request_timeout without a master: 503')
    t.equal(s.wait(), 79, 'the process ends')
    t.ok(s.logged('GET /v1/sleep/60000: no answer'), 'and says why')


def by_spawn_fcgi(t):
    program = shutil.which('spawn-fcgi')
    if program is None:
        t.skip('spawn-fcgi', 'no spawn-fcgi')
        return
    for forks in 1, 3:
        path = t.name('.sock')
        status, out = t.run([program, '-s', path, '-F', str(forks), '--',
                             CLIQUETD, t.ini(log_file=t.name('.log'))])
        pids = [int(n) for n in re.findall(r'PID: (\d+)', out)]
        t.equal((status, len(pids)), (0, forks),
                'spawn-fcgi -F %d' % forks)
        servers = [Server(t, path, pid=p) for p in pids]
        t.servers += servers
        servers[0].ready()
        seen = {servers[0].get('/v1/env').json()['pid'] for _ in range(50)}
        t.ok(seen <= set(pids), 'its processes serve')
        # in a build tree the program is a script at first, which forks
        t.ok(wait_for(lambda: not any(children(p) for p in pids)),
             'themselves')
        for s in servers:
            t.equal(s.stop(), 0, 'TERM ends one')


def notify_socket(t):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(t.name('.notify'))
    s.settimeout(PATIENCE)
    return s


def heard(sock):
    try:
        return sock.recv(4096).decode()
    except socket.timeout:
        return None


READY = 'READY=1\nSTATUS=2 workers'
LAUNCH = '''
import os, sys
os.environ['LISTEN_PID'] = str(os.getpid())
os.environ['LISTEN_FDS'] = '1'
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.execv(sys.argv[2], sys.argv[2:])
'''


def by_systemd(t):
    path = t.name('.sock')
    sock, notify = listening(path), notify_socket(t)
    os.set_inheritable(sock.fileno(), True)
    env = dict(os.environ, NOTIFY_SOCKET=notify.getsockname())
    ini = t.ini(socket='/nowhere/else.sock')
    s = t.spawn([sys.executable, '-c', LAUNCH, str(sock.fileno()), CLIQUETD,
                 ini], path, env=env, close_fds=False)
    t.equal(heard(notify), READY, 'LISTEN_FDS: READY=1')
    t.equal(s.get('/v1/env').status, 200, 'serves the passed socket')
    t.ok(wait_for(lambda: len(s.workers()) == 2), 'with a master')
    t.ok(not os.path.exists('/nowhere/else.sock'), '`socket` is not used')
    s.signal(signal.SIGHUP)
    got = heard(notify)
    t.ok(got and re.match(r'RELOADING=1\nMONOTONIC_USEC=\d+$', got),
         'HUP: RELOADING=1')
    t.equal(heard(notify), READY, 'then READY=1')
    s.signal(signal.SIGTERM)
    t.equal(heard(notify), 'STOPPING=1', 'TERM: STOPPING=1')
    t.equal(s.wait(), 0, 'ends')
    t.ok(os.path.exists(path), 'the socket is systemd\'s and stays')
    watchdog(t, sock, path, ini)
    program = shutil.which('systemd-socket-activate')
    if program is None:
        t.skip('systemd-socket-activate', 'not there')
        return
    port = free_port()
    s = t.spawn([program, '-l', '127.0.0.1:%d' % port, CLIQUETD, ini],
                '127.0.0.1:%d' % port)
    t.ok(wait_for(lambda: s.ready(2) and len(s.workers()) == 2),
         'systemd-socket-activate')
    t.equal(s.stop(), 0, 'TERM')


def watchdog(t, sock, path, ini):
    """Signs of life, if they are asked for, and if that concerns us."""
    for pid, expected in (('', 'WATCHDOG=1'), ('1', None)):
        notify = notify_socket(t)
        env = dict(os.environ, NOTIFY_SOCKET=notify.getsockname(),
                   WATCHDOG_USEC='900000')
        if pid:
            env['WATCHDOG_PID'] = pid
        s = t.spawn([sys.executable, '-c', LAUNCH, str(sock.fileno()),
                     CLIQUETD, ini], path, env=env, close_fds=False)
        words = [heard(notify)]
        while words[-1] not in (READY, None):
            words.append(heard(notify))
        if expected:
            words += [heard(notify), heard(notify)]
        else:
            notify.settimeout(2.5)
            words.append(heard(notify))
        t.equal(set(words), {READY, expected},
                'WATCHDOG=1' + (' not for another process' if pid else '') +
                ', beside READY=1')
        t.equal(s.stop(), 0, 'ends')


def command_line(t):
    ini = t.ini(socket=t.name('.sock'))
    bad = t.ini(workers='many')
    worse = t.ini(use='/no/such/plugin.so', socket=t.name('.sock'))
    for args, status, pattern in [
            (['--version'], 0, r'^cliquetd \d'),
            (['--help'], 0, r'^Usage: cliquetd'),
            (['--nonsense'], 1, r'Usage: cliquetd'),
            (['--workers', '0', ini], 1, r'--workers'),
            ([ini, ini], 1, r'Usage: cliquetd'),
            (['--check', ini], 0, r'fine'),
            (['--check', '--config', ini], 0, r'fine'),
            (['--check', '-c', bad], 1, r't\d+\.ini:\d+: workers'),
            (['--check', worse], 1, r'plugin'),
            ([bad], 1, r'workers'),
            ([worse], 1, r'plugin'),
            (['/no/such.ini'], 1, r'/no/such\.ini'),
            (['--check', t.ini(socket_mode='0999')], 1, r'socket_mode')]:
        got, out = t.run([CLIQUETD, *args])
        shown = ' '.join(a.replace(t.dir + '/', '') for a in args)
        if not t.equal((got, bool(re.search(pattern, out))), (status, True),
                       'cliquetd ' + shown):
            print('#', out)
    for name in 'CLIQUET_INI', 'KINTO_INI':
        env = dict(os.environ, **{name: bad})
        got, out = t.run([CLIQUETD, '--check'], env=env)
        t.equal((got, 'workers' in out), (1, True), '$' + name)
    s = t.spawn([CLIQUETD, t.ini()])
    t.equal((s.wait(), s.logged('socket: is not set')), (1, True),
            'nowhere to listen')


def pidfiles(t):
    path = t.name('.pid')
    with open(path, 'w') as f:
        f.write('99999999 and some longer text\n')
    s = t.start(pidfile=path)
    with open(path) as f:
        t.equal(f.read(), '%d\n' % s.pid, 'pidfile, over a stale one')
    other = t.start(pidfile=path, ready=False)
    t.equal((other.wait(), other.logged('is running')), (1, True),
            'a second server with the same pidfile is refused')
    s.stop()
    t.ok(not os.path.exists(path), 'it is removed at the end')


def background(t):
    path, pidfile = t.name('.sock'), t.name('.pid')
    log = t.name('.log')
    ini = t.ini(socket=path, pidfile=pidfile, log_file=log)
    status, out = t.run([CLIQUETD, '--daemonize', ini])
    t.equal((status, out), (0, ''), '--daemonize: status 0, silent')
    with open(pidfile) as f:
        pid = int(f.read())
    s = Server(t, path, pid=pid, log=log)
    t.servers.append(s)
    t.equal(s.ready().get('/v1/env').status, 200, 'it serves')
    t.equal(os.getsid(pid) == os.getsid(0), False, 'in a session of its own')
    t.equal(os.readlink('/proc/%d/fd/2' % pid), '/dev/null', 'no terminal')
    t.ok(s.logged('ready, 2 workers'), 'log_file')
    status, out = t.run([CLIQUETD, '-d', ini])
    t.equal((status, 'in use' in out), (1, True),
            'a start that fails says so and has status 1')
    s.stop()
    s = t.start('--foreground', daemonize='true')
    t.ok(alive(s.pid), '--foreground over daemonize = true')
    t.ok(parent(s.pid) == os.getpid(), 'stays our child')
    s.stop()


def other_user(t):
    if os.geteuid() != 0:
        s = t.start(user='root', ready=False)
        t.equal((s.wait(), s.logged('only root')), (1, True),
                'user = root without being it')
        return
    nobody = pwd.getpwnam('nobody')
    s = t.start(user='nobody', socket_owner='nobody')
    pids = [s.pid] + s.all_workers()
    owners = set()
    for pid in pids:
        with open('/proc/%d/status' % pid) as f:
            text = f.read()
        owners.add(re.search(r'^Uid:\s+(.*)$', text, re.M).group(1))
        owners.add(re.search(r'^Groups:\s*(\S*)', text, re.M).group(1))
    t.equal(owners, {'\t'.join([str(nobody.pw_uid)] * 4),
                     str(nobody.pw_gid)}, 'user: all ids are changed')
    t.equal(os.lstat(s.address).st_uid, nobody.pw_uid, 'socket_owner')
    s.signal(signal.SIGHUP)
    t.ok(s.logged('reload: configuration 2'), 'it can reload')
    t.equal(s.get('/v1/env').status, 200, 'and serve')
    s.stop()
    s = t.start(user='no-such-user', ready=False)
    t.equal((s.wait(), s.logged('there is no user')), (1, True),
            'unknown user')


def anywhere(t):
    s = t.start(popen=dict(cwd='/'))
    t.equal(s.get('/v1/env').status, 200, 'from the root folder')
    pids = s.all_workers()
    t.equal(len(pids), 2, 'two workers')
    t.ok(wait_for(lambda: not any(f.endswith('.ini') for pid in [s.pid, *pids]
                                  for f in files(pid))), 'no file stays open')
    s.stop()


def back_off(t):
    flag = t.name('.flag')
    open(flag, 'w').close()
    s = t.start(ready=False, cache_backend=os.environ['CLQ_TEST_SICK'],
                cache_url=flag, workers=4)
    begun = time.monotonic()
    time.sleep(3)
    wait_for(lambda: s.text().count('could not be opened') >= 3)
    tries = s.text().count('could not be opened')
    took = time.monotonic() - begun
    t.ok(3 <= tries <= 4 * took, 'workers that cannot start: %d tries in '
         '%.0f s' % (tries, took))
    t.ok(alive(s.pid), 'the master stays')
    os.unlink(flag)
    t.ok(wait_for(lambda: s.ready(1) and len(s.workers()) == 4),
         'and they come as soon as they can')
    t.equal(s.get('/v1/env').status, 200, 'to serve')
    s.stop()


def main():
    with Test() as t:
        for part in (unix_alone, tcp_alone, on_stdin, by_spawn_fcgi,
                     by_systemd, command_line, pidfiles, background,
                     other_user, anywhere, back_off):
            part(t)
        t.ok(array and subprocess and APP, 'done')


main()
