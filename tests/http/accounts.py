# SPDX-License-Identifier: Apache-2.0
"""The accounts plugin (section 06-7) on a running server: on PostgreSQL if
CLQ_PG_URL is set, else on SQLite."""
import json
import os
import pty
import socket
import statistics
import subprocess
import threading
import time

from api import basic, database, start_kinto
from harness import CLIQUET, Test

POLICY = 'kinto.plugins.accounts.AccountsPolicy'
OLD_POLICY = 'kinto.plugins.accounts.authentication.' \
    'AccountsAuthenticationPolicy'
OPEN = {'includes': 'kinto.plugins.accounts', 'multiauth.policies': 'account',
        'multiauth.policy.account.use': POLICY, 'account_bcrypt_rounds': 4,
        'account_create_principals': 'system.Everyone',
        'account_write_principals': 'account:admin account:reader',
        'account_read_principals': 'account:reader'}


def settings(**more):
    return {k: v for k, v in dict(OPEN, **more).items() if v is not None}


def account(**data):
    return {'data': data}


def sign_up(api, name, password='pw'):
    return api('PUT', '/accounts/' + name, account(password=password))


def ids(answer):
    return sorted(r['id'] for r in answer.data or [])


# ---- the table of section 06-7.1 ------------------------------------------

def anonymous(t, api):
    r = sign_up(api, 'alice')
    t.equal((r.status, r.body['permissions'], r.data['id'],
             r.data['password'][:7]),
            (201, {'write': ['account:alice']}, 'alice', '$2b$04$'),
            'anybody signs up by PUT')
    t.equal(sign_up(api, 'alice').error[:2], (401, 104),
            'but not with a name that is taken')
    r = api('POST', '/accounts', account(id='bob', password='pw', x=1))
    t.equal((r.status, r.body['permissions'], r.data['x']),
            (201, {'write': ['account:bob']}, 1), 'or by POST')
    t.equal(api('POST', '/accounts', account(id='bob', password='no'))
            .error[:2], (401, 104), 'likewise')
    for body in account(password='pw'), account(), {'data': 'x'}, {}:
        r = api('POST', '/accounts', body)
        t.equal((r.status, r.body['details']), (400, [
            {'location': 'body', 'name': 'data.id',
             'description': 'data.id in body: Required'}]),
            'POST without an id: %s' % json.dumps(body))
    for method in 'GET', 'HEAD', 'DELETE':
        r = api(method, '/accounts')
        t.equal((r.status, (r.body or {}).get('errno'),
                 (r.body or {}).get('error')),
                (401, None, None) if method == 'HEAD' else
                (401, 999, 'Cannot read accounts.'), method + ' of the list')
    for method in 'GET', 'DELETE', 'PATCH':
        for name in 'alice', 'nobody':
            r = api(method, '/accounts/' + name,
                    account(x=1) if method == 'PATCH' else None)
            t.equal(r.error[:2], (401, 104), '%s of %s' % (method, name))
    t.equal(api('GET', '/accounts/alice').headers.get('www-authenticate'),
            'Basic realm="Realm"', 'the challenge')


