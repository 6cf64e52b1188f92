#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OpenID provider for tests, good and bad: oidc.py FOLDER

Listens on a free port of 127.0.0.1, prints it, and serves several issuers,
http://127.0.0.1:PORT/<issuer>; keys are made in FOLDER with openssl. What it
was asked is counted: GET /stats is {"<issuer> <what>": n}.

Issuers: good, other (another key), down (its metadata can be had after
POST /up only), lies (endpoints elsewhere), garbage, huge, hang, slow.

The profile that userinfo answers is chosen by the access token: good-<name>,
or a JWT of jwt() below; anything else is what its name says.
"""
import base64
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


class Key:
    def __init__(self, folder, kid, bits=2048):
        self.kid, self.path = kid, os.path.join(folder, kid + '.pem')
        if not os.path.exists(self.path):
            subprocess.run(['openssl', 'genrsa', '-out', self.path,
                            str(bits)], check=True, capture_output=True)
        text = subprocess.run(
            ['openssl', 'rsa', '-in', self.path, '-noout', '-modulus'],
            check=True, capture_output=True).stdout.decode()
        self.n = bytes.fromhex(text.strip().split('=')[1])

    def jwk(self, **more):
        return dict({'kty': 'RSA', 'kid': self.kid, 'use': 'sig',
                     'alg': 'RS256', 'n': b64(self.n), 'e': 'AQAB'}, **more)

    def sign(self, data):
        return subprocess.run(
            ['openssl', 'dgst', '-sha256', '-sign', self.path],
            input=data, check=True, capture_output=True).stdout


def jwt(key, claims, **header):
    """A token signed by key; header: members to change, None to drop."""
    head = dict({'alg': 'RS256', 'typ': 'JWT', 'kid': key.kid}, **header)
    head = {k: v for k, v in head.items() if v is not None}
    text = b64(json.dumps(head).encode()) + '.' + \
        b64(json.dumps(claims).encode())
    return text + '.' + b64(key.sign(text.encode()))


def claims_of(token):
    part = token.split('.')[1]
    return json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def reply(self, status, body, **headers):
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        headers.setdefault('Content-Type', 'application/json')
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang(self):
        self.server.done.wait(600)
        self.close_connection = True

    def trickle(self):
        """A byte now and then, for ever."""
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.end_headers()
        try:
            while not self.server.done.wait(0.2):
                self.wfile.write(b' ')
        except OSError:
            pass
        self.close_connection = True

    def flood(self):
        """More than anybody wants."""
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.end_headers()
        try:
            for _ in range(1 << 14):
                self.wfile.write(b'{"sub": "' + b'x' * 65536)
        except OSError:
            pass
        self.close_connection = True

    def metadata(self, issuer):
        base = 'http://127.0.0.1:%d/%s' % (self.server.server_port, issuer)
        return {'issuer': base, 'authorization_endpoint': base + '/authorize',
                'token_endpoint': base + '/token',
                'userinfo_endpoint': base + '/userinfo',
                'jwks_uri': base + '/jwks'}

    def do_metadata(self, issuer):
        meta = self.metadata(issuer)
        if issuer == 'down' and not self.server.up:
            self.reply(503, {})
        elif issuer == 'lies':
            meta['userinfo_endpoint'] = 'file:///etc/passwd'
            self.reply(200, meta)
        elif issuer == 'garbage':
            self.reply(200, '<html>sorry</html>')
        elif issuer == 'partial':
            del meta['token_endpoint']
            self.reply(200, meta)
        elif issuer == 'moved':
            self.reply(302, '', Location='/good/.well-known/'
                       'openid-configuration')
        elif issuer == 'away':
            self.reply(302, '', Location='ftp://127.0.0.1/x')
        elif issuer == 'huge':
            self.flood()
        elif issuer == 'hang':
            self.hang()
        elif issuer == 'slow':
            self.trickle()
        else:
            self.reply(200, meta)

    def do_userinfo(self, issuer):
        kind, _, token = self.headers.get('Authorization', '').partition(' ')
        if kind != 'Bearer':
            self.reply(401, {'error': 'invalid_request'})
        elif token.startswith('good-'):
            name = token[5:]
            self.reply(200, {'sub': name, 'email': name + '@example.org',
                             'name': 'Zo\u00eb'})
        elif token.count('.') == 2:
            self.reply(200, {'sub': claims_of(token).get('sub')})
        elif token == 'error':
            self.reply(500, {})
        elif token == 'garbage':
            self.reply(200, 'you are welcome')
        elif token == 'list':
            self.reply(200, ['sub'])
        elif token == 'nobody':
            self.reply(200, {'email': 'x'})
        elif token == 'empty':
            self.reply(200, {'sub': ''})
        elif token == 'number':
            self.reply(200, {'sub': 4711})
        elif token == 'object':
            self.reply(200, {'sub': {'a': 1}})
        elif token == 'control':
            self.reply(200, {'sub': 'a\nb'})
        elif token == 'long':
            self.reply(200, {'sub': 'x' * 5000})
        elif token == 'moved':
            self.reply(302, '', Location='/good/userinfo')
        elif token == 'huge':
            self.flood()
        elif token == 'hang':
            self.hang()
        elif token == 'slow':
            self.trickle()
        else:
            self.reply(401, {'error': 'invalid_token'})

    def do_authorize(self, issuer):
        """Whoever comes is alice, and consents."""
        query = dict(urllib.parse.parse_qsl(
            urllib.parse.urlsplit(self.path).query))
        back = query.get('redirect_uri', '')
        self.reply(302, '', Location=back + ('&' if '?' in back else '?') +
                   urllib.parse.urlencode({'code': 'code-alice',
                                           'state': query.get('state', '')}))

    def do_token(self, issuer):
        length = int(self.headers.get('Content-Length', 0))
        form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        self.server.form = form
        if form.get('code') == 'hang':
            self.hang()
        elif form.get('code') == 'huge':
            self.flood()
        elif form.get('code') == 'error':
            self.reply(500, {})
        elif form.get('code', '').startswith('code-'):
            self.reply(200, {'access_token': 'good-' + form['code'][5:],
                             'token_type': 'Bearer', 'expires_in': 3600})
        else:
            self.reply(400, {'error': 'invalid_grant'})

    def do_jwks(self, issuer):
        key = self.server.keys[issuer if issuer == 'other' else 'good']
        keys = [key.jwk()]
        if issuer == 'good':
            keys.append(self.server.keys['short'].jwk())
            keys.append(self.server.keys['enc'].jwk(use='enc'))
            if self.server.rotated:
                keys.append(self.server.keys['new'].jwk())
        self.reply(200, {'keys': keys})

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path).path.strip('/').split('/')
        if parts == ['stats']:
            return self.reply(200, self.server.stats)
        if parts == ['form']:
            return self.reply(200, self.server.form)
        issuer, what = parts[0], parts[-1]
        what = 'metadata' if what == 'openid-configuration' else what
        asked = issuer + ' ' + what
        with self.server.lock:
            self.server.stats[asked] = self.server.stats.get(asked, 0) + 1
        answer = getattr(self, 'do_' + what, None)
        if answer is None:
            return self.reply(404, {})
        answer(issuer)

    def do_POST(self):
        if self.path == '/up':
            self.server.up = True
            return self.reply(200, {})
        if self.path == '/rotate':
            self.server.rotated = True
            return self.reply(200, {})
        self.do_GET()


class Provider(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128            # of those who connect at once

    def __init__(self, folder, port=0):
        super().__init__(('127.0.0.1', port), Handler)
        self.keys = {name: Key(folder, name) for name in
                     ('good', 'other', 'enc', 'new')}
        self.keys['short'] = Key(folder, 'short', 1024)
        self.stats, self.form, self.lock = {}, {}, threading.Lock()
        self.up, self.rotated, self.done = False, False, threading.Event()
        self.url = 'http://127.0.0.1:%d' % self.server_port

    def handle_error(self, request, client_address):
        pass                            # clients that have had enough

    def start(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def claims(self, issuer='good', **more):
        now = int(time.time())
        return {k: v for k, v in dict(
            {'iss': self.url + '/' + issuer, 'aud': 'api', 'sub': 'jwt-user',
             'iat': now, 'exp': now + 600}, **more).items() if v is not None}


if __name__ == '__main__':
    provider = Provider(sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else 0)
    print(provider.server_port, flush=True)
    provider.serve_forever()
