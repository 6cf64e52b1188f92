# SPDX-License-Identifier: Apache-2.0
"""Kinto's plugins with their settings: history, quotas, /permissions and rights
from settings, counters. On PostgreSQL if CLQ_PG_URL is set, else on SQLite."""
import base64
import contextlib
import json
import os
import re

import fcgi
from harness import CLIQUET, Test, wait_for

PG = os.environ.get('CLQ_PG_URL')
USERS = {'alice': 'alice:wonder', 'bob': 'bob:builder'}


class Kinto:
    """A server with these plugins; calls it as alice, or as somebody else."""

    def __init__(self, t, includes, **settings):
        self.t = t
        values = dict(use='kinto', includes=includes, workers=2,
                      project_version=None, log_level='info',
                      cache_backend='memory',
                      userid_hmac_secret='x', **{
                          'multiauth.policies': 'basicauth'})
        if PG:
            values.update(storage_backend='postgresql',
                          permission_backend='postgresql',
                          storage_url=PG, permission_url=PG)
            status, text = t.run([CLIQUET, 'migrate', '--ini',
                                  t.ini(**{**values, 'includes': 'flush'})])
            if status != 0:
                t.equal(text, '', 'the database is made ready')
        else:
            values.update(storage_backend='memory',
                          permission_backend='memory')
        values.update(settings)
        self.server = t.start(ready=False, **values)
        self.server.ready = None
        wait_for(self.up, 60)
        if PG:
            self('POST', '/__flush__', user=None)
        self.ids = {u: self('GET', '/', user=u)[1]['user']['id']
                    for u in USERS}

    def up(self):
        if self.server.popen.poll() is not None:
            return True                 # and it will be seen
        with contextlib.suppress(OSError, fcgi.Closed):
            return self('GET', '/')[0] == 200
        return False

    def full(self, method, path, body=None, user='alice', headers=()):
        headers = list(headers)
        if user:
            token = base64.b64encode(USERS[user].encode()).decode()
            headers.append(('Authorization', 'Basic ' + token))
        data = b'' if body is None else json.dumps(body).encode()
        if data:
            headers.append(('Content-Type', 'application/json'))
        return fcgi.request(self.server.address, method, '/v1' + path,
                            headers, data)

    def __call__(self, method, path, body=None, user='alice'):
        r = self.full(method, path, body, user)
        return r.status, json.loads(r.body) if r.body else None

    def data(self, path, user='alice'):
        status, body = self('GET', path, user=user)
        return body['data'] if status == 200 else status

    def must(self, status, method, path, body=None, user='alice'):
        got = self(method, path, body, user)
        if got[0] != status:
            self.t.equal(got, status, '%s %s' % (method, path))
        return got[1]

    def batch(self, *requests):
        return self('POST', '/batch', {'requests': [
            dict(method=m, path=p, **({'body': b[0]} if b else {}))
            for m, p, *b in requests]})

    def stop(self):
        self.t.equal(self.server.stop(), 0, 'the server ends well')


def actions(k, bucket, query='', user='alice'):
    """The history of a bucket, oldest first: "create record r1"."""
    entries = k.data('/buckets/%s/history%s' % (bucket, query), user)
    if isinstance(entries, int):
        return entries
    return ['%s %s %s' % (e['action'], e['resource_name'],
                          e['target']['data']['id'])
            for e in reversed(entries)]


# ---- history ----------------------------------------------------------------