def user(t, api):
    alice = dict(user='alice:pw')
    r = api.hello(**alice)
    t.equal((r.user, r.body['capabilities']['accounts']
             ['validation_enabled']), ('account:alice', False), 'hello')
    r = api('GET', '/accounts/alice', **alice)
    t.equal((r.status, r.body['permissions'], r.data['password'][:4]),
            (200, {'write': ['account:alice']}, '$2b$'), 'reads himself')
    t.equal(ids(api('GET', '/accounts', **alice)), ['alice'],
            'and sees nobody else in the list')
    t.equal(api('HEAD', '/accounts', **alice).headers['total-objects'], '1',
            'nor counts them')
    for method in 'GET', 'DELETE', 'PATCH':
        for name in 'bob', 'nobody':
            r = api(method, '/accounts/' + name, account(x=1) if method ==
                    'PATCH' else None, **alice)
            t.equal(r.error[:2], (403, 121), '%s of %s' % (method, name))
    for method, path, name in (('PUT', '/accounts/bob', 'bob'),
                               ('PUT', '/accounts/new', 'new'),
                               ('POST', '/accounts', 'bob')):
        r = api(method, path, account(id=name, password='x'), **alice)
        t.equal((r.status, r.body['details'][0]['name'],
                 r.body['details'][0]['description']),
                (400, 'data.id', 'Username and account ID do not match.'),
                '%s %s is refused' % (method, name))
    r = api('POST', '/accounts', account(id='alice', password='x'), **alice)
    t.equal(r.status, 200, 'POST of himself only reads')
    t.equal(api.hello(**alice).user, 'account:alice', 'really')
    r = api('PATCH', '/accounts/alice', account(age=5), **alice)
    t.equal((r.status, r.data['age']), (200, 5), 'PATCH of something else')
    t.equal(api.hello(**alice).user, 'account:alice', 'keeps the password')
    r = api('PUT', '/accounts/alice',
            {'permissions': {'read': ['account:bob']}}, **alice)
    t.equal((r.status, r.data['age']), (200, 5), 'PUT without data, too')
    t.equal(api.hello(**alice).user, 'account:alice', 'really')
    r = api('GET', '/accounts/alice', **alice)
    r = api('PUT', '/accounts/alice', {'data': r.data}, **alice)
    t.equal(api.hello(**alice).user, 'account:alice',
            'what was got may be put back')
    t.equal(api('GET', '/accounts/alice', user='bob:pw').status, 404,
            'a shared account is still nobody else\'s')


def admin(t, api):
    for name in 'admin', 'reader':
        sign_up(api, name)
    boss, reader = dict(user='admin:pw'), dict(user='reader:pw')
    r = api('POST', '/accounts', account(id='carol', password='c'), **boss)
    t.equal((r.status, r.body['permissions']),
            (201, {'write': ['account:carol']}),
            'an administrator creates an account, and it is its user\'s')
    t.equal(api.hello(user='carol:c').user, 'account:carol', 'who logs in')
    r = api('PUT', '/accounts/carol', account(password='d'), **boss)
    t.equal((r.status, r.body['permissions']),
            (200, {'write': ['account:carol']}), 'replaces it')
    t.equal((api.hello(user='carol:c').user, api.hello(user='carol:d').user),
            (None, 'account:carol'), 'with another password')
    t.equal(api('GET', '/accounts/carol', **boss).status, 200, 'reads it')
    t.equal(api('PATCH', '/accounts/carol', account(x=1), **boss).status,
            200, 'changes it')
    t.equal(ids(api('GET', '/accounts', **boss)), ['admin'],
            'the list is his own account only')
    everybody = ['admin', 'alice', 'bob', 'carol', 'reader']
    t.equal(ids(api('GET', '/accounts', **reader)), everybody,
            'or of everybody, if he may read them')
    t.equal(api('HEAD', '/accounts', **reader).headers['total-objects'],
            str(len(everybody)), 'counted')
    r = api('GET', '/accounts?x=1&_sort=id', **reader)
    t.equal(ids(r), ['bob', 'carol'], 'filtered')
    seen, path = [], '/accounts?_limit=2'
    while path:
        r = api('GET', path, **reader)
        seen += ids(r)
        path = r.headers.get('next-page', '').partition('/v1')[2]
    t.equal(sorted(seen), everybody, 'page by page')
    before = api('GET', '/accounts', **reader).headers['etag']
    api('PATCH', '/accounts/bob', account(x=2), **boss)
    after = api('GET', '/accounts', **reader).headers['etag']
    t.ok(before < after, 'whose ETag changes with each')
    r = api('GET', '/accounts?_since=' + before.strip('"'), **reader)
    t.equal(ids(r), ['bob'], 'and which tells what is new')
    t.equal(api('DELETE', '/accounts/carol', **boss).status, 200, 'deletes')
    t.equal(api.hello(user='carol:d').user, None, 'and that is the end')
    for method in 'GET', 'DELETE', 'PATCH':
        r = api(method, '/accounts/carol', account(x=1) if method == 'PATCH'
                else None, **boss)
        t.equal(r.error[:2], (404, 110), method + ' of a missing one')
    r = api('POST', '/accounts', account(password='x'), **boss)
    t.equal(r.body['details'][0]['name'], 'data.id', 'POST without id')


