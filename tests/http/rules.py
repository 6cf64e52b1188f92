# SPDX-License-Identifier: Apache-2.0
"""The bookings of docs/toolkit.md: of requests at the same time that break a
rule together, exactly one is stored, whatever their method."""
import os
import threading

from api import start_kinto
from harness import Test

AT_ONCE = 6
ROUNDS = 8
ME = 'me:too'


def together(acts):
    """What each of acts gives, all begun at the same moment."""
    barrier, got = threading.Barrier(len(acts)), [None] * len(acts)

    def run(i):
        barrier.wait()
        got[i] = acts[i]()
    threads = [threading.Thread(target=run, args=(i,))
               for i in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def booking(room, start=9, end=10):
    return {'data': {'room': room, 'from': start, 'to': end}}


def at_once(api, method, path, bodies):
    """Statuses, sorted, of one request for each body; path(i)."""
    return sorted(got.status for got in together(
        [lambda i=i, b=b: api(method, path(i), b, user=ME)
         for i, b in enumerate(bodies)]))


def stored(api, room):
    return len(api('GET', '/bookings?room="%s"' % room, user=ME).data)


def post(t, api):
    outcomes = [(at_once(api, 'POST', lambda i: '/bookings',
                         [booking('post%d' % n)] * AT_ONCE),
                 stored(api, 'post%d' % n)) for n in range(ROUNDS)]
    t.equal(outcomes, [([201] + [409] * (AT_ONCE - 1), 1)] * ROUNDS,
            'POST: one of %d' % AT_ONCE)
    got = api('POST', '/bookings', booking('post0'), user=ME)
    t.equal(got.error, (409, 122, 'The room is taken at that time.'),
            'the others are told why')
    t.equal(at_once(api, 'POST', lambda i: '/bookings',
                    [booking('free', i, i + 1) for i in range(AT_ONCE)]),
            [201] * AT_ONCE, 'what does not overlap is stored')


def change(t, api):
    ids = [api('POST', '/bookings', booking('patch', i + 20, i + 21),
               user=ME).data['id'] for i in range(AT_ONCE)]
    for method in ('PATCH', 'PUT'):
        start = {'PATCH': 1, 'PUT': 2}[method]
        t.equal(at_once(api, method, lambda i: '/bookings/' + ids[i],
                        [booking('patch', start, start + 1)] * AT_ONCE),
                [200] + [409] * (AT_ONCE - 1), '%s: one of %d' % (
                    method, AT_ONCE))
    t.equal(api('PATCH', '/bookings/' + ids[0], {'data': {'note': 'x'}},
                user=ME).status, 200, 'a booking does not exclude itself')


def batch(t, api):
    def send(room):
        return api('POST', '/batch', {'requests': [
            {'method': 'POST', 'path': '/bookings', 'body': booking(room)}
        ] * 2}, user=ME).body['responses']
    for n in range(ROUNDS // 2):
        room = 'batch%d' % n
        acts = [lambda: send(room)] * (AT_ONCE // 2) + [
            lambda: [{'status': api('POST', '/bookings', booking(room),
                                    user=ME).status}]] * (AT_ONCE // 2)
        statuses = sorted(r['status'] for got in together(acts) for r in got)
        t.equal((statuses, stored(api, room)), (
            [201] + [409] * (AT_ONCE // 2 * 3 - 1), 1),
            'batches and others: one of all, %d' % n)


def main():
    with Test() as t:
        _, api = start_kinto(
            t, use=os.environ['CLQ_TEST_BOOKINGS'], workers=AT_ONCE,
            project_version='1.0',
            **{'multiauth.policies': 'basicauth',
               'booking_create_principals': 'system.Authenticated'})
        post(t, api)
        change(t, api)
        batch(t, api)


main()