def excluded(t):
    k = Kinto(t, 'flush history', **{
        'history.exclude_resources': '/buckets/b/collections/c '
                                     '/buckets/b/groups/g\n  /buckets/x '
                                     '/buckets/b/collections/d/records/r',
        'history.exclude_user_ids': 'basicauth:nobody'})
    hello = k('GET', '/')[1]['capabilities']['history']
    t.equal(hello['excluded_resources'],
            [{'bucket': 'b', 'collection': 'c'}, {'bucket': 'b', 'group': 'g'},
             {'bucket': 'x'},
             {'bucket': 'b', 'collection': 'd', 'record': 'r'}],
            'hello tells what is excluded')
    t.ok('auto_trim_max_count' not in hello and
         'auto_trim_user_ids' not in hello, 'and nothing that is not set')
    for path in ('x', 'x/collections/c', 'b', 'b/groups/g', 'b/groups/g2',
                 'b/collections/c', 'b/collections/c/records/r',
                 'b/collections/cc', 'b/collections/d',
                 'b/collections/d/records/r', 'b/collections/d/records/r2'):
        k.must(201, 'PUT', '/buckets/' + path)
    t.equal(actions(k, 'x'), [], 'nothing of an excluded bucket')
    t.equal(actions(k, 'b'), ['create bucket b', 'create group g2',
                              'create collection cc', 'create collection d',
                              'create record r2'],
            'nor of excluded collections, groups and records')
    k.stop()
    alice = k.ids['alice']
    k = Kinto(t, 'flush history', **{'history.exclude_user_ids': alice})
    k.must(201, 'PUT', '/buckets/b', {'permissions': {'write': [
        k.ids['bob']]}})
    k.must(201, 'PUT', '/buckets/b/collections/c', user='bob')
    t.equal(actions(k, 'b'), ['create collection c'],
            'nothing of excluded users')
    k.stop()


def implicit(t):
    k = Kinto(t, 'flush history', explicit_permissions='false',
              bucket_write_principals='system.Authenticated',
              history_read_principals='basicauth:x')
    k.must(201, 'PUT', '/buckets/b', {'permissions': {'read': [
        k.ids['bob']]}})
    t.equal(actions(k, 'b', user='bob'), ['create bucket b'],
            'without explicit permissions, readers of the bucket read')
    k.must(200, 'PATCH', '/buckets/b', {'permissions': {'read': []}})
    t.equal(actions(k, 'b', user='bob'), 403, 'but not longer than that')
    k.stop()
    k = Kinto(t, 'flush history', history_read_principals=
              'system.Authenticated')
    k.must(201, 'PUT', '/buckets/b')
    t.equal(actions(k, 'b', user='bob'), ['create bucket b'],
            'a setting lets everybody read all histories')
    k.stop()


def trimmed(t):
    k = Kinto(t, 'flush history', **{'history.auto_trim_max_count': '3',
                                     'history.auto_trim_threshold': '2'})
    t.equal(k('GET', '/')[1]['capabilities']['history']
            ['auto_trim_max_count'], 3, 'hello tells of trimming')
    k.must(201, 'PUT', '/buckets/b')
    k.must(201, 'PUT', '/buckets/b/collections/c')
    for i in range(5):
        k.must(201, 'PUT', '/buckets/b/collections/c/records/r%d' % i)
    t.equal(len(actions(k, 'b', '?resource_name=record')), 5,
            'up to the threshold nothing is removed')
    old = k.data('/buckets/b/history?resource_name=record')[-1]
    k.must(201, 'PUT', '/buckets/b/collections/c/records/r5')
    t.equal(actions(k, 'b', '?resource_name=record'),
            ['create record r3', 'create record r4', 'create record r5'],
            'then the oldest of that kind')
    t.equal(actions(k, 'b', '?resource_name=bucket'), ['create bucket b'],
            'and of no other')
    t.equal([e for e in k.data('/buckets/b/history?_since=1')
             if 'deleted' in e], [], 'without tombstones')
    k.must(200, 'PATCH', '/buckets/b', {'permissions': {'read': ['x']}})
    t.ok(old['id'] not in [e['id'] for e in k.data('/buckets/b/history')],
         'the oldest is gone')
    k.batch(*[('PUT', '/buckets/b/collections/c/records/s%d' % i)
              for i in range(20)])
    t.equal(actions(k, 'b', '?resource_name=record'),
            ['create record s17', 'create record s18', 'create record s19'],
            'a batch is trimmed too')
    k.stop()


def trimmed_by_user(t):
    bob = Kinto(t, 'flush').ids['bob']
    k = Kinto(t, 'flush history', **{'history.auto_trim_max_count': '1',
                                     'history.auto_trim_threshold': '0',
                                     'history.auto_trim_user_ids': bob})
    t.equal(k('GET', '/')[1]['capabilities']['history']
            ['auto_trim_user_ids'], [bob], 'hello names users')
    k.must(201, 'PUT', '/buckets/b', {'permissions': {'write': [bob]}})
    for i in range(3):
        k.must(201, 'PUT', '/buckets/b/collections/a%d' % i)
        k.must(201, 'PUT', '/buckets/b/collections/b%d' % i, user='bob')
    t.equal(actions(k, 'b', '?resource_name=collection'),
            ['create collection a0', 'create collection a1',
             'create collection a2', 'create collection b2'],
            'only the entries of such users are removed')
    k.stop()


