# SPDX-License-Identifier: Apache-2.0
"""Random trees of buckets, groups, collections, records and ACEs: every answer
to random users is what an independent model says (permission_model.py).

10,000 checks in all, over servers with different settings; each run makes the
same ones. CLQ_SEED is for others (CLQ_SEED=$RANDOM), CLQ_CHECKS for another
number of them. On PostgreSQL below with-postgres."""
import itertools
import os
import random

from api import start_kinto
from harness import Test
from permission_model import (AUTHENTICATED, EVERYONE, SETTABLE, Model,
                              kind_of, parent_of, plural)

PLANTED = 60            # of them, first, by root: something to begin with
CHECKS = int(os.environ.get('CLQ_CHECKS', '10000'))
SEED = int(os.environ.get('CLQ_SEED', '7'))
NAMES = ['root', 'ann', 'bob', 'cleo', 'dan', 'eve', None]

# Settings of each server: root may always make what it likes, so that objects
# are there which nobody else may touch.
ROOT = ['bucket_create', 'bucket_write', 'bucket_read', 'collection_create',
        'collection_write', 'collection_read', 'group_create', 'group_write',
        'group_read', 'record_create', 'record_write', 'record_read']
SERVERS = [
    dict(explicit=True, more={}),
    dict(explicit=False, more={'bucket_create': AUTHENTICATED}),
    dict(explicit=True, more={
        'bucket_create': AUTHENTICATED, 'record_read': EVERYONE,
        'collection_create': 'ann', 'group_write': 'bob',
        'bucket_write': 'cleo', 'collection_read': 'dan'}),
    dict(explicit=False, more={
        'record_create': EVERYONE, 'record_write': 'ann bob',
        'collection_write': 'cleo', 'bucket_read': 'dan eve',
        'group_read': AUTHENTICATED, 'group_create': 'eve',
        'collection_read': '/buckets/b0/groups/g0'}),
]