def lists_deleted(t, api):
    r = api('DELETE', '/accounts', user='bob:pw')
    t.equal(ids(r), ['bob'], 'DELETE of the list: a user deletes himself')
    t.equal((api.hello(user='bob:pw').user, api.hello(user='alice:pw').user),
            (None, 'account:alice'), 'and nobody else')
    r = api('DELETE', '/accounts', user='admin:pw')
    t.equal((r.status, ids(r)), (200, ['admin', 'alice', 'reader']),
            'an administrator everybody')
    t.equal(api.hello(user='alice:pw').user, None, 'really')
    t.equal(sign_up(api, 'alice').status, 201, 'names can be had again')


def names_and_passwords(t, api):
    for name in 'A', 'me+you@x.org', '0.1-b_c':
        t.equal(sign_up(api, name.replace('+', '%2B')).status, 201,
                'the name ' + name)
    t.equal(api.hello(user='me+you@x.org:pw').user, 'account:me+you@x.org',
            'logs in')
    for name in '-a', '_a', '%40a', 'a%20b', 'a%3Ab', '%C3%A9':
        t.equal(sign_up(api, name).error[:2], (400, 107), 'no name: ' + name)
    for body in (account(), account(password=''), account(password=None),
                 account(password=12), account(password=['a']),
                 account(password={'a': 1}), account(password='x' * 73),
                 account(password='\u00e9' * 37), {}):
        r = api('PUT', '/accounts/x', body)
        t.equal(r.error[:2], (400, 107), 'no password: %.60s' %
                json.dumps(body))
    r = api('PUT', '/accounts/x', b'{"data": {"password": "a\\u0000b"}}')
    t.equal(r.status, 400, 'nor one with a NUL')
    sign_up(api, 'long', 'x' * 72)
    t.equal([api.hello(user='long:' + 'x' * n).user for n in (72, 71)],
            ['account:long', None], '72 bytes')
    sign_up(api, 'umlaut', 'p\u00e4ss')
    t.equal([api.hello(user='umlaut:p\u00e4ss'.encode(e)).user
             for e in ('utf-8', 'latin-1')], ['account:umlaut'] * 2,
            'beyond ASCII, and as browsers once sent it')
    sign_up(api, 'colon', 'a:b:')
    t.equal(api.hello(user='colon:a:b:').user, 'account:colon', 'colons')


def bad_credentials(t, api):
    sign_up(api, 'dora', 'pw')
    for what in ('', 'Basic', 'Basic ', 'Basic !!!', 'Basic ZG9yYTpwdw',
                 'Basic ' + 'A' * 9000, 'Bearer ZG9yYTpwdw==',
                 basic('dora'), basic(':pw'), basic('dora:'),
                 basic('dora:pw2'), basic('Dora:pw'), basic('dora :pw'),
                 basic(b'dora:pw\0x'), basic(b'dora\0:pw'),
                 basic(b'\xff\xfe:pw'), basic('nobody:pw'),
                 basic('../dora:pw'), basic('*:pw'), basic('x' * 6000 + ':'),
                 basic('dora:' + 'pw' * 3000)):
        r = api.hello(auth=what)
        good = what == 'Basic ZG9yYTpwdw'       # padding is optional
        t.equal((r.status, r.user), (200, 'account:dora' if good else None),
                'credentials %.40r' % what)
    t.equal(api.hello(auth='basic   ' + basic('dora:pw')[6:]).user,
            'account:dora', 'any case, any blanks')