def wrong(t):
    for key, value in (('history.exclude_resources', '/buckets/b/x/y'),
                       ('history.exclude_resources', 'b'),
                       ('history.exclude_resources', '/buckets/b/groups/g/'
                        'records/r'),
                       ('history.auto_trim_max_count', 'many')):
        s = t.start(ready=False, use='kinto', includes='history',
                    storage_backend='memory', permission_backend='memory',
                    cache_backend='memory', **{key: value})
        t.equal((s.wait(), bool(re.search(re.escape(key), s.text()))),
                (1, True), '%s = %s is refused at the start' % (key, value))


def costs(t):
    """What a batch asks of the database, seen by PostgreSQL."""
    if not PG:
        return
    k = Kinto(t, 'flush history')
    k.must(201, 'PUT', '/buckets/b')
    k.must(201, 'PUT', '/buckets/b/collections/c')
    status, body = k.batch(*[
        ('POST', '/buckets/b/collections/c/records',
         {'data': {'id': 'r%d' % i}}) for i in range(25)])
    t.equal((status, {r['status'] for r in body['responses']}), (200, {201}),
            'a batch of 25')
    entries = k.data('/buckets/b/history?resource_name=record')
    t.equal([e['record_id'] for e in entries],
            ['r%d' % i for i in range(24, -1, -1)],
            'leaves 25 entries, in order')
    t.equal(len({e['last_modified'] for e in entries}), 25,
            'each with a time of its own')
    k.stop()


# ---- quotas -----------------------------------------------------------------

def size(k, path):
    """Length of an object's compact JSON."""
    data = k.data('/buckets/' + path)
    return len(json.dumps(data, separators=(',', ':'), ensure_ascii=False)
               .encode())


def full(answer, text):
    """A refusal whose message matches."""
    status, body = answer
    return (status == 507 and body['errno'] == 121 and
            body['error'] == 'Insufficient Storage' and
            re.fullmatch(text, body['message']) is not None)


def quota_items(t):
    k = Kinto(t, 'flush quotas', **{'quotas.bucket_max_items': '3',
                                    'quotas.bucket_big_max_items': '4'})
    t.ok('quotas' in k('GET', '/')[1]['capabilities'], 'hello has quotas')
    for b in ('b', 'big'):
        k.must(201, 'PUT', '/buckets/' + b)
        k.must(201, 'PUT', '/buckets/%s/collections/c' % b)
        k.must(201, 'PUT', '/buckets/%s/collections/d' % b)
        k.must(201, 'PUT', '/buckets/%s/groups/g' % b)
        for r in ('c/records/1', 'c/records/2', 'd/records/3'):
            k.must(201, 'PUT', '/buckets/%s/collections/%s' % (b, r))
    t.ok(full(k('PUT', '/buckets/b/collections/c/records/4'),
              r'Bucket maximum number of objects exceeded \(4 > 3 objects\)\. '
              ), 'one record too many is refused')
    t.equal(k('GET', '/buckets/b/collections/c/records/4')[0], 404,
            'and not stored')
    k.must(201, 'PUT', '/buckets/big/collections/c/records/4')
    t.equal(k('PUT', '/buckets/big/collections/c/records/5')[0], 507,
            'a bucket may have a limit of its own')
    t.equal(k('PUT', '/buckets/b/collections/c/records/1',
              {'data': {'x': 1}})[0], 200, 'what is there may be changed')
    k.must(200, 'DELETE', '/buckets/b/collections/c/records/1')
    t.equal(k('POST', '/buckets/b/collections/d/records')[0], 201,
            'a deletion makes room')
    t.equal(k('POST', '/buckets/b/collections/d/records')[0], 507,
            'for one')
    k.must(200, 'DELETE', '/buckets/b/collections/d/records')
    t.equal([k('POST', '/buckets/b/collections/c/records')[0]
             for _ in range(3)], [201, 201, 507],
            'so does the deletion of a list')
    k.must(200, 'DELETE', '/buckets/b/collections/c')
    k.must(201, 'PUT', '/buckets/b/collections/c')
    t.equal([k('POST', '/buckets/b/collections/c/records')[0]
             for _ in range(4)], [201, 201, 201, 507],
            'and that of a collection, with all it held')
    k.must(200, 'DELETE', '/buckets/b/collections')
    k.must(201, 'PUT', '/buckets/b/collections/c')
    t.equal([k('POST', '/buckets/b/collections/c/records')[0]
             for _ in range(4)], [201, 201, 201, 507],
            'or of all collections')
    k.must(200, 'DELETE', '/buckets/b')
    k.must(201, 'PUT', '/buckets/b')
    k.must(201, 'PUT', '/buckets/b/collections/c')
    t.equal([k('POST', '/buckets/b/collections/c/records')[0]
             for _ in range(4)], [201, 201, 201, 507], 'or of the bucket')
    k.stop()


