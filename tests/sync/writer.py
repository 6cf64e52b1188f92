# SPDX-License-Identifier: Apache-2.0
"""One writer of the sync test: a process that changes records as fast as it
can until it is told to stop, and remembers what was acknowledged.

It has records of its own, which nobody else touches, and shares some with all
writers, which it changes with If-Match or If-None-Match, or without. Each
write carries a token in the field "n", so that what is found later can be
traced to the request that wrote it.

A timestamp in the future is by nature a race: if the list's clock passes it
while the request travels, it is one in the past, which the protocol stores as
it is and which pollers need not see (section 03-7). Therefore
  - single requests with one are taken in turn, and ask for so much that the
    others cannot pass it meanwhile;
  - small steps travel in a batch that also asks for the list's ETag, in the
    same transaction: it tells who won, and who lost writes once more.
"""
import random
import time

from client import Broken, Response, etag_number

SHARED = 12             # records that all writers change
OWN = 40                # live records that a writer keeps
SMALL_STEP = 50         # ms
LARGE_STEP = 30000      # more than others, and the clock, can go meanwhile
LARGE_EVERY = 0.25      # s between large steps, of all writers together
INSIST = 120            # s


class Shared:
    """What all writers know together."""

    def __init__(self, context, wanted):
        """wanted: names of what is to be done at least once."""
        self.wanted = {name: i for i, name in enumerate(wanted)}
        self.seen = context.Array('b', len(wanted), lock=False)
        self.stop = context.Event()
        self.clock = context.Value('q', 0)      # highest timestamp seen
        self.turn = context.Lock()              # for large steps
        self.last_large = context.Value('d', 0)

    def did(self, name):
        if name in self.wanted:
            self.seen[self.wanted[name]] = 1

    def missing(self):
        return [name for name, i in self.wanted.items() if not self.seen[i]]

    def saw(self, timestamp):
        if timestamp > self.clock.value:
            with self.clock.get_lock():
                if timestamp > self.clock.value:
                    self.clock.value = timestamp

    def ahead(self, step):
        return max(self.clock.value, int(time.time() * 1000)) + step


class Ack:
    """An acknowledged write."""
    __slots__ = ('begun', 'ended', 'id', 'time', 'token', 'cond', 'past')

    def __init__(self, begun, ended, id, time, token, cond, past):
        self.begun, self.ended, self.id = begun, ended, id
        self.time = time        # last_modified
        self.token = token      # None: it was deleted
        self.cond = cond        # If-Match as a number, '*', or None
        self.past = past        # its timestamp was one in the past


class Op:
    """A write, by itself or in a batch."""
    __slots__ = ('name', 'method', 'id', 'path', 'token', 'data', 'cond',
                 'expect', 'stamp')

    def __init__(self, name, method, id, path, data=None, cond=None,
                 expect=(), stamp=None):
        self.name, self.method, self.id, self.path = name, method, id, path
        self.token = data and data['n']
        self.data, self.cond = data, cond
        self.expect = expect    # statuses besides success
        self.stamp = stamp      # the timestamp asked for
        if stamp and data:
            data['last_modified'] = stamp
        elif stamp:
            self.path += '?last_modified=%d' % stamp

    def headers(self):
        if self.cond is None:
            return []
        if self.cond == '*':
            return [('If-None-Match', '*')]
        return [('If-Match', '"%d"' % self.cond)]