def patches(t, api):
    sign_up(api, 'pat', 'one')
    now = 'one'
    for kind, body, password in (
            ('application/json', account(password='two'), 'two'),
            ('application/merge-patch+json', account(password='three'),
             'three'),
            ('application/json-patch+json',
             [{'op': 'replace', 'path': '/data/password', 'value': 'four'}],
             'four')):
        old = api('GET', '/accounts/pat', user='pat:' + now)
        r = api('PATCH', '/accounts/pat', body, user='pat:' + now,
                headers=[('Content-Type', kind)])
        t.equal((r.status, r.data['password'][:7]), (200, '$2b$04$'),
                kind + ' changes the password')
        t.ok(r.data['password'] != old.data['password'], 'the hash, too')
        t.equal([api.hello(user='pat:' + p).user for p in (now, password)],
                [None, 'account:pat'], 'at once')
        now = password
    for body in (account(password=''), account(password=None)):
        r = api('PATCH', '/accounts/pat', body, user='pat:four')
        t.equal(r.error[:2], (400, 107), 'PATCH to none %s' % body)
    r = api('PATCH', '/accounts/pat',
            [{'op': 'remove', 'path': '/data/password'}], user='pat:four',
            headers=[('Content-Type', 'application/json-patch+json')])
    t.equal(r.status, 400, 'nor can it be removed')


def batch(t, api):
    r = api('POST', '/batch', {
        'defaults': {'method': 'PUT'},
        'requests': [{'path': '/accounts/batch%d' % i,
                      'body': account(password='pw%d' % i)}
                     for i in range(4)] +
        [{'path': '/accounts/batch0', 'body': account(password='x')},
         {'path': '/', 'method': 'GET',
          'headers': {'Authorization': basic('batch1:pw1')}},
         {'path': '/accounts/batch2', 'method': 'PATCH',
          'body': account(password='new'),
          'headers': {'Authorization': basic('batch2:pw2')}}]})
    got = [x['status'] for x in r.body['responses']]
    t.equal(got, [201] * 4 + [401, 200, 200], 'a batch')
    t.equal(r.body['responses'][5]['body']['user']['id'], 'account:batch1',
            'in which an account exists at once')
    t.equal([api.hello(user=u).user for u in
             ('batch0:pw0', 'batch2:pw2', 'batch2:new')],
            ['account:batch0', None, 'account:batch2'], 'and afterwards')


def resource(t):
    s, api = start_kinto(t, **settings())
    for part in (anonymous, user, admin, lists_deleted, names_and_passwords,
                 bad_credentials, patches, batch):
        part(t, api)
    t.ok(not s.logged('ERROR|Traceback', 0), 'nothing in the log')
    s.stop()


# ---- verification ----------------------------------------------------------

def took(api, n=1, **who):
    """The quickest of n: the others may have waited for the machine."""
    times = []
    for _ in range(n):
        began = time.monotonic()
        api.hello(**who)
        times.append(time.monotonic() - began)
    return min(times)


def remembered(t):
    s, api = start_kinto(t, **settings(account_bcrypt_rounds=11))
    sign_up(api, 'alice')
    first = took(api, user='alice:pw')
    again = took(api, 20, user='alice:pw')
    t.ok(again < first / 4, 'a good password is remembered '
         '(%.1f ms, then %.2f)' % (first * 1e3, again * 1e3))
    r = api('POST', '/batch', {'requests': [
        {'method': 'PUT', 'path': '/accounts/eve',
         'body': account(password='pw')},
        {'path': '/', 'headers': {'Authorization': basic('eve:pw')}}]})
    t.equal(r.body['responses'][1]['body']['user']['id'], 'account:eve',
            'an account that its batch may still undo')
    first, again = took(api, user='eve:pw'), took(api, 20, user='eve:pw')
    t.ok(again < first / 4, 'is remembered only afterwards '
         '(%.1f ms, then %.2f)' % (first * 1e3, again * 1e3))
    for turn in range(3):       # what differs does so each time
        wrong, nobody = map(statistics.median, zip(*(     # by turns
            (took(api, user='alice:x%d-%d' % (turn, i)),
             took(api, user='nob%d-%d:x' % (turn, i))) for i in range(9))))
        if 0.5 < nobody / wrong < 2:
            break
    t.ok(0.5 < nobody / wrong < 2, 'whether there is such a user does not '
         'show in the time (%.1f and %.1f ms)' % (nobody * 1e3, wrong * 1e3))
    s.stop()
    s, api = start_kinto(t, **settings(account_cache_ttl_seconds=1))
    sign_up(api, 'alice')
    for _ in range(8):          # used all the time, beyond its second
        api.hello(user='alice:pw')
        time.sleep(0.25)
    t.equal(api.hello(user='alice:pw').user, 'account:alice', 'refreshed')
    s.stop()