def quota_batch(t):
    k = Kinto(t, 'flush quotas', **{'quotas.bucket_max_items': '3'})
    c, d = '/buckets/b/collections/c', '/buckets/b/collections/d'
    k.must(201, 'PUT', '/buckets/b')
    k.must(201, 'PUT', c)
    k.must(201, 'PUT', d)

    def room():
        """How many more records fit; they are deleted again."""
        paths = []
        while len(paths) < 9:
            status, body = k('POST', d + '/records')
            if status != 201:
                break
            paths.append(d + '/records/' + body['data']['id'])
        for p in paths:
            k.must(200, 'DELETE', p)
        return len(paths)

    t.ok(full(k.batch(*[('POST', c + '/records')] * 4),
              r'Bucket maximum number of objects exceeded \(4 > 3 objects\)\. '
              ), 'a batch that is too large is refused as a whole')
    t.equal(k.data(c + '/records'), [], 'nothing of it is stored')
    t.equal(room(), 3, 'nor counted')
    t.equal(k.batch(('PUT', c + '/records/1'), ('PUT', c + '/records/2'),
                    ('DELETE', c + '/records/1'),
                    ('PUT', c + '/records/2'))[0], 200, 'mixed changes')
    t.equal(room(), 2, 'are added up')
    t.equal(k.batch(('PUT', c + '/records/3'), ('DELETE', c), ('PUT', c),
                    ('PUT', c + '/records/4'))[0], 200,
            'a collection deleted and created again')
    t.equal(room(), 2, 'counts for what is in it now')
    t.equal(k.batch(('PUT', '/buckets/b/collections/e'),
                    ('PUT', '/buckets/b/collections/e/records/1'),
                    ('DELETE', '/buckets/b/collections/e'))[0], 200,
            'one created and deleted')
    t.equal(room(), 2, 'for nothing')
    t.equal(k.batch(('PUT', c + '/records/5'), ('DELETE', '/buckets/b'),
                    ('PUT', '/buckets/b'), ('PUT', d))[0], 200,
            'a bucket deleted and created again')
    t.equal(room(), 3, 'starts anew')
    t.equal(k.batch(('PUT', d + '/records/1'), ('PUT', '/buckets/b/nothing'),
                    ('PATCH', d + '/records/9', {'data': {}}))[0], 200,
            'failures in a batch')
    t.equal(room(), 2, 'do not count')
    k.stop()


