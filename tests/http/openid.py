# SPDX-License-Identifier: Apache-2.0
"""The openid plugin (section 06-8) on a running server, with providers of
tests/support/oidc.py."""
import base64
import itertools
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import oidc
from api import basic, start_kinto
from harness import CLIQUET, Test, wait_for
from oidc import Provider, jwt

CLASS = 'kinto.plugins.openid.OpenIDConnectPolicy'
PATIENCE = 5.5          # seconds within which everything is answered
TRIES = 3               # a busy machine may take longer, but not each time
CALLBACK = 'http://localhost:3000/#tokens='


def policy(provider, issuer='good', name=None, **more):
    """Settings of one policy."""
    p = 'multiauth.policy.%s.' % (name or issuer)
    url = issuer if '://' in issuer else provider.url + '/' + issuer
    values = dict(use=CLASS, issuer=url, client_id='client-' + (name or ''),
                  client_secret='hush-hush', **more)
    return {p + k: v for k, v in values.items() if v is not None}


def start(t, policies, *options, **more):
    settings = {'includes': 'kinto.plugins.openid',
                'multiauth.policies': policies}
    for o in options:
        settings.update(o)
    settings.update(more)
    return start_kinto(t, **settings)


def bearer(token):
    return dict(auth='Bearer ' + token)


def timed(call, *args, **more):
    began = time.monotonic()
    answer = call(*args, **more)
    return answer, time.monotonic() - began


# ---- tokens ----------------------------------------------------------------

def tokens(t, p):
    s, api = start(t, 'good basicauth', policy(p))
    r = api.hello(**bearer('good-alice'))
    t.equal((r.user, r.body['user']['profile']),
            ('good:alice', {'sub': 'alice', 'email': 'alice@example.org',
                            'name': 'Zo\u00eb'}), 'a good token')
    before = p.stats['good userinfo']
    t.equal([api.hello(**bearer('good-alice')).user for _ in range(5)],
            ['good:alice'] * 5, 'again and again')
    t.equal(p.stats['good userinfo'], before, 'the provider is asked once')
    t.equal(api.hello(**bearer('number')).user, 'good:4711',
            'a number is a user id, too')
    for token in ('bad', 'garbage', 'list', 'nobody', 'empty', 'object',
                  'control', 'long', 'moved', 'good-', 'x' * 8000):
        r = api.hello(**bearer(token))
        t.equal((r.status, r.user), (200, None), 'token ' + token[:20])
    before = p.stats['good userinfo']
    for _ in range(5):
        api.hello(**bearer('bad'))
    t.equal(p.stats['good userinfo'], before,
            'what was refused is not asked again at once')
    for auth in ('Bearer', 'Bearer ', 'Bearer a b', 'Bearer \u00e9',
                 'Bearer ' + 'x' * 8193, 'good-alice', 'Token good-alice',
                 'Bearer\tgood-alice\x01', ' '):
        t.equal(api.hello(auth=auth).user, None, 'header %.30r' % auth)
    t.equal(p.stats['good userinfo'], before, 'nor what cannot be a token')
    t.equal([api.hello(auth=a).user for a in
             ('bearer good-alice', 'BEARER   good-alice ')],
            ['good:alice'] * 2, 'any case, any blanks')
    r = api.hello(**bearer('error'))
    t.equal((r.error[:2], 'retry-after' in r.headers), ((503, 201), True),
            'a provider in trouble is no refusal')
    r = api.hello(user='some:body')
    t.equal((r.user[:10], r.body['user']['profile']), ('basicauth:', {}),
            'other policies are asked, too')
    r = api('PUT', '/buckets/b', **bearer('good-bob'))
    t.equal(r.body['permissions'], {'write': ['good:bob']}, 'the principal')
    r = api('GET', '/buckets/b', **bearer('good-alice'))
    t.equal(r.error[:2], (403, 121), 'is nobody else')
    r = api('POST', '/batch', {'requests': [
        {'path': '/'}, {'path': '/', 'headers':
                        {'Authorization': 'Bearer good-carol'}},
        {'path': '/', 'headers': {'Authorization': basic('a:b')}}]},
        **bearer('good-bob'))
    users = [x['body'].get('user') for x in r.body['responses']]
    t.equal([(u['id'][:10], u['profile'].get('sub')) for u in users],
            [('good:bob', 'bob'), ('good:carol', 'carol'),
             ('basicauth:', None)], 'each his own profile in a batch')
    s.stop()


