# SPDX-License-Identifier: Apache-2.0
"""What scripts/bench measures: servers, databases, nginx in front of them.

Everything lives in one folder, listens on unix sockets or 127.0.0.1, and ends
with the Stack. Processes are known by their ids, so that CPU and memory can be
read for each part.
"""
import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../../tests/support'))
from ports import free_port


def children(pid):
    with contextlib.suppress(OSError):
        with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
            return [int(n) for n in f.read().split()]
    return []


def cpu(pids):
    """Seconds of CPU of these processes and their children, as the scheduler
    counted them: the ticks of `stat` miss what is shorter."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            for task in os.listdir('/proc/%d/task' % pid):
                with open('/proc/%d/task/%s/schedstat' % (pid, task)) as f:
                    total += int(f.read().split()[0]) / 1e9
        total += cpu(children(pid))
    return total


def memory(pid):
    """PSS and private memory of a process, KiB."""
    pss = private = 0
    with contextlib.suppress(OSError):
        with open('/proc/%d/smaps_rollup' % pid) as f:
            for line in f:
                if line.startswith('Pss:'):
                    pss = int(line.split()[1])
                elif line.startswith('Private'):
                    private += int(line.split()[1])
    return pss, private


class Stack:
    """Processes in a temporary folder; a context manager."""

    def __init__(self, folder, build, workers=2):
        self.dir, self.build, self.workers = folder, build, workers
        self.procs, self.fronts = [], {}
        self.load = os.path.join(folder, 'load')
        self.responder = os.path.join(folder, 'responder')
        self.compile('load')
        self.compile('responder', '-lfcgi', *subprocess.run(
            ['pkg-config', '--cflags', '--libs', 'libpq', 'sqlite3'],
            check=True, stdout=subprocess.PIPE, text=True).stdout.split())

    def compile(self, name, *more):
        cc = shlex.split(os.environ.get('CC', 'cc'))    # "ccache gcc"
        subprocess.run([*cc, '-std=gnu11', '-O2', '-Wall', '-Wextra', '-o',
                        self.path(name), os.path.join(HERE, name + '.c'),
                        *more], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for p in reversed(self.procs):
            self.end(p)

    def end(self, p):
        if p.poll() is None:
            p.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(10)
        if p.poll() is None:
            p.kill()
            p.wait()

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, name, *argv, **more):
        with open(self.path(name + '.log'), 'ab') as log:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, **more)
        self.procs.append(p)
        return p

    def wait(self, p, name, ready, timeout=60):
        end = time.monotonic() + timeout
        while not ready():
            if p.poll() is not None or time.monotonic() > end:
                with open(self.path(name + '.log')) as f:
                    raise SystemExit('%s does not start:\n%s' % (
                        name, f.read()[-2000:]))
            time.sleep(0.002)

    def listening(self, path):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
            return True
        except OSError:
            return False
        finally:
            s.close()

    def server(self):
        """The program itself: libtool's script before it takes longer to
        start than the server."""
        libs = os.path.join(self.build, '.libs')
        program = os.path.join(libs, 'cliquetd')
        if not os.path.exists(program):
            return os.path.join(self.build, 'cliquetd'), None
        return program, dict(os.environ, LD_LIBRARY_PATH=libs)

    def cliquetd(self, name, **settings):
        """A server; its process and its socket."""
        address, ini = self.path(name + '.sock'), self.path(name + '.ini')
        values = {'use': 'kinto', 'multiauth.policies': 'basicauth',
                  'userid_hmac_secret': 'only-for-measuring',
                  'cache_backend': 'memory', 'log_level': 'warning',
                  'workers': self.workers, 'socket': address,
                  'socket_mode': '0666', **settings}
        with open(ini, 'w') as f:
            f.write('[app:main]\n')
            for key, value in values.items():
                f.write('%s = %s\n' % (key, str(value).replace('%', '%%')))
        if settings.get('storage_backend') == 'postgresql':
            subprocess.run([os.path.join(self.build, 'cliquet'), 'migrate',
                            '--ini', ini], check=True,
                           stdout=subprocess.DEVNULL)
        program, env = self.server()
        began = time.monotonic()
        p = self.start(name, program, ini, env=env)
        self.wait(p, name, lambda: os.path.exists(address) and
                  self.listening(address))
        self.measure('-F', address, [(1, 'GET', '/v1/', [], '')], n=1, c=1)
        p.ready_after = time.monotonic() - began
        p.ready_cpu = cpu([p.pid])
        p.ini = ini
        return p, address

    def respond(self, name, query, database=''):
        address = self.path(name + '.sock')
        p = self.start(name, self.responder, address, str(self.workers),
                       query, database)
        self.wait(p, name, lambda: self.listening(address))
        return p, address

    def nginx(self, addresses):
        """One nginx for all; location /NAME goes to each, / to the first.
        Returns its process and {name: 'host:port'}."""
        conf, ports, servers = self.path('nginx.conf'), {}, ''
        for name, address in addresses.items():
            ports[name] = free_port()
            where = 'return 200 "{}";' if address is None else \
                'fastcgi_pass up_%s; fastcgi_keep_conn on;' % name \
                if address.endswith('.sock') else \
                'uwsgi_pass %s;' % address
            if address and address.endswith('.sock'):
                servers += ('upstream up_%s { server unix:%s; keepalive 32;'
                            ' keepalive_requests 1000000; }\n' % (
                                name, address))
            servers += ('server { listen 127.0.0.1:%d; location / { %s } }\n'
                        % (ports[name], where))
        with open(conf, 'w') as f:
            f.write(NGINX % dict(dir=self.dir, servers=servers))
        program = shutil.which('nginx', path=os.environ['PATH'] +
                               ':/usr/sbin:/sbin')
        p = self.start('nginx', program, '-p', self.dir, '-c', conf)
        port = list(ports.values())[-1]

        def up():
            with contextlib.suppress(OSError):
                socket.create_connection(('127.0.0.1', port), 1).close()
                return True
        self.wait(p, 'nginx', up)
        return p, {k: '127.0.0.1:%d' % v for k, v in ports.items()}

    def measure(self, how, address, templates, c=16, t=1.0, n=0, first=0,
                r=10000, idle=0):
        """One run of the load generator; how: -F or -H."""
        path = self.path('templates')
        with open(path, 'w') as f:
            for weight, method, uri, headers, body in templates:
                f.write('\t'.join(['%d %s %s' % (weight, method, uri)] +
                                  list(headers)) + '\n' + body + '\n')
        out = subprocess.run([self.load, '-c', str(c), '-t', str(t), '-n',
                              str(n), '-o', str(first), '-r', str(r), '-i',
                              str(idle), how, address, path], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        result = json.loads(out)
        result['rate'] = result['requests'] / result['seconds']
        return result


NGINX = '''
daemon off; pid %(dir)s/nginx.pid; error_log %(dir)s/nginx.log warn;
worker_processes 2; worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
	access_log off; keepalive_requests 1000000;
	client_body_temp_path %(dir)s/t1; proxy_temp_path %(dir)s/t2;
	fastcgi_temp_path %(dir)s/t3; uwsgi_temp_path %(dir)s/t4;
	scgi_temp_path %(dir)s/t5; client_max_body_size 32m;
	fastcgi_buffers 16 64k; fastcgi_buffer_size 64k;
	uwsgi_buffers 16 64k; uwsgi_buffer_size 64k;
	fastcgi_param REQUEST_METHOD $request_method;
	fastcgi_param REQUEST_URI $request_uri;
	fastcgi_param QUERY_STRING $query_string;
	fastcgi_param CONTENT_TYPE $content_type;
	fastcgi_param CONTENT_LENGTH $content_length;
	fastcgi_param SERVER_PROTOCOL $server_protocol;
	fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;
	fastcgi_param REMOTE_ADDR $remote_addr;
	uwsgi_param REQUEST_METHOD $request_method;
	uwsgi_param REQUEST_URI $request_uri;
	uwsgi_param PATH_INFO $document_uri;
	uwsgi_param QUERY_STRING $query_string;
	uwsgi_param CONTENT_TYPE $content_type;
	uwsgi_param CONTENT_LENGTH $content_length;
	uwsgi_param SERVER_PROTOCOL $server_protocol;
	uwsgi_param SERVER_NAME $server_name;
	uwsgi_param SERVER_PORT $server_port;
	uwsgi_param REMOTE_ADDR $remote_addr;
	%(servers)s
}
'''