def race(t):
    """A password that is no more is good for nobody, even if somebody was
    just being verified with it: he must not bring it back into the cache."""
    s, api = start_kinto(t, **settings(
        account_bcrypt_rounds=11, account_cache_ttl_seconds=600, workers=4))
    sign_up(api, 'admin')
    api.hello(user='admin:pw')
    late, stale, i = 0, 0, 0
    while i < 12 or (late < 4 and i < 200):
        i += 1
        name = 'user%d' % i
        sign_up(api, name)
        got = []
        thread = threading.Thread(target=lambda: got.append(
            api.hello(user=name + ':pw').user))
        thread.start()
        time.sleep(0.005 * (i % 4 + 1))
        r = api('DELETE', '/accounts/' + name, user='admin:pw')
        late += r.status == 200 and thread.is_alive()
        thread.join()
        stale += api.hello(user=name + ':pw').user is not None
    t.ok(late > 3, 'accounts deleted during a verification: %d' % late)
    t.equal(stale, 0, 'which could be used afterwards')
    s.stop()


def without_cache(t):
    nobody = socket.socket()        # bound, so that no other test listens
    nobody.bind(('127.0.0.1', 0))
    s, api = start_kinto(t, **settings(
        cache_backend='memcached',
        cache_hosts='127.0.0.1:%d' % nobody.getsockname()[1]))
    t.equal(sign_up(api, 'alice').status, 201, 'no cache: sign up')
    t.equal([api.hello(user='alice:' + p).user for p in ('pw', 'pw', 'x')],
            ['account:alice'] * 2 + [None], 'log in')
    r = api('PATCH', '/accounts/alice', account(password='new'),
            user='alice:pw')
    t.equal((r.status, [api.hello(user='alice:' + p).user
                        for p in ('pw', 'new')]),
            (200, [None, 'account:alice']), 'change the password')
    s.stop()


def others_write(t):
    """While passwords are being verified and hashed, others write."""
    s, api = start_kinto(t, **settings(account_bcrypt_rounds=13, workers=4))
    sign_up(api, 'alice')
    api('PUT', '/buckets/b', user='alice:pw')
    api('PUT', '/buckets/b/collections/c', user='alice:pw')
    path = '/buckets/b/collections/c/records/r'
    stop = threading.Event()
    hashing = []

    def attack(kind):
        while not stop.is_set():
            began = time.monotonic()
            if kind == 'login':
                api('PUT', path, account(x=1), user='alice:wrong')
            else:
                api('PUT', '/accounts/n%d' % time.monotonic_ns(),
                    account(password='pw'))
            hashing.append(time.monotonic() - began)

    threads = [threading.Thread(target=attack, args=(k,))
               for k in ('login', 'sign up')]
    for thread in threads:
        thread.start()
    times, statuses = [], set()
    while len(hashing) < 8:
        began = time.monotonic()
        statuses.add(api('PUT', path, account(x=2), user='alice:pw').status)
        times.append(time.monotonic() - began)
    stop.set()
    for thread in threads:
        thread.join()
    t.ok(statuses <= {200, 201}, 'writes %s' % statuses)
    median, cost = statistics.median(times), statistics.median(hashing)
    t.ok(median < cost / 4, 'writers do not wait for passwords '
         '(%.1f ms, a password takes %.0f)' % (median * 1e3, cost * 1e3))
    s.stop()