def options(t, p):
    s, api = start(
        t, 'first mail basicauth', policy(p, 'good', 'first'),
        policy(p, 'other', 'mail', userid_field='email',
               header_type='Mail', verification_ttl_seconds=1),
        includes='openid', **{'multiauth.policy.first.use': 'openid'})
    r = api.hello()
    providers = r.body['capabilities']['openid']['providers']
    t.equal([(x['name'], x['issuer'], x['auth_path'], x['client_id'],
              x['audience'], x['header_type'], x['userinfo_endpoint'])
             for x in providers],
            [(n, p.url + i, '/openid/%s/login' % n, 'client-' + n, '', h,
              p.url + i + '/userinfo') for n, i, h in
             (('first', '/good', 'Bearer'), ('mail', '/other', 'Mail'))],
            'hello tells the providers')
    t.ok('hush' not in json.dumps(r.body), 'and no secret')
    t.equal(api.hello(auth='Mail good-bob').user, 'mail:bob@example.org',
            'another header, another field')
    t.equal((api.hello(auth='Mail nobody').user,
             api.hello(auth='Bearer good-bob').user),
            ('mail:x', 'first:bob'), 'each its own')
    r = api('GET', '/buckets')
    t.equal((r.status, r.headers['www-authenticate']),
            (401, 'Basic realm="Realm"'), 'challenges (the last is seen)')
    before = p.stats['other userinfo']
    time.sleep(1.5)
    api.hello(auth='Mail good-bob')
    t.equal(p.stats['other userinfo'], before + 1, 'tokens are forgotten')
    status, out = t.run([CLIQUET, '--ini', s.ini, 'dump-config'])
    t.equal((status, 'hush' in out, 'client-first' in out),
            (0, False, True), 'dump-config shows no secret')
    s.stop()