class World:
    """A server, its model and the random questions put to both."""

    def __init__(self, test, config, rng):
        self.rng, self.count, self.kinds = rng, 0, {}
        values = {'multiauth.policies': 'basicauth',
                  'explicit_permissions': str(config['explicit']).lower(),
                  'log_level': 'error'}
        ids = test.ids
        settings = {}
        for key in set(ROOT) | set(config['more']):
            names = config['more'].get(key, '').split()
            settings[key + '_principals'] = {ids.get(n, n) for n in names} | {
                ids['root']}
        for key, who in settings.items():
            values[key] = ' '.join(sorted(who))
        self.server, self.api = start_kinto(test, **values)
        self.ids = ids
        self.model = Model(settings, config['explicit'])

    # ---- the server ------------------------------------------------------

    def call(self, method, path, name, body=None):
        return self.api(method, path, body,
                        user=None if name is None else name + ':x')

    # ---- random things -----------------------------------------------------

    def some_id(self, kind):
        return '%s%d' % (kind[0], self.rng.randrange(4))

    def place(self, kind):
        """The URI of an object of that kind, there or not."""
        if kind == '':
            return ''
        parent = {'bucket': '', 'record': 'collection'}.get(kind, 'bucket')
        known = [u for u in self.model.things if kind_of(u) == parent]
        # Mostly below what exists, or the tree would be all holes.
        if parent and known and self.rng.random() < 0.9:
            above = self.rng.choice(sorted(known))
        else:
            above = self.place(parent)
        return '%s/%s' % (plural(above, kind), self.some_id(kind))

    def principal(self):
        groups = sorted(u for u in self.model.things
                        if kind_of(u) == 'group')
        return self.rng.choice(
            [EVERYONE, AUTHENTICATED] + list(self.ids.values()) +
            (groups or ['/buckets/b0/groups/g0']) * 2)

    def acl(self, kind):
        names = self.rng.sample(SETTABLE[kind], self.rng.randrange(
            len(SETTABLE[kind]) + 1))
        return {p: sorted({self.principal() for _ in range(
            self.rng.randrange(3))}) for p in names if self.rng.random() < .7}

    def members(self, kind):
        if kind != 'group':
            return []
        return self.rng.sample(sorted(self.ids.values()) + [AUTHENTICATED],
                               self.rng.choice([0, 1, 1, 2]))

    # ---- one question --------------------------------------------------------

    def ask(self, name):
        kind = self.rng.choice(['bucket', 'group', 'collection', 'collection',
                                'record', 'record', 'record'])
        verb = self.rng.choices(
            ['get', 'put', 'post', 'patch', 'delete', 'list', 'head',
             'delete_list'], [8, 5, 4, 3, 1.2, 6, 1, .15])[0]
        self.kinds[verb] = self.kinds.get(verb, 0) + 1
        return getattr(self, 'ask_' + verb)(name, self.place(kind), kind)

    def user(self, name):
        return self.ids.get(name)

    def body(self, uri, kind, with_id=False):
        acl, members = self.acl(kind), self.members(kind)
        data = {'n': self.rng.randrange(9)}
        if with_id:
            data['id'] = uri.rsplit('/', 1)[1]
        if kind == 'group':
            data['members'] = members
        return {'data': data, 'permissions': acl}, acl, members

    @staticmethod
    def object_answer(answer):
        shown = None
        if answer.status in (200, 201):
            shown = {p: set(w) for p, w in
                     answer.body.get('permissions', {}).items()}
        return answer.status, shown

    def ask_get(self, name, uri, kind):
        return ('GET ' + uri, self.model.get(self.user(name), uri),
                self.object_answer(self.call('GET', uri, name)))

    def ask_put(self, name, uri, kind):
        body, acl, members = self.body(uri, kind)
        return ('PUT %s %s' % (uri, body),
                self.model.put(self.user(name), uri, acl, members),
                self.object_answer(self.call('PUT', uri, name, body)))

    def ask_post(self, name, uri, kind):
        body, acl, members = self.body(uri, kind, True)
        return ('POST %s %s' % (uri, body),
                self.model.post(self.user(name), uri, acl, members),
                self.object_answer(self.call(
                    'POST', uri.rsplit('/', 1)[0], name, body)))

    def ask_patch(self, name, uri, kind):
        acl = self.acl(kind)
        body = {'data': {'p': self.rng.randrange(9)}, 'permissions': acl}
        return ('PATCH %s %s' % (uri, body),
                self.model.patch_request(self.user(name), uri, acl),
                self.object_answer(self.call('PATCH', uri, name, body)))

    def ask_delete(self, name, uri, kind):
        answer = self.call('DELETE', uri, name)
        return ('DELETE ' + uri, self.model.delete(self.user(name), uri),
                (answer.status, None))

    def ids_of(self, answer, path):
        if answer.status != 200:
            return None
        return {'%s/%s' % (path, o['id']) for o in answer.data}

    def ask_list(self, name, uri, kind):
        path = uri.rsplit('/', 1)[0]
        answer = self.call('GET', path, name)
        return ('GET ' + path,
                self.model.list(self.user(name), parent_of(uri), kind),
                (answer.status, self.ids_of(answer, path)))

    def ask_head(self, name, uri, kind):
        path = uri.rsplit('/', 1)[0]
        answer = self.call('HEAD', path, name)
        status, there = self.model.list(self.user(name), parent_of(uri),
                                        kind)
        count = answer.headers.get('total-objects')
        return ('HEAD ' + path,
                (status, None if there is None else len(there)),
                (answer.status, int(count) if answer.status == 200
                 else None))

    def ask_delete_list(self, name, uri, kind):
        path = uri.rsplit('/', 1)[0]
        answer = self.call('DELETE', path, name)
        return ('DELETE ' + path,
                self.model.delete_list(self.user(name), parent_of(uri),
                                       kind),
                (answer.status, self.ids_of(answer, path)))

    def plant(self):
        for _ in range(PLANTED):
            kind = self.rng.choice(['bucket', 'group', 'collection', 'record',
                                    'record'])
            yield ('root: ',) + self.ask_put('root', self.place(kind), kind)

    def questions(self, n):
        yield from itertools.islice(self.plant(), n)
        for _ in range(n - PLANTED):
            if not self.model.things or self.rng.random() < .05:
                name = 'root'
            else:
                name = self.rng.choice(NAMES)
            yield (str(name) + ': ',) + self.ask(name)


def who_is_who(test):
    """Names and the ids that the server has for them."""
    server, api = start_kinto(test, **{'multiauth.policies': 'basicauth'})
    ids = {n: api.hello(user=n + ':x').user for n in NAMES if n}
    server.stop()
    return ids


def main():
    rng = random.Random(SEED)
    print('# seed', SEED)
    with Test() as test:
        test.ids = who_is_who(test)
        for number, config in enumerate(SERVERS):
            world = World(test, config, rng)
            seen, wrong, done = {}, 0, 0
            for question in world.questions(CHECKS // len(SERVERS)):
                name, what, wanted, got = question
                done += 1
                seen[wanted[0]] = seen.get(wanted[0], 0) + 1
                if wanted != got:
                    wrong += 1
                    print('# check %d, %s%s' % (done, name, what))
                    print('# wanted %s\n# got    %s' % (wanted, got))
                    if wrong == 5:
                        break
            test.ok(not wrong, 'settings %d: %d answers are as the model '
                    'says' % (number + 1, done))
            test.ok({200, 201, 401, 403, 404} <= set(seen) and
                    min(seen.values()) > done / 200,
                    'of all kinds: %s' % sorted(seen.items()))
            test.ok(len(world.kinds) == 8, 'by all verbs: %s' % sorted(
                world.kinds.items()))
            world.server.stop()


main()