def quota_bytes(t):
    k = Kinto(t, 'flush quotas', **{'quotas.bucket_max_bytes': '700',
                                    'quotas.collection_max_bytes': '300',
                                    'quotas.collection_b_max_bytes': '250',
                                    'quotas.collection_b_tiny_max_bytes': '80'
                                    })
    k.must(201, 'PUT', '/buckets/b')
    k.must(201, 'PUT', '/buckets/b/collections/c')
    record = '/buckets/b/collections/c/records/r'
    have = size(k, 'b/collections/c')
    k.must(201, 'PUT', record, {'data': {'x': 'é' * 50}})
    have += size(k, 'b/collections/c/records/r')
    more = 250 - have + len('é' * 50) * 2
    t.ok(full(k('PUT', record, {'data': {'x': 'y' * (more + 1)}}),
              r'Collection maximum size exceeded \(251 > 250 Bytes\)\. '),
         'one byte too many is refused')
    t.equal(k('PUT', record, {'data': {'x': 'y' * more}})[0], 200,
            'the last byte is not')
    t.equal(k('PATCH', record, {'data': {'z': 1}})[0], 507, 'a patch counts')
    t.equal(k('PATCH', '/buckets/b/collections/c', {'data': {'z': 1}})[0],
            507, 'so does the collection itself')
    t.equal(k('PATCH', record, {'data': {'x': 'short'}})[0], 200,
            'what shrinks is fine')
    t.equal(k('PUT', '/buckets/b/collections/tiny',
              {'data': {'x': 'y' * 80}})[0], 507,
            'a collection may have a limit of its own')
    k.must(200, 'DELETE', record)
    rest = 700 - size(k, 'b') - size(k, 'b/collections/c')
    answer = k('PUT', '/buckets/b/groups/g', {'data': {'x': 'y' * rest}})
    t.ok(full(answer, r'Bucket maximum total size exceeded '
              r'\(\d+ > 700 Bytes\)\. '), 'groups count for the bucket')
    over = int(re.search(r'(\d+) >', answer[1]['message']).group(1)) - 700
    k.must(201, 'PUT', '/buckets/b/groups/g', {'data': {
        'x': 'y' * (rest - over)}})
    t.equal(k('PATCH', '/buckets/b', {'data': {'x': 1}})[0], 507,
            'and the bucket itself')
    t.equal(k('PUT', '/buckets/b/collections/d')[0], 507,
            'and its collections')
    k.must(200, 'DELETE', '/buckets/b/groups/g')
    t.equal(k('PUT', '/buckets/b/collections/d')[0], 201,
            'until there is room')
    k.stop()


def quota_item(t):
    k = Kinto(t, 'flush quotas', **{
        'quotas.bucket_max_bytes_per_item': '200',
        'quotas.collection_b_c_max_bytes_per_item': '100'})
    k.must(201, 'PUT', '/buckets/b')
    k.must(201, 'PUT', '/buckets/b/collections/c')
    k.must(201, 'PUT', '/buckets/b/collections/d')
    t.ok(full(k('PUT', '/buckets/b/groups/g', {'data': {'x': 'y' * 200}}),
              r'Maximum bytes per object exceeded \(\d+ > 200 Bytes\)\. '),
         'one object may be too large for a bucket')
    t.equal(k('PUT', '/buckets/b/collections/d/records/r',
              {'data': {'x': 'y' * 100}})[0], 201, 'or just small enough')
    t.equal(k('PUT', '/buckets/b/collections/c/records/r',
              {'data': {'x': 'y' * 100}})[0], 507,
            'but too large for a collection')
    t.equal(k('PUT', '/buckets/x', {'data': {'x': 'y' * 200}})[0], 507,
            'buckets are objects too')
    k.stop()


def counters_kept(t):
    k = Kinto(t, 'flush quotas counters history')
    k.must(201, 'PUT', '/buckets/b')
    k.must(201, 'PUT', '/buckets/b/collections/c')
    k.must(201, 'PUT', '/buckets/b/collections/c/records/r')
    k.must(200, 'DELETE', '/buckets/b/collections/c/records/r')
    t.equal(k('GET', '/__counters__', user=None),
            (200, {'objects': {'bucket': 1, 'collection': 1, 'history': 4},
                   'tombstones': {'record': 1}}),
            'counters count kinds, and none of what quotas keep')
    k.must(200, 'DELETE', '/buckets/b')
    t.equal(k('GET', '/__counters__'),
            (200, {'objects': {}, 'tombstones': {'bucket': 1}}),
            'a deleted bucket leaves its tombstone only')
    k.stop()


# ---- permissions ------------------------------------------------------------