def jwts(t, p):
    """With an audience tokens must be JWTs for it."""
    s, api = start(t, 'api', policy(p, 'good', 'api', audience='api'),
                   workers=1)
    workers, now = s.workers(), int(time.time())
    good, other = p.keys['good'], p.keys['other']

    def token(key=good, head={}, **claims):
        return jwt(key, p.claims(**claims), **head)

    since = time.monotonic()
    for what, tok, is_good in (
            ('a good one', token(), True),
            ('one of several audiences', token(aud=['x', 'api']), True),
            ('no expiry', token(exp=None), True),
            ('clocks that differ a little', token(iat=now + 30), True),
            ('another audience', token(aud='other'), False),
            ('no audience', token(aud=None), False),
            ('another issuer', token(iss=p.url + '/other'), False),
            ('no issuer', token(iss=None), False),
            ('expired', token(exp=now - 1), False),
            ('not yet', token(nbf=now + 300), False),
            ('of the future', token(iat=now + 300), False),
            ('an expiry that is no number', token(exp='x'), False),
            ('forged', token(other, {'kid': 'good'}), False),
            ('an unknown key', token(other), False),
            ('no key among several', token(head={'kid': None}), False),
            ('a key for encryption', token(p.keys['enc']), False),
            ('a short key', token(p.keys['short']), False),
            ('another algorithm', token(head={'alg': 'RS512'}), False),
            ('a public key as secret', token(head={'alg': 'HS256'}), False),
            ('no signature', token(head={'alg': 'none'}).rpartition('.')[0] +
             '.', False),
            ('changed', token()[:-5] + 'AAAAA', False),
            ('an opaque token', 'good-alice', False),
            ('half of one', token().rpartition('.')[0], False),
            ('no base64', 'AAAAA.AAAAA.AAAAA', False),
            ('base64 of the other kind', token() + '==', False),
            ('empty parts', '..', False),
            ('a header that is none', 'e30.e30.AAAA', False)):
        r = api.hello(**bearer(tok))
        t.equal((r.status, r.user),
                (200, 'api:jwt-user' if is_good else None), 'JWT: ' + what)
    # The second when a key is unknown, others not before ten seconds.
    may = 2 + (time.monotonic() - since) // 10
    t.ok(p.stats['good jwks'] <= may, 'forged ones do not cost a question '
         'each (%d)' % p.stats['good jwks'])
    t.equal(s.workers(), workers, 'nor a worker')
    for brief in 2, 4, 8, 16:           # long enough to ask, on any machine
        over = int(time.time()) + brief
        brief = token(exp=over)
        user = api.hello(**bearer(brief)).user
        if user or time.time() < over:
            break
    t.equal(user, 'api:jwt-user', 'a brief one')
    time.sleep(max(0, over + 0.2 - time.time()))
    t.equal(api.hello(**bearer(brief)).user, None,
            'is over when it is over, remembered or not')
    urllib.request.urlopen(p.url + '/rotate', b'')
    number = itertools.count()
    t.ok(wait_for(lambda: api.hello(**bearer(token(
        p.keys['new'], x=next(number)))).user, 60, 0.5),
         'a new key of the provider is found in a while')
    t.equal(api.hello(**bearer(token())).user, 'api:jwt-user',
            'the old one is still good')
    s.stop()


# ---- logging in ------------------------------------------------------------

def query(**params):
    return '?' + urllib.parse.urlencode(params)


def location(answer):
    url = urllib.parse.urlsplit(answer.headers.get('location', ''))
    return url._replace(query='').geturl(), \
        dict(urllib.parse.parse_qsl(url.query))


def login(api, name='good', callback=CALLBACK, scope='openid', **more):
    return api('GET', '/openid/%s/login' % name +
               query(callback=callback, scope=scope, **more))


def state_of(api, name='good', **more):
    return location(login(api, name, **more))[1]['state']


def trade(api, name='good', **params):
    return api('GET', '/openid/%s/token' % name + query(**params))


def detail(answer):
    d = (answer.body or {}).get('details') or [{}]
    return [(x.get('location'), x.get('name')) for x in d]


