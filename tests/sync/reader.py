# SPDX-License-Identifier: Apache-2.0
"""One reader of the sync test: a process that keeps a replica of the list as
clients do (section 04-9), and notes what each poll brought.

	plain	_since with the last ETag; sometimes If-None-Match for a 304
	paged	the same with _limit, following Next-Page; the first page's
		ETag is the next cursor
	fresh	as plain, but begins anew every few seconds with a whole list

All ask for the newest first, as kinto.js does.
"""
import random
import time

from client import Broken

KINDS = ('plain', 'paged', 'fresh')
FRESH_EVERY = 3         # s


class Poll:
    __slots__ = ('begun', 'etag', 'rows')

    def __init__(self, begun, etag, rows):
        self.begun = begun      # monotonic
        self.etag = etag        # the new cursor
        self.rows = rows        # id -> last_modified of what came


class Retry(Exception):
    """The server was away for a moment, as it may be under chaos."""


class Reader:
    def __init__(self, number, client, collection, stop, options):
        self.kind = KINDS[number % len(KINDS)]
        self.name = 'reader %d (%s)' % (number, self.kind)
        self.client, self.stop, self.chaos = client, stop, options.chaos
        self.list = collection + '/records?_sort=-last_modified'
        self.pick = random.Random('%s r%d' % (options.seed, number))
        self.lives = []         # of polls; one ends when a replica is dropped
        self.unchanged = []     # (begun, cursor) of polls without changes
        self.counts, self.bad = {}, []
        self.begin()

    def begin(self):
        self.replica, self.cursor = {}, 0
        self.born = time.monotonic()
        self.lives.append([])

    def count(self, what, n=1):
        self.counts[what] = self.counts.get(what, 0) + n

    def wrong(self, what, text):
        self.count(what)
        if len(self.bad) < 20:
            self.bad.append('%s: %s: %s' % (self.name, what, text))

    def get(self, path, headers=()):
        try:
            response = self.client.request('GET', path, headers=headers)
        except Broken as e:
            self.count('connection errors')
            if not self.chaos:
                self.wrong('bad answers', e)
            raise Retry from e
        if response.status in (200, 304):
            return response
        self.count('status %d' % response.status)
        if not (self.chaos and response.status in (502, 503, 504)):
            self.wrong('bad answers', '%s: %d %.300r' % (
                path, response.status, response.body))
        raise Retry

    def apply(self, rows, seen):
        for row in rows:
            id, time = row['id'], row['last_modified']
            old = self.replica.get(id)
            if old is not None and old['last_modified'] > time:
                self.wrong('records that went back', '%s from %d to %d' % (
                    id, old['last_modified'], time))
            if row.get('deleted'):
                self.replica.pop(id, None)
            else:
                self.replica[id] = row
            seen[id] = time

    def poll(self):
        """True if something had changed."""
        path, headers = self.list, []
        if self.cursor:
            path += '&_since=%%22%d%%22' % self.cursor
            if self.pick.random() < 0.5:
                headers.append(('If-None-Match', '"%d"' % self.cursor))
        if self.kind == 'paged':
            path += '&_limit=%d' % self.pick.randrange(1, 12)
        begun, seen = time.monotonic(), {}
        response = self.get(path, headers)
        etag = response.etag()
        while True:
            if response.status == 200:
                self.apply(response.json()['data'], seen)
            self.count('requests')
            if 'next-page' not in response.headers:
                break
            response = self.get(response.headers['next-page'])
        if etag < self.cursor:
            self.wrong('ETags that went back', '%d after %d' % (
                etag, self.cursor))
        self.count('polls')
        self.count('changes', len(seen))
        if seen and min(seen.values()) <= self.cursor:
            self.wrong('changes not above _since', '%s, %d' % (
                seen, self.cursor))
        # A list may be read a moment after its ETag: what is newer comes
        # again with the next poll.
        self.count('early changes', sum(t > etag for t in seen.values()))
        changed = etag > self.cursor
        if changed:
            self.lives[-1].append(Poll(begun, etag, seen))
        else:
            self.unchanged.append((begun, etag))
        self.cursor = etag
        return changed

    def patient_poll(self):
        while True:
            try:
                return self.poll()
            except Retry:
                time.sleep(0.02)

    def run(self):
        while not self.stop.is_set():
            if self.kind == 'fresh' and \
                    time.monotonic() > self.born + FRESH_EVERY:
                self.begin()
            self.patient_poll()
            time.sleep(self.pick.random() * 0.01)
        while self.patient_poll():      # the writers have stopped
            pass
        self.client.close()
        return {'name': self.name, 'paged': self.kind == 'paged',
                'replica': self.replica, 'lives': self.lives,
                'unchanged': self.unchanged, 'counts': self.counts,
                'bad': self.bad}