def beside_basicauth(t):
    s, api = start_kinto(t, **settings(**{
        'multiauth.policies': 'account basicauth', 'includes': 'accounts',
        'multiauth.policy.account.use': OLD_POLICY,
        'account_bcrypt_rounds': 12}))
    t.ok(api.hello(user='alice:pw').user.startswith('basicauth:'),
         'whoever has no account is a basicauth user')
    fast = took(api, 20, user='nobody:x')
    t.ok(fast < 0.05, 'without a delay (%.1f ms)' % (fast * 1e3))
    sign_up(api, 'alice')
    t.equal(api.hello(user='alice:pw').user, 'account:alice',
            'an account wins at once')
    t.ok(api.hello(user='alice:no').user.startswith('basicauth:'),
         'a wrong password is another basicauth user\'s')
    r = api('GET', '/accounts', user='some:body')
    t.equal((r.status, r.data), (200, []), 'who sees no account')
    r = api('PUT', '/accounts/new', account(password='x'), user='some:body')
    t.equal(r.error[0], 400, 'and creates none for others')
    s.stop()


def closed(t):
    """Only administrators create accounts; one is so by a group."""
    admins = '/buckets/staff/groups/admins account:root'
    s, api = start_kinto(t, **settings(**{
        'account_read_principals': None,
        'account_create_principals': admins,
        'account_write_principals': admins,
        'multiauth.policies': 'account basicauth'}))
    t.equal(sign_up(api, 'alice').error[:2], (401, 104), 'no sign-up')
    r = api('PUT', '/accounts/alice', account(password='x'), user='some:one')
    t.equal(r.error[:2], (403, 121), 'for strangers neither')
    ini = s.ini
    t.equal(t.run([CLIQUET, '--ini', ini, 'create-user', '-u', 'root',
                   '-p', 'toor']), (0, 'account root created\n'),
            'create-user beside the running server')
    t.equal(api.hello(user='root:toor').user, 'account:root', 'logs in')
    r = api('PUT', '/accounts/boss', account(password='pw'),
            user='root:toor')
    t.equal((r.status, r.body['permissions']),
            (201, {'write': ['account:boss']}), 'an administrator')
    api('PUT', '/buckets/staff', user='root:toor')
    t.equal(api('PUT', '/accounts/x', account(password='x'), user='boss:pw')
            .status, 403, 'another user is none')
    api('PUT', '/buckets/staff/groups/admins',
        {'data': {'members': ['account:boss']}}, user='root:toor')
    r = api('PUT', '/accounts/x', account(password='x'), user='boss:pw')
    t.equal((r.status, r.body['permissions']),
            (201, {'write': ['account:x']}), 'but by his group')
    t.equal(api('DELETE', '/accounts/x', user='boss:pw').status, 200,
            'deletes, too')
    s.stop()


# ---- the command -----------------------------------------------------------

