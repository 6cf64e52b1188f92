#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sync promise, tested from outside: many writers on one list, readers
that poll it with the last ETag, and nothing is missed (sections 03-7, 04-9).

	sync.py http://127.0.0.1:8888/v1 --batch

Any server that speaks the protocol will do. Prints TAP and, as comments,
numbers. With --chaos and --during processes are killed and restarted under
the load: then requests may fail, but what was acknowledged must be there.
"""
import argparse
import contextlib
import multiprocessing
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import verdict
from client import Broken, Client
from reader import Reader
from writer import Shared, Writer

LONGEST = 120           # s that a busy machine may take for all there must be
PATIENCE = 150          # s for the last requests of a writer or reader


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    p.add_argument('url', help='with the version, as in .../v1')
    p.add_argument('--seconds', type=float, default=20)
    p.add_argument('--writers', type=int, default=8)
    p.add_argument('--readers', type=int, default=3)
    p.add_argument('--batch', action='store_true',
                   help='writers send batches too')
    p.add_argument('--chaos', metavar='PIDFILE',
                   help='kill a child of this process now and then')
    p.add_argument('--every', type=float, default=0.5, metavar='SECONDS',
                   help='how often; default 0.5')
    p.add_argument('--during', metavar='COMMAND', action='append',
                   default=[], help='shell command to run under load; several '
                   'are spread over the time. Needs --chaos')
    p.add_argument('--settle', metavar='COMMAND', help='shell command that '
                   'waits for what the killed had sent to a database')
    p.add_argument('--log', metavar='FILE', help='of cliquetd, to be searched '
                   'for errors')
    p.add_argument('--auth', default='sync:test', help='name:password')
    p.add_argument('--seed', default=str(random.randrange(10 ** 6)))
    options = p.parse_args()
    if options.during and not options.chaos:
        p.error('--during needs --chaos')
    return options


class Tap:
    def __init__(self):
        self.n = self.failed = 0

    def ok(self, good, what, details=()):
        self.n += 1
        self.failed += not good
        print('%s %d - %s' % ('ok' if good else 'not ok', self.n, what))
        for line in list(details)[:8]:
            print('#', line)
        if len(details) > 8:
            print('# ... %d in all' % len(details))
        sys.stdout.flush()

    def none(self, violations, what):
        self.ok(not violations, what, violations)


def child(make, path):
    """Run make().run() and leave the result, or why there is none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        result = make().run()
    except Exception:
        result = traceback.format_exc()
    with open(path + '.new', 'wb') as f:
        pickle.dump(result, f)
    os.rename(path + '.new', path)


class Crew:
    """Processes of one kind and their results."""

    def __init__(self, context, folder, makers):
        self.paths, self.processes = [], []
        for i, make in enumerate(makers):
            path = os.path.join(folder, '%s%d' % (id(self), i))
            p = context.Process(target=child, args=(make, path), daemon=True)
            p.start()
            self.paths.append(path)
            self.processes.append(p)

    def results(self, timeout):
        """(results, complaints)"""
        end, good, bad = time.monotonic() + timeout, [], []
        for p, path in zip(self.processes, self.paths):
            p.join(max(0, end - time.monotonic()))
            if not os.path.exists(path):
                bad.append('process %d did not end, or died' % p.pid)
                p.kill()
                continue
            with open(path, 'rb') as f:
                result = pickle.load(f)
            (bad if isinstance(result, str) else good).append(result)
        return good, bad


def children(pid):
    out = []
    for name in os.listdir('/proc'):
        with contextlib.suppress(OSError, ValueError):
            with open('/proc/%d/stat' % int(name)) as f:
                state, parent = f.read().rpartition(')')[2].split()[:2]
            if int(parent) == pid and state != 'Z':
                out.append(int(name))
    return out