def rights(t):
    k = Kinto(t, 'flush history kinto.plugins.accounts', **{
        'experimental_permissions_endpoint': 'true',
        'multiauth.policies': 'account basicauth',
        'bucket_read_principals': 'system.Authenticated',
        'collection_create_principals': 'system.Authenticated',
        'group_write_principals': 'system.Authenticated',
        'record_create_principals': 'system.Authenticated',
        'record_read_principals': 'system.Authenticated',
        'account_create_principals': 'system.Everyone',
        'account_write_principals': 'account:admin'})
    k.must(201, 'PUT', '/buckets/a')
    k.must(201, 'PUT', '/buckets/b', user='bob')
    for path in ('a/collections/c', 'a/groups/g', 'a/collections/c/records/r'):
        k.must(201, 'PUT', '/buckets/' + path)

    def seen(user):
        return {e['uri']: sorted(e['permissions'])
                for e in k.data('/permissions', user)}

    read = ['collection:create', 'read', 'read:attributes']
    t.equal(seen('bob'), {
        '/': ['account:create', 'bucket:create'],
        '/buckets/a': read,
        '/buckets/b': sorted(read + ['write', 'group:create']),
        '/buckets/a/collections/c': ['read:attributes', 'record:create'],
        '/buckets/a/groups/g': ['read', 'write'],
    }, 'settings give rights on every bucket, collection and group')
    t.equal(seen('alice')['/buckets/a/collections/c'],
            ['read', 'read:attributes', 'record:create', 'write'],
            'together with what entries give')
    t.equal(len(seen('alice')), 6, 'once for each object')
    t.equal(seen(None), {'/': ['account:create']}, 'nobody may do little')
    r = k.full('GET', '/permissions?_limit=2&_sort=uri', user='bob')
    t.ok([e['uri'] for e in r.json()['data']] == ['/', '/buckets/a'] and
         'next-page' in r.headers, 'in pages')
    k.stop()
    k = Kinto(t, 'flush', experimental_permissions_endpoint='true',
              permissions_read_principals='system.Authenticated')
    t.equal((k('GET', '/permissions')[0],
             k('GET', '/permissions', user=None)[0]), (200, 401),
            'a setting says who may ask')
    t.equal(len([e for e in k.data('/permissions')
                 if 'bucket:create' in e['permissions']]), 1,
            'there is one entry with bucket:create')
    k.stop()
    k = Kinto(t, 'flush')
    t.equal((k('GET', '/permissions')[0],
             'permissions_endpoint' in k('GET', '/')[1]['capabilities']),
            (404, False), 'nothing of it unless asked for')
    k.stop()


def forgotten(t):
    k = Kinto(t, 'flush history kinto.plugins.accounts', **{
        'multiauth.policies': 'account basicauth',
        'account_create_principals': 'system.Everyone',
        'user-data_delete_principals': 'system.Authenticated'})
    k.must(201, 'PUT', '/accounts/mallory', {'data': {'password': 'x'}},
           user=None)
    USERS['mallory'] = 'mallory:x'
    k.must(201, 'PUT', '/buckets/m', user='mallory')
    k.must(201, 'PUT', '/buckets/a', {'permissions': {'write': [
        'account:mallory']}})
    k.must(201, 'PUT', '/buckets/a/collections/c', user='mallory')
    k.must(201, 'PUT', '/buckets/a/collections/c/records/r', user='mallory')
    t.equal(k('DELETE', '/__user_data__/account:mallory'),
            (200, {'data': {'principal': 'account:mallory'}}),
            'a user is forgotten')
    t.ok(k('GET', '/', user='mallory')[1]['user']['id'].startswith(
        'basicauth:'), 'with the account, which nobody else may write')
    t.equal(k('GET', '/buckets/m')[0], 403, 'and the bucket')
    t.equal(actions(k, 'a', '?action=delete'), ['delete collection c'],
            'the history tells what was deleted')
    t.equal(k('GET', '/buckets/a')[1]['permissions'],
            {'write': [k.ids['alice']]}, 'ACEs are gone')
    k.must(201, 'PUT', '/accounts/mallory', {'data': {'password': 'x'}},
           user=None)
    t.equal(k('GET', '/buckets/a', user='mallory')[0], 403,
            'and do not come back with the name')
    k.stop()
    k = Kinto(t, 'flush')
    t.equal((k('DELETE', '/__user_data__/x')[0],
             k('DELETE', '/__user_data__/x', user=None)[0]), (403, 401),
            'without the setting nobody may do so')
    k.stop()


def main():
    with Test() as t:
        for part in (excluded, implicit, trimmed, trimmed_by_user, wrong,
                     costs, quota_items, quota_batch, quota_bytes, quota_item,
                     counters_kept, rights, forgotten):
            part(t)


main()