def typed(argv, lines):
    """Run on a terminal, typing a line at each question: (status, output)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(argv[0], argv)
    out = b''
    try:
        for question, line in lines:
            while not out.endswith(question):
                out += os.read(fd, 1024)
            os.write(fd, line + b'\n')
        while True:
            data = os.read(fd, 1024)
            if not data:
                break
            out += data
    except OSError:
        pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out


def command(t):
    nobody = socket.socket()        # bound, so that no other test listens
    nobody.bind(('127.0.0.1', 0))
    s, api = start_kinto(t, **settings(
        cache_backend='memcached',
        cache_hosts='127.0.0.1:%d' % nobody.getsockname()[1]))
    cmd = [CLIQUET, '--ini', s.ini, 'create-user']
    t.equal(t.run(cmd + ['-u', 'alice', '-p', 'one']),
            (0, 'account alice created\n'), 'create-user')
    r = api('GET', '/accounts/alice', user='alice:one')
    t.equal((r.status, r.body['permissions']),
            (200, {'write': ['account:alice']}), 'has the write permission')
    status, out = t.run(cmd + ['--username', 'alice', '--password', 'two'])
    t.equal((status, out.splitlines()[-1]),
            (0, 'account alice has a new password'), 'changes the password')
    t.equal([api.hello(user='alice:' + p).user for p in ('one', 'two')],
            [None, 'account:alice'], 'really')
    p = subprocess.run(cmd + ['-u', 'bob'], input=b'from a pipe\n',
                       capture_output=True)
    t.equal((p.returncode, p.stdout), (0, b'account bob created\n'),
            'the password from standard input')
    t.equal(api.hello(user='bob:from a pipe').user, 'account:bob', 'is it')
    status, out = typed(cmd, [(b'User name: ', b'carol'),
                              (b'Password: ', b's3same'),
                              (b'again: ', b'sesame'),
                              (b'Password: ', b's3same'),
                              (b'again: ', b's3same')])
    t.equal((status, b's3same' in out), (0, False),
            'typed twice, and not shown')
    t.equal(api.hello(user='carol:s3same').user, 'account:carol', 'is it')
    for args, why in ((['-u', '-x', '-p', 'a'], 'begins with a letter or digit'),
                      (['-u', 'a/b', '-p', 'a'], "'a/b' is no user name"),
                      (['-u', 'x', '-p', ''], 'Required'),
                      (['-u', 'x', '-p', 'a' * 73], 'maximum'),
                      (['-u', 'x'], 'no password'),
                      ([], 'no user name')):
        status, out = t.run(cmd + args)
        t.equal((status, why in out), (1, True), 'refused: %s' % args)
    t.equal(t.run(cmd + ['x'])[0], 2, 'an operand is wrong usage')
    s.stop()
    for more, why in ((dict(readonly='true'), 'readonly'),
                      ({'includes': None, 'multiauth.policies': 'basicauth',
                        'multiauth.policy.account.use': None}, 'includes'),
                      (dict(storage_backend='memory', storage_url=None,
                            permission_backend='memory',
                            permission_url=None), 'memory')):
        ini = t.ini(**dict(dict(use='kinto', userid_hmac_secret='x',
                                cache_backend='memory', project_version=None,
                                **database(t)), **settings(**more)))
        status, out = t.run([CLIQUET, '--ini', ini, 'create-user', '-u', 'a',
                             '-p', 'b'])
        t.equal((status, why in out), (1, True), 'refused: %s' % why)


# ---- start-up --------------------------------------------------------------

def start_up(t):
    def refused(why, **more):
        s, _ = start_kinto(t, ready=False, **settings(**more))
        t.equal((s.wait(), s.logged(why)), (1, True), 'refused: ' + why)

    refused('no policy is of its kind', **{
        'multiauth.policies': 'basicauth',
        'multiauth.policy.account.use': None})
    refused('takes any user name', **{
        'multiauth.policies': 'basicauth account'})
    refused('account:boss could create no account but its own',
            account_create_principals='system.Everyone account:boss')
    refused('account_bcrypt_rounds', account_bcrypt_rounds=31)
    s, api = start_kinto(t, **settings(**{
        'multiauth.policy.account.use': None, 'userid_hmac_secret': ''}))
    t.ok(s.logged('userid_hmac_secret is empty'),
         'an empty secret is warned of')
    t.equal(sign_up(api, 'alice').status, 201,
            'a policy called account needs no class')
    t.equal(api.hello(user='alice:pw').user, 'account:alice', 'works')
    s.stop()
    s, api = start_kinto(t, **settings(**{
        'multiauth.policies': 'local',
        'multiauth.policy.account.use': None,
        'multiauth.policy.local.use': POLICY,
        'account_write_principals': None, 'account_read_principals': None}))
    r = sign_up(api, 'alice')
    t.equal((r.body['permissions'], api.hello(user='alice:pw').user),
            ({'write': ['local:alice']}, 'local:alice'),
            'the name of the policy is the prefix')
    s.stop()
    s, api = start_kinto(t, **settings(**{'multiauth.policies': ''}))
    t.ok(s.logged('no account can log in'), 'a policy not named: a warning')
    s.stop()


def main():
    stored = (resource, race, others_write, closed)
    parts = stored if 'CLQ_PG_URL' in os.environ else stored + (
        remembered, without_cache, beside_basicauth, command, start_up)
    with Test() as t:
        for part in parts:
            part(t)


main()