class Chaos(threading.Thread):
    """Kills workers, and runs commands, until it is told to stop."""

    def __init__(self, options):
        super().__init__()
        self.options, self.end = options, threading.Event()
        self.todo = list(options.during)
        self.kills, self.bad = 0, []
        self.pick = random.Random(options.seed)

    def enough(self):
        return not self.todo and self.kills >= self.options.seconds

    def kill_one(self):
        """One that has ended by itself meanwhile does not count."""
        try:
            with open(self.options.chaos) as f:
                master = int(f.read())
            pids = children(master)
            if not pids:
                return
            pid = self.pick.choice(pids)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills += 1
            while pid in children(master):      # it does nothing any more
                time.sleep(0.005)
        except (OSError, ValueError) as e:
            self.bad.append(repr(e))

    def run(self):
        every = self.options.seconds / (len(self.todo) + 1)
        due = time.monotonic() + every
        while not self.end.wait(self.pick.uniform(0.5, 1.5) *
                                self.options.every):
            self.kill_one()
            if self.todo and time.monotonic() > due:
                due += every
                self.command(self.todo.pop(0))
        self.bad += ['there was no time for: ' + command
                     for command in self.todo]

    def command(self, command):
        begun = time.monotonic()
        try:
            status = subprocess.call(command, shell=True, timeout=120,
                                     stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            status = 'time-out'
        print('# %.1f s: %s' % (time.monotonic() - begun, command))
        if status != 0:
            self.bad.append('status %s: %s' % (status, command))


def must(client, method, path, body=None):
    for _ in range(1200):
        with contextlib.suppress(Broken):
            response = client.request(method, path, body)
            if response.status < 300:
                return response
            if response.status not in (502, 503, 504):
                raise SystemExit('Bail out! %s %s: %d %.300r' % (
                    method, path, response.status, response.body))
        time.sleep(0.05)
    raise SystemExit('Bail out! %s %s: no answer' % (method, path))


def whole_list(client, path):
    """id -> record, by pages; and the rows as they came."""
    rows = []
    while path:
        response = must(client, 'GET', path)
        rows += response.json()['data']
        path = response.headers.get('next-page')
    return {row['id']: row for row in rows}, rows


def total(results, what):
    return sum(r['counts'].get(what, 0) for r in results)


def table(results):
    counts = {}
    for r in results:
        for name, n in r['counts'].items():
            counts[name] = counts.get(name, 0) + n
    return ', '.join('%s %d' % pair for pair in sorted(counts.items()))


def kinds(options):
    """What writers do at least once."""
    return ['post', 'post with id', 'put new', 'put', 'patch', 'delete',
            'delete list', 'put shared', 'patch shared', 'status 412',
            'put in the future', *['batches', 'put in the near future']
            * options.batch]


def run(options, client, collection, folder):
    """Start all, wait, stop the writers first. What came out, as a dict."""
    context = multiprocessing.get_context('fork')
    shared, stop = Shared(context, kinds(options)), context.Event()

    def connect():
        return Client(options.url, options.auth)
    readers = Crew(context, folder, [
        lambda i=i: Reader(i, connect(), collection, stop, options)
        for i in range(options.readers)])
    writers = Crew(context, folder, [
        lambda i=i: Writer(i, connect(), collection, shared, options)
        for i in range(options.writers)])
    chaos = Chaos(options) if options.chaos else None
    begun = time.monotonic()
    if chaos:
        chaos.start()
    time.sleep(options.seconds)
    # A busy machine gets the time to do some of every kind, and all chaos.
    while time.monotonic() < begun + options.seconds + LONGEST and (
            shared.missing() or chaos and not chaos.enough()):
        time.sleep(0.1)
    if chaos:
        chaos.end.set()
        chaos.join()
    shared.stop.set()
    took = time.monotonic() - begun
    out = {'took': took, 'chaos': chaos}
    out['writers'], out['bad'] = writers.results(PATIENCE)
    # What a dying worker had sent to a database may still arrive there.
    if chaos:
        time.sleep(1)
        if options.settle:
            chaos.command(options.settle)
    stop.set()
    out['readers'], bad = readers.results(PATIENCE)
    out['bad'] += bad
    return out


def judge_writers(tap, options, out, acks, unknown):
    writers = out['writers']
    tap.none(out['bad'], 'all writers and readers ended by themselves')
    tap.none([b for w in writers for b in w['bad']],
             'no writer got %sa 409, nor what the protocol does not foresee'
             % ('' if options.chaos else 'a 5xx or '))
    tap.none(verdict.duplicates(acks), 'all timestamps are distinct')
    tap.none(verdict.disorder(acks), 'timestamps follow the order of writes')
    tap.none(verdict.overwritten(acks, unknown),
             'no write with If-Match or If-None-Match hides another')
    few = [what for what in kinds(options) if total(writers, what) == 0]
    tap.none(few, 'there was some of every kind')


def judge_readers(tap, options, out, acks, live):
    for reader in out['readers']:
        tap.none(reader['bad'], '%s: its ETag never went back, nor did a '
                 'record; no wrong answer' % reader['name'])
        tap.none(verdict.missed(reader, acks),
                 '%s: missed no change' % reader['name'])
        tap.none(verdict.stale(reader, acks),
                 '%s: saw what was acknowledged before' % reader['name'])
        tap.none(verdict.differences(reader, live),
                 '%s: its replica is the list' % reader['name'])
    tap.ok(len(out['readers']) == options.readers, 'all readers reported')


def judge(tap, options, client, collection, out):
    writers, readers = out['writers'], out['readers']
    acks = [a for w in writers for a in w['acks']]
    unknown = [u for w in writers for u in w['unknown']]
    records = collection + '/records'
    live, _ = whole_list(client, records)
    final, rows = whole_list(client, records + '?_since=0')
    by_pages = whole_list(client, records + '?_since=0&_limit=97')
    took = out['took']
    print('# %.1f s: %d writes acknowledged, %.0f/s; %d polls, %.0f/s; '
          '%d changes seen, %.0f/s' % (
              took, len(acks), len(acks) / took, total(readers, 'polls'),
              total(readers, 'polls') / took, total(readers, 'changes'),
              total(readers, 'changes') / took))
    times = sorted(a.ended - a.begun for a in acks) or [0]
    print('# ms per write: median %.1f, 99 %% %.1f, slowest %.0f' % (
        times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3,
        times[-1] * 1e3))
    print('# writers: ' + table(writers))
    print('# readers: ' + table(readers))
    print('# %d records, %d tombstones; %d writes without an answer' % (
        len(live), len(final) - len(live), len(unknown)))
    judge_writers(tap, options, out, acks, unknown)
    judge_readers(tap, options, out, acks, live)
    tap.none(verdict.lost(acks, unknown, final),
             'every acknowledged write is there, or a later one')
    judge_lists(tap, live, final, rows, by_pages)


def judge_lists(tap, live, final, rows, by_pages):
    stamps = [row['last_modified'] for row in rows]
    tap.ok(stamps == sorted(set(stamps), reverse=True),
           'the list has distinct timestamps, newest first')
    tap.ok((final, rows) == by_pages, 'page by page it is the same')
    tap.ok(live == {i: r for i, r in final.items() if not r.get('deleted')},
           'without _since it is the same but for tombstones')


def logged_errors(options):
    """What the server should not have to say."""
    pattern = 'Sanitizer|runtime error|[Aa]ssertion'
    if not options.chaos:
        pattern += '| (ERROR|CRITICAL) '
    with open(options.log, errors='replace') as f:
        return [line.strip()[:300] for line in f if re.search(pattern, line)]


def main():
    options = arguments()
    client = Client(options.url, options.auth)
    bucket = '/buckets/sync-%d-%d' % (os.getpid(), time.time())
    collection = bucket + '/collections/list'
    must(client, 'PUT', bucket)
    must(client, 'PUT', collection)
    tap = Tap()
    print('# seed %s' % options.seed)
    with tempfile.TemporaryDirectory(prefix='clq-sync.') as folder:
        out = run(options, client, collection, folder)
    judge(tap, options, client, collection, out)
    chaos = out['chaos']
    if chaos:
        print('# %d workers killed' % chaos.kills)
        tap.none(chaos.bad, 'chaos was done')
        tap.ok(chaos.kills >= options.seconds, 'enough workers were killed')
    if options.log:
        tap.none(logged_errors(options), 'the server logged no error')
    tap.ok(out['took'] >= options.seconds, 'it took the time it was given')
    print('1..%d' % tap.n)
    return 1 if tap.failed else 0


if __name__ == '__main__':
    sys.exit(main())
