# SPDX-License-Identifier: Apache-2.0
"""Real cliquetd processes for tests/http/*.py: start, look at, stop; TAP.

Everything lives in a temporary folder; every process is started here and
ended by its id. tests/http/lib.sh sets the environment.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import fcgi
from ports import free_port

CLIQUETD, CLIQUET = os.environ['CLIQUETD'], os.environ['CLIQUET']
APP = os.environ['CLQ_TEST_APP']        # slow.so
# Seconds for what must happen: a busy machine may stand still for some.
PATIENCE = 60


def wait_for(what, timeout=PATIENCE, step=0.02):
    """The first true value of what(), or the last false one."""
    end = time.monotonic() + timeout
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


def timed(act):
    """What act() gives, and the seconds it took."""
    begun = time.monotonic()
    return act(), time.monotonic() - begun


def alive(pid):
    """Running, and not a zombie."""
    return state(pid) not in (None, 'Z', 'X')


def state(pid):
    """R, S, T (stopped) and so on; None if there is no such process."""
    with contextlib.suppress(OSError):
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rpartition(')')[2].split()[0]


def freeze(pid):
    """SIGSTOP, and wait: each thread goes on until it notices."""
    os.kill(pid, signal.SIGSTOP)
    folder = '/proc/%d/task' % pid
    wait_for(lambda: all(state(int(tid)) == 'T'
                         for tid in os.listdir(folder)))


def parent(pid):
    with open('/proc/%d/stat' % pid) as f:
        return int(f.read().rpartition(')')[2].split()[1])


def name(pid):
    with contextlib.suppress(OSError):
        with open('/proc/%d/comm' % pid) as f:
            return f.read().strip()


def children(pid):
    out = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if parent(int(name)) == pid and alive(int(name)):
                    out.append(int(name))
    return sorted(out)


def fds(pid):
    return sorted(int(n) for n in os.listdir('/proc/%d/fd' % pid))


def files(pid):
    """What its descriptors are; those closed meanwhile are left out."""
    out = []
    for n in fds(pid):
        with contextlib.suppress(OSError):
            out.append(os.readlink('/proc/%d/fd/%d' % (pid, n)))
    return out


class Sleeper(fcgi.Conn):
    """A request that lasts, on a connection of its own; `pid` is serving
    it."""

    def __init__(self, server, ms=600000, query=''):
        super().__init__(server.address)
        self.path = '/v1/sleep/%d' % ms
        self.file = server.test.name('.running')
        self.ask('GET', '%s?file=%s%s' % (self.path, self.file, query))
        self.pid = int(wait_for(self.text))

    def text(self):
        with contextlib.suppress(OSError):
            with open(self.file) as f:
                text = f.read()
            return text if text.endswith('\n') else ''

    def release(self):
        """Its time is over."""
        os.unlink(self.file)
        return self


class Server:
    """A running cliquetd."""

    def __init__(self, test, address, popen=None, pid=None, log=None):
        self.test, self.address = test, address
        self.popen, self.pid, self.log = popen, pid or popen.pid, log

    def workers(self):
        """Without the keepers that outlive them for a moment, and others."""
        return [p for p in children(self.pid) if name(p) == 'cliquetd-worker']

    def all_workers(self, n=2):
        """The same, once there are so many."""
        wait_for(lambda: len(self.workers()) == n)
        return self.workers()

    def signal(self, sig):
        os.kill(self.pid, sig)

    def text(self):
        with open(self.log, errors='replace') as f:
            return f.read()

    def logged(self, pattern, timeout=PATIENCE):
        return bool(wait_for(lambda: re.search(pattern, self.text()),
                             timeout))

    def ready(self, timeout=PATIENCE):
        def up():
            if self.popen and self.popen.poll() is not None:
                return True
            with contextlib.suppress(OSError, fcgi.Closed):
                return self.get('/v1/env', timeout=10).status == 200
            return False
        wait_for(up, timeout)
        return self

    def get(self, uri, method='GET', **more):
        return fcgi.request(self.address, method, uri, **more)

    def wait(self, timeout=PATIENCE):
        """Exit status, or None if it goes on."""
        if self.popen:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.popen.wait(timeout)
            return None
        return 0 if wait_for(lambda: not alive(self.pid), timeout) else None

    def stop(self, timeout=PATIENCE):
        if alive(self.pid):
            os.kill(self.pid, signal.SIGTERM)
        return self.wait(timeout)


class Test:
    """Counts, prints TAP, cleans up. Use as a context manager."""

    def __init__(self):
        self.n = self.failed = self.serial = 0
        self.servers, self.procs = [], []
        self.dir = tempfile.mkdtemp(prefix='clq-http.')
        os.chmod(self.dir, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and kind is not SystemExit:
            import traceback
            for line in traceback.format_exc().splitlines():
                print('#', line)
            self.ok(False, 'no exception')
        for s in self.servers:
            self.reap(s)
        for p in self.procs:
            if p.poll() is None:
                p.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    p.wait(5)
            if p.poll() is None:
                p.kill()
                p.wait()
        self.sanitizers()
        if self.failed:
            self.show_logs()
        shutil.rmtree(self.dir, ignore_errors=True)
        print('1..%d' % self.n)
        sys.stdout.flush()
        os._exit(1 if self.failed else 0)

    def reap(self, s):
        pids = [s.pid] + s.workers()
        s.stop(5)
        for pid in pids:
            if alive(pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        if s.popen:
            s.popen.wait()

    def logs(self):
        return [os.path.join(self.dir, n) for n in sorted(os.listdir(
            self.dir)) if '.log' in n]

    def sanitizers(self):
        """In a build with sanitizers, what they said anywhere is a failure."""
        for path in self.logs():
            with open(path, errors='replace') as f:
                for line in f:
                    if re.search('Sanitizer|runtime error', line):
                        self.ok(False, line.strip()[:200])
                        break

    def show_logs(self):
        for path in self.logs():
            with open(path, errors='replace') as f:
                for line in f.read().splitlines()[-60:]:
                    if ' request.summary ' not in line:
                        print('#', os.path.basename(path), line[:300])

    def ok(self, good, what):
        self.n += 1
        self.failed += not good
        print('%s %d - %s' % ('ok' if good else 'not ok', self.n, what))
        sys.stdout.flush()
        return good

    def equal(self, got, wanted, what):
        if not self.ok(got == wanted, what):
            print('# got %.500r' % (got,))
            print('# wanted %.500r' % (wanted,))
        return got == wanted

    def soon(self, limit, act, what):
        """act() takes less than these seconds: what waits for something does
        so each time, what waits for a busy machine does not."""
        return self.within(limit, lambda: (timed(act)[1], True), what)

    def within(self, limit, act, what):
        """The same, if act() tells how long it took: (seconds, all_right).
        All must be right each time."""
        all_right = True
        for _ in range(3):
            took, right = act()
            all_right = all_right and right
            if took < limit:
                break
        return self.ok(all_right and took < limit,
                       '%s (%.3f s)' % (what, took))

    def skip(self, what, why):
        self.n += 1
        print('ok %d - %s # SKIP %s' % (self.n, what, why))

    def path(self, name):
        return os.path.join(self.dir, name)

    def name(self, ending):
        self.serial += 1
        return self.path('t%d%s' % (self.serial, ending))

    def ini(self, path=None, **settings):
        """Write an ini; settings override what tests want."""
        path = path or self.name('.ini')
        values = dict(use=APP, storage_backend='', permission_backend='',
                      cache_backend='', project_version='1.0',
                      log_level='debug', workers=2)
        values.update(settings)
        tmp = path + '.new'
        with open(tmp, 'w') as f:
            f.write('[app:main]\n')
            for key, value in values.items():
                if value is not None:
                    f.write('%s = %s\n' % (key, value))
        os.rename(tmp, path)
        return path

    def spawn(self, argv, address=None, log=None, **popen):
        """Any command that starts cliquetd; stderr goes to the log."""
        log = log or self.name('.log')
        with open(log, 'ab') as f:
            popen.setdefault('stdin', subprocess.DEVNULL)
            p = subprocess.Popen(argv, stdout=f, stderr=f, **popen)
        s = Server(self, address, p, log=log)
        self.servers.append(s)
        return s

    def start(self, *args, socket=None, ready=True, popen={}, **settings):
        """cliquetd by itself on a UNIX socket."""
        socket = socket or self.name('.sock')
        ini = self.ini(socket=socket, **settings)
        s = self.spawn([CLIQUETD, ini, *args], socket.split()[0], **popen)
        s.ini = ini
        return s.ready() if ready else s

    def run(self, argv, **more):
        """A command that ends by itself: (status, output)."""
        more.setdefault('stdin', subprocess.DEVNULL)
        r = subprocess.run(argv, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=2 * PATIENCE,
                           **more)
        return r.returncode, r.stdout.decode(errors='replace')


def nginx(test, address, workers=2, keepalive=16, extra=''):
    """nginx in front of a FastCGI address: its URL. None without nginx."""
    program = shutil.which('nginx', path=os.environ['PATH'] +
                           ':/usr/sbin:/sbin')
    if program is None:
        return None
    port = free_port()
    conf = test.path('nginx.conf')
    where = 'unix:' + address if '/' in address else address
    names = ['client', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    temp = '\n'.join('%s_temp_path %s;' % (
        n + '_body' if n == 'client' else n, test.path('tmp-' + n))
        for n in names)
    with open(conf, 'w') as f:
        f.write('''
daemon off; pid %(dir)s/nginx.pid; error_log %(dir)s/nginx.log info;
worker_processes %(workers)d;
events { worker_connections 1024; }
http {
	access_log off;
	%(temp)s
	upstream clq {
		server %(where)s;
		keepalive %(keepalive)d;
		keepalive_requests 100000;
	}
	server {
		listen 127.0.0.1:%(port)d;
		location / {
			fastcgi_pass clq;
			fastcgi_keep_conn on;
			fastcgi_param REQUEST_METHOD $request_method;
			fastcgi_param REQUEST_URI $request_uri;
			fastcgi_param QUERY_STRING $query_string;
			fastcgi_param CONTENT_TYPE $content_type;
			fastcgi_param CONTENT_LENGTH $content_length;
			fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;
			%(extra)s
		}
	}
}
''' % dict(dir=test.dir, workers=workers, temp=temp, where=where,
           keepalive=keepalive, port=port, extra=extra))
    with open(test.path('nginx.out.log'), 'ab') as f:
        p = subprocess.Popen([program, '-p', test.dir, '-c', conf],
                             stdout=f, stderr=f, stdin=subprocess.DEVNULL)
    test.procs.append(p)
    url = 'http://127.0.0.1:%d' % port

    def up():
        with contextlib.suppress(OSError):
            socket.create_connection(('127.0.0.1', port), 10).close()
            return True
    wait_for(up)
    return url