class Writer:
    def __init__(self, number, client, collection, shared, options):
        self.number, self.client, self.shared = number, client, shared
        self.records = collection + '/records'
        self.pick = random.Random('%s %d' % (options.seed, number))
        self.with_batch, self.chaos = options.batch, options.chaos
        self.begin_large = time.monotonic() + options.seconds * 0.25
        self.serial = 0
        self.mine = set()       # ids of own records
        self.own = {}           # id -> last_modified of those that live
        self.gone = []          # and some of those that do not
        self.known = {}         # id -> last_modified of shared ones
        self.acks = []
        self.unknown = []       # (id or None, token or None)
        self.counts, self.bad = {}, []

    # ---- what came out

    def count(self, what, n=1):
        self.counts[what] = self.counts.get(what, 0) + n
        self.shared.did(what)

    def wrong(self, text):
        self.count('bad answers')
        if len(self.bad) < 20:
            self.bad.append('writer %d: %s' % (self.number, text))

    def wrong_answer(self, op, response):
        self.wrong('%s: %s %s %s: %d %.300r' % (
            op.name, op.method, op.path, op.headers(), response.status,
            response.body))

    def done(self, op, begun, ended, data, past=False):
        id, stamp = data['id'], data['last_modified']
        self.acks.append(Ack(begun, ended, id, stamp, op.token, op.cond,
                             past))
        self.count(op.name)
        if op.stamp is not None:
            self.count('future as asked' if stamp == op.stamp
                       else 'future raised')
        if op.id is None:
            self.mine.add(id)           # the server gave the name
        table = self.own if id in self.mine else self.known
        if op.token is not None:
            table[id] = stamp
        else:
            table.pop(id, None)
            if id in self.mine:
                self.gone = self.gone[-20:] + [id]
        self.shared.saw(stamp)

    def open_outcome(self, op):
        """It may have been done, or be done yet."""
        self.unknown.append((op.id, op.token))
        self.own.pop(op.id, None)
        self.known.pop(op.id, None)

    def judge(self, op, response, begun, past=False):
        """The answer to one request or one of a batch. True if it wrote."""
        status, ended = response.status, time.monotonic()
        self.count('status %d' % status)
        if status == 201 or status == 200 and op.method != 'POST':
            data = response.json()['data']
            if response.etag() != data['last_modified'] or \
                    data.get('n') != op.token:
                self.wrong_answer(op, response)
            self.done(op, begun, ended, data, past)
            return True
        if status in (502, 503, 504) and self.chaos:
            self.open_outcome(op)
        elif status in (404, 412) and self.chaos and \
                op.method in ('PUT', 'DELETE') and \
                not isinstance(response, Sub):
            # The web server repeats these if a worker dies, which may have
            # been after the commit.
            self.open_outcome(op)
        elif status in (404, 412) and (self.chaos or status in op.expect):
            self.own.pop(op.id, None)
            self.known.pop(op.id, None)
        elif status not in op.expect:
            self.wrong_answer(op, response)
        return False

    def broken(self, e):
        self.count('connection errors')
        if not self.chaos:
            self.wrong(str(e))
        time.sleep(0.02)

    def request(self, method, path, body=None, headers=()):
        """None if there was no answer."""
        try:
            return self.client.request(method, path, body, headers)
        except Broken as e:
            self.broken(e)
            return None

    def send(self, op):
        begun = time.monotonic()
        body = None if op.data is None else {'data': op.data}
        response = self.request(op.method, op.path, body, op.headers())
        if response is None:
            self.open_outcome(op)
            return False
        return self.judge(op, response, begun)

    def insist(self, id):
        """Write it until that is acknowledged."""
        end = time.monotonic() + INSIST
        while time.monotonic() < end:
            if self.send(self.put('put', id)):
                return
            if not self.chaos:
                return
            time.sleep(0.05)
        self.wrong('no write succeeds any more')

    # ---- writes

    def data(self):
        self.serial += 1
        return {'n': '%d.%d' % (self.number, self.serial),
                'pad': 'x' * self.pick.randrange(200)}

    def path(self, id):
        return self.records + '/' + id

    def put(self, name, id, **more):
        return Op(name, 'PUT', id, self.path(id), self.data(), **more)

    def new_id(self):
        if self.gone and self.pick.random() < 0.3:
            return self.gone.pop()      # over a tombstone
        id = 'w%d-%d' % (self.number, self.serial)
        self.mine.add(id)
        return id

    def create(self):
        kind = self.pick.randrange(4)
        if kind == 0:
            return Op('post', 'POST', None, self.records, self.data())
        id = self.new_id()
        if kind == 1:
            data = dict(self.data(), id=id)
            return Op('post with id', 'POST', id, self.records, data,
                      expect=(200,) if self.chaos else ())
        if kind == 2:
            return self.put('put new', id, cond='*')
        return self.put('put new', id)

    def change_own(self):
        """Nobody else writes to it, so no condition may fail."""
        if len(self.own) < OWN and self.pick.random() < 0.3 or not self.own:
            return self.create()
        id = self.pick.choice(list(self.own))
        cond = self.own[id] if self.pick.random() < 0.5 else None
        kind = self.pick.randrange(10)
        if kind < 4:
            return self.put('put', id, cond=cond)
        if kind < 8:
            return Op('patch', 'PATCH', id, self.path(id), self.data(),
                      cond=cond)
        if kind == 8:
            return Op('delete', 'DELETE', id, self.path(id), cond=cond)
        data = dict(self.data(), id=id)         # it exists: only read
        return Op('post again', 'POST', id, self.records, data,
                  expect=(200,))

    def change_shared(self):
        id = 's-%d' % self.pick.randrange(SHARED)
        cond = self.known.get(id)
        kind = self.pick.randrange(12)
        if cond is None and kind < 8:
            self.look(id)
            cond = self.known.get(id)
        if cond is None:
            cond = '*' if kind < 8 else None
            return self.put('put shared', id, cond=cond, expect=(412,))
        if kind < 3:
            return self.put('put shared', id, cond=cond, expect=(412,))
        if kind < 6:
            return Op('patch shared', 'PATCH', id, self.path(id),
                      self.data(), cond=cond, expect=(404, 412))
        if kind < 8:
            return Op('patch shared', 'PATCH', id, self.path(id),
                      self.data(), expect=(404,))
        if kind == 8:
            return Op('delete shared', 'DELETE', id, self.path(id),
                      cond=cond, expect=(404, 412))
        if kind == 9:
            data = dict(self.data(), id=id)
            return Op('post shared', 'POST', id, self.records, data,
                      expect=(200,))
        return self.put('put shared', id)

    def look(self, id):
        response = self.request('GET', self.path(id))
        if response is None:
            return
        if response.status == 200:
            self.known[id] = response.etag()
        elif response.status != 404 and not (
                self.chaos and response.status in (502, 503, 504)):
            self.wrong('GET %s: %d %.300r' % (id, response.status,
                                              response.body))

    # ---- many at once

    def batch(self, ops, reads=()):
        """The answers, those to `reads` last; None if nothing is known."""
        requests = []
        for op in ops:
            one = {'method': op.method, 'path': op.path}
            if op.data is not None:
                one['body'] = {'data': op.data}
            if op.cond is not None:
                one['headers'] = dict(op.headers())
            requests.append(one)
        requests += [{'method': 'GET', 'path': path} for path in reads]
        answer = self.request('POST', '/batch', {'requests': requests})
        if answer is not None and answer.status == 200:
            self.count('batches')
            return [self.part(r) for r in answer.json()['responses']]
        if answer is not None and not (
                self.chaos and answer.status in (502, 503, 504)):
            self.wrong('batch: %d %.300r' % (answer.status, answer.body))
        for op in ops:
            self.open_outcome(op)
        return None

    @staticmethod
    def part(r):
        headers = {k.lower(): v for k, v in r['headers'].items()}
        return Sub(r['status'], headers, r['body'])

    def mixed_batch(self):
        """Different records, one request that fails, and a list."""
        ops, ids = [], set()
        for _ in range(self.pick.randrange(2, 9)):
            op = self.change_own() if self.pick.random() < 0.7 else \
                self.change_shared()
            if op.id is None or op.id not in ids:
                ops.append(op)
                ids.add(op.id)
        fails = Op('fails', 'PATCH', 'none', self.path('none'),
                   self.data(), expect=(404,))
        ops.insert(self.pick.randrange(len(ops) + 1), fails)
        begun = time.monotonic()
        answers = self.batch(ops, [self.records + '?_limit=1'])
        if answers is None:
            return
        highest = 0
        for op, answer in zip(ops, answers):
            if self.judge(op, answer, begun):
                highest = max(highest, self.acks[-1].time)
        if answers[-1].status != 200 or answers[-1].etag() < highest:
            self.wrong('batch: the list has ETag %d after %d' % (
                answers[-1].etag(), highest))

    def delete_some(self):
        """By a filter; tombstones of all in one answer."""
        ids = self.pick.sample(list(self.own), min(3, len(self.own)))
        op = Op('delete list', 'DELETE', None,
                self.records + '?in_id=' + ','.join(ids))
        begun = time.monotonic()
        response = self.request('DELETE', op.path)
        ended = time.monotonic()
        if response is None or self.chaos and response.status != 200:
            for id in ids:
                self.open_outcome(Op('', '', id, ''))
            return
        gone = response.json().get('data', [])
        if response.status != 200 or not self.chaos and \
                sorted(d['id'] for d in gone) != sorted(ids):
            self.wrong_answer(op, response)
        for data in gone:
            op.id = data['id']
            self.done(op, begun, ended, data)
        for id in set(ids) - {d['id'] for d in gone}:
            self.open_outcome(Op('', '', id, ''))   # the first time, perhaps

    # ---- timestamps in the future

    def large_step(self):
        with self.shared.turn:
            now = time.monotonic()
            if now < self.shared.last_large.value + LARGE_EVERY:
                return
            id = self.pick.choice(list(self.own) or [self.new_id()])
            stamp = self.shared.ahead(LARGE_STEP)
            kind = self.pick.randrange(4)
            if kind == 0 and id in self.own:
                op = Op('delete in the future', 'DELETE', id, self.path(id),
                        stamp=stamp)
            elif kind == 1 and id in self.own:
                op = Op('patch in the future', 'PATCH', id, self.path(id),
                        self.data(), stamp=stamp)
            else:
                op = self.put('put in the future', id, stamp=stamp)
            good = self.send(op)
            if good and self.acks[-1].time != stamp and not self.chaos:
                self.wrong('asked for %d and got %d' % (
                    stamp, self.acks[-1].time))
            self.shared.last_large.value = time.monotonic()
        if not good:
            self.insist(id)

    def small_step(self):
        id = self.pick.choice(list(self.own) or [self.new_id()])
        op = self.put('put in the near future', id,
                      stamp=self.shared.ahead(SMALL_STEP))
        begun = time.monotonic()
        answers = self.batch([op], [self.records + '?_limit=1'])
        if answers is None:
            return self.insist(id)
        stamp = etag_number(answers[0].headers.get('etag'))
        lost = answers[1].etag() > stamp
        if answers[1].etag() < stamp:
            self.wrong('the list has ETag %d after %d' % (
                answers[1].etag(), stamp))
        if lost:
            self.count('future lost')
        if not self.judge(op, answers[0], begun, lost) or lost:
            self.insist(id)

    # ---- the process

    def step(self):
        kind = self.pick.randrange(100)
        if kind < 45:
            self.send(self.change_own())
        elif kind < 80:
            self.send(self.change_shared())
        elif kind < 84 and len(self.own) > 10:
            self.delete_some()
        elif kind < 92 and self.with_batch:
            self.mixed_batch()
        elif kind < 94 and self.with_batch:
            self.small_step()
        elif kind < 97 and time.monotonic() > self.begin_large:
            self.large_step()

    def run(self):
        while not self.shared.stop.is_set():
            self.step()
        self.client.close()
        return {'acks': self.acks, 'unknown': self.unknown,
                'counts': self.counts, 'bad': self.bad}


class Sub(Response):
    """An answer in a batch; its body is a tree already."""

    def json(self):
        return self.body