def dance(t, p):
    s, api = start(
        t, 'good mail aud basicauth', policy(p),
        policy(p, 'other', 'mail', userid_field='email',
               allowed_scopes='openid email offline',
               trusted_callback_urls='https://*.example.org/cb*'),
        policy(p, 'good', 'aud', audience='api', state_length=16),
        http_host='kinto.example:8443', http_scheme='https')
    where, params = location(login(api))
    state = params.pop('state')
    t.equal((where, params),
            (p.url + '/good/authorize', {
                'client_id': 'client-', 'response_type': 'code',
                'scope': 'openid', 'redirect_uri':
                'https://kinto.example:8443/v1/openid/good/token'}),
            'login redirects to the provider')
    t.equal(len(state), 64, 'with a random state')
    r = login(api, 'aud', scope='openid email', prompt='none')
    params = location(r)[1]
    t.equal((r.status, params['audience'], params['prompt'], params['scope'],
             len(params['state'])), (307, 'api', 'none', 'openid email', 32),
            'audience, prompt, scopes')

    r = trade(api, code='code-al', state=state)
    got = r.headers.get('location', '')
    t.equal((r.status, got.startswith(CALLBACK)), (307, True),
            'the code is traded, and the browser sent back')
    got = json.loads(base64.b64decode(
        urllib.parse.unquote(got[len(CALLBACK):])))
    t.equal(got['access_token'], 'good-al', 'with the tokens')
    t.equal(api.hello(**bearer(got['access_token'])).user, 'good:al',
            'which are good')
    t.equal(p.form, {'code': 'code-al', 'client_id': 'client-',
                     'client_secret': 'hush-hush',
                     'grant_type': 'authorization_code', 'redirect_uri':
                     'https://kinto.example:8443/v1/openid/good/token'},
            'what the provider was asked')
    for again in (trade(api, code='code-al', state=state),
                  trade(api, code='code-al', state='f' * 64),
                  trade(api, code='code-al', state='x' * 5000),
                  trade(api, error='denied', state=state)):
        t.equal((again.error, again.body['details']), (
            (400, 107, 'Invalid state'), [
                {'location': 'body', 'name': 'state',
                 'description': 'Invalid state', 'errno': 105}]),
            'a state is good once')
    state, got = state_of(api), []
    threads = [threading.Thread(target=lambda: got.append(
        trade(api, code='code-al', state=state).status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    t.equal(sorted(got), [307] + [400] * 7, 'also if eight try at once')
    r = trade(api, error='access_denied', error_description='no way & so',
              state=state_of(api))
    t.equal(r.headers.get('location'), CALLBACK +
            'error=access_denied&error_description=no+way+%26+so',
            'a refusal of the provider is passed on')
    r = trade(api, code='wrong', state=state_of(api))
    t.equal((r.status, 'eyJlcnJvciI6' in r.headers['location']), (307, True),
            'and its answer to a wrong code')
    r = trade(api, code='error', state=state_of(api))
    t.equal(r.error[:2], (503, 201), 'a provider in trouble: 503')
    wrong(t, api)
    s.stop()


def wrong(t, api):
    q, path = 'querystring', 'path'
    for what, answer, wanted in (
            ('nothing', api('GET', '/openid/good/login'),
             [(q, 'callback'), (q, 'scope')]),
            ('no scope', login(api, scope=''), [(q, 'scope')]),
            ('no callback', login(api, callback=''), [(q, 'callback')]),
            ('no URL', login(api, callback='x'), [(q, 'callback')]),
            ('a script', login(api, callback='javascript:x'),
             [(q, 'callback')]),
            ('a long URL', login(api, callback=CALLBACK + 'x' * 2048),
             [(q, 'callback')]),
            ('a prompt', login(api, prompt='login'), [(q, 'prompt')]),
            ('an unknown provider', login(api, 'nope'),
             [(path, 'provider')]),
            ('a policy that is none', login(api, 'basicauth'),
             [(path, 'provider')]),
            ('a stranger', login(api, callback='https://evil.org/'),
             [('body', 'callback')]),
            ('a trick', login(api, callback='http://localhost:1\\@evil.org/'),
             [('body', 'callback')]),
            ('a line break', login(api, callback=CALLBACK + '\r\nX: y'),
             [(q, 'callback')]),
            ('more scopes', login(api, scope='openid offline_access'),
             [('body', 'scope')]),
            ('not the scope', login(api, 'mail', scope='openid',
             callback='https://a.example.org/cb'), [('body', 'scope')]),
            ('another\'s callback', login(api, 'mail', scope='openid email'),
             [('body', 'callback')]),
            ('no state', trade(api, code='x'), [(q, 'state')]),
            ('no code', trade(api, state='x'), [(q, '')]),
            ('both', trade(api, state='x', code='y', error='z'), [(q, '')]),
            ('an unknown provider', trade(api, 'nope', state='x', code='y'),
             [(path, 'provider')])):
        t.equal((answer.status, detail(answer)), (400, wanted),
                'refused: ' + what)
    r = login(api, 'mail', callback='https://a.example.org/cb/1?x#y',
              scope='email offline openid')
    t.equal(r.status, 307, 'scopes and callbacks that the operator allows')
    for method in 'POST', 'PUT', 'DELETE':
        t.equal(api(method, '/openid/good/login').error[:2], (405, 115),
                method)


# ---- providers that are no help --------------------------------------------

def trouble(t, p, name):
    """A server with a bad provider: (it, the answers, their seconds)."""
    for _ in range(TRIES):
        began = time.monotonic()
        s, api = start(t, name + ' basicauth', policy(p, name), workers=1)
        began = time.monotonic() - began
        got = {'hello': timed(api.hello, user='some:body'),
               'user': timed(api.hello, **bearer('good-x')),
               'again': timed(api.hello, **bearer('good-x')),
               'login': timed(login, api, name)}
        took = {k: v[1] for k, v in got.items()}
        took['start'] = began
        if max(took.values()) < PATIENCE:
            break
        s.stop()
    return s, {k: v[0] for k, v in got.items()}, took


def bad_at_start(t, p):
    """The server starts, and everybody else can log in."""
    names = ['hang', 'slow', 'huge', 'garbage', 'lies', 'partial', 'away']
    for name in names:
        s, got, took = trouble(t, p, name)
        t.ok(took['start'] < PATIENCE and s.logged('starts without it'),
             '%s: the server starts without it (%.1f s)' %
             (name, took['start']))
        hello = got['hello']
        info = hello.body['capabilities']['openid']['providers'][0]
        t.equal((hello.user[:10], info['userinfo_endpoint'], info['issuer']),
                ('basicauth:', None, p.url + '/' + name),
                '%s: others log in' % name)
        t.equal((got['user'].error[:2], got['again'].error[:2]),
                ((503, 201),) * 2, '%s: its users do not' % name)
        t.ok(took['user'] < PATIENCE, '%s: known within seconds (%.1f s)' %
             (name, took['user']))
        t.ok(got['login'].status == 503 and took['login'] < PATIENCE,
             '%s: nor can they begin to (%.1f s)' % (name, took['login']))
        t.ok('root:' not in s.text(), '%s: no file was read' % name)
        s.stop()
    s, api = start(t, 'moved', policy(p, 'moved'))
    t.equal(api.hello(**bearer('good-x')).user, 'moved:x',
            'a redirect of the metadata is followed')
    s.stop()


def comes_back(t, p):
    s, api = start(t, 'down', policy(p, 'down'))
    t.equal(api.hello(**bearer('good-x')).status, 503, 'down')
    urllib.request.urlopen(p.url + '/up', b'')
    t.ok(wait_for(lambda: api.hello(**bearer('good-x')).user == 'down:x', 60,
                  0.3), 'up again without a restart')
    s.stop()
    gone = subprocess.Popen([sys.executable, oidc.__file__, t.dir],
                            stdout=subprocess.PIPE)
    t.procs.append(gone)
    url = 'http://127.0.0.1:%d/good' % int(gone.stdout.readline())
    s, api = start(t, 'good', policy(p, url, 'good'), workers=1)
    t.equal(api.hello(**bearer('good-x')).user, 'good:x', 'a provider')
    gone.kill()
    gone.wait()
    t.equal((api.hello(**bearer('good-x')).user,
             api.hello(**bearer('good-y')).status), ('good:x', 503),
            'goes: who was verified stays')
    number = itertools.count()

    def all_of_them():
        for _ in range(20):
            api.hello(**bearer('good-z%d' % next(number)))
    t.soon(2, all_of_them, 'nobody waits for it')
    s.stop()


def within(limit, t, p, act):
    """act(api) of a new server, that and the seconds it took. What is too
    slow each time is not the machine."""
    for _ in range(TRIES):
        s, api = start(t, 'good basicauth', policy(p), workers=2)
        answer, took = timed(act, api)
        if took < limit:
            break
        s.stop()
    return s, api, answer, took


def bad_answers(t, p):
    """A hanging provider holds a worker for seconds, once; the others work."""
    for token, wanted in ('huge', 200), ('hang', 503), ('slow', 503):
        s, api, r, took = within(PATIENCE, t, p, lambda api: api.hello(
            **bearer(token)))
        t.ok((r.status, r.user) == (wanted, None) and took < PATIENCE,
             '%s: an answer within seconds (%.1f s)' % (token, took))
        s.stop()
    for code in 'hang', 'huge':
        s, api, r, took = within(PATIENCE, t, p, lambda api: trade(
            api, code=code, state=state_of(api)))
        t.ok(r.status == 503 and took < PATIENCE,
             'trade, %s: an answer within seconds (%.1f s)' % (code, took))
        s.stop()

    def ask_all(api):
        crowd = [threading.Thread(target=api.hello, kwargs=bearer('hang'))
                 for _ in range(6)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()
    s, api, _, took = within(2 * PATIENCE, t, p, ask_all)
    t.ok(took < 2 * PATIENCE, 'many who make it hang wait once '
         '(%.1f s)' % took)
    t.soon(0.5, lambda: api.hello(user='some:body'), 'and then nobody waits')
    t.ok(api.hello(user='some:body').user, 'and is somebody')
    s.stop()


def tls(t, p):
    """A certificate that nobody signed is not believed."""
    key, cert = t.path('tls.key'), t.path('tls.pem')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048',
                    '-nodes', '-keyout', key, '-out', cert, '-days', '1',
                    '-subj', '/CN=127.0.0.1', '-addext',
                    'subjectAltName=IP:127.0.0.1'], check=True,
                   capture_output=True)
    forger = Provider(t.dir)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    forger.socket = context.wrap_socket(forger.socket, server_side=True)
    forger.start()
    url = 'https://127.0.0.1:%d/good' % forger.server_port
    s, api = start(t, 'safe', policy(p, url, 'safe'))
    t.ok(s.logged('certificate'), 'an unknown certificate')
    t.equal((api.hello(**bearer('good-x')).status, forger.stats), (503, {}),
            'is told nothing')
    s.stop()


def no_cache(t, p):
    nobody = socket.socket()        # bound, so that no other test listens
    nobody.bind(('127.0.0.1', 0))
    s, api = start(t, 'good', policy(p), cache_backend='memcached',
                   cache_hosts='127.0.0.1:%d' % nobody.getsockname()[1])
    t.equal([api.hello(**bearer(k)).user for k in
             ('good-a', 'good-a', 'bad')], ['good:a', 'good:a', None],
            'without a cache tokens are verified each time')
    t.equal(login(api).status, 503, 'but nobody can log in')
    t.equal(trade(api, code='x', state='y').status, 503, 'nor go on to')
    s.stop()


def start_up(t, p):
    for option in 'issuer', 'client_id', 'client_secret':
        settings = policy(p)
        del settings['multiauth.policy.good.' + option]
        s, _ = start(t, 'good', settings, ready=False)
        t.equal((s.wait(), s.logged(option + ': needed by')), (1, True),
                'refused: no ' + option)
    for issuer in 'ftp://x/', 'x', 'file:///etc/passwd', 'https://':
        s, _ = start(t, 'good', policy(p), ready=False,
                     **{'multiauth.policy.good.issuer': issuer})
        t.equal((s.wait(), s.logged('not an https URL')), (1, True),
                'refused: ' + issuer)
    s, api = start(t, 'basicauth')
    r = api.hello()
    t.equal(('openid' in r.body['capabilities'], login(api).status),
            (False, 400), 'without a policy no capability')
    s.stop()
    s, api = start(t, 'good', policy(p), userid_hmac_secret='')
    t.ok(s.logged('userid_hmac_secret is empty'), 'an empty secret: warned')
    t.equal(api.hello(**bearer('good-x')).user, 'good:x', 'works')
    s.stop()


def main():
    with Test() as t:
        p = Provider(t.dir).start()
        for part in (tokens, options, jwts, dance, bad_at_start, comes_back,
                     bad_answers, tls, no_cache, start_up):
            part(t, p)


main()
