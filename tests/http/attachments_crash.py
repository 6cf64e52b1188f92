# SPDX-License-Identifier: Apache-2.0
"""Files attached to records when workers are killed, and when the database is:
no record without its file, no file that stays without a record. On PostgreSQL
if CLQ_PG_URL is set, else on SQLite."""
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time

import fcgi
from attachments import PG, R, Kinto, one
from harness import Test, alive, wait_for

BIG = one(b'x' * 600000)


class Mortal(Kinto):
    def __init__(self, t, **more):
        if not PG:
            self.db = t.name('.db')
            url = 'sqlite://' + self.db
            more = dict(storage_backend='sqlite', storage_url=url,
                        permission_backend='sqlite', permission_url=url,
                        sqlite_busy_timeout='10000', **more)
        super().__init__(t, **more)

    def try_upload(self, rid, body):
        with contextlib.suppress(OSError, fcgi.Closed, ValueError):
            return self.upload(rid, body)[0]

    def try_delete(self, rid):
        with contextlib.suppress(OSError, fcgi.Closed):
            return self.full('DELETE', R + '/' + rid).status

    def kill_workers(self):
        for pid in self.server.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not alive(pid), 60)
        wait_for(self.up, 60)

    def named(self):
        records = wait_for(self.listed, 60)
        return sorted(self.local(r['attachment']) for r in records
                      if r.get('attachment'))

    def listed(self):
        with contextlib.suppress(OSError, fcgi.Closed):
            return self('GET', R)[1].get('data')

    def whole(self, what):
        missing = set(self.named()) - set(self.stored())
        self.t.equal(missing, set(), 'no record without its file: ' + what)

    def swept(self, what):
        """A day later, a new worker takes a file."""
        folder = os.path.join(self.files, '.incoming')
        for n in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):    # just removed
                os.rename(os.path.join(folder, n), os.path.join(
                    folder, '5-' + n.partition('-')[2]))
        self.kill_workers()
        self.t.equal(self.upload('last')[0], 200, 'an upload: ' + what)
        self.has(self.named(), 'and no file without a record')


@contextlib.contextmanager
def locked(k):
    """Nobody else writes."""
    if PG:
        p = subprocess.Popen(
            os.environ['PSQL'].split() + ['-A', '-t', PG], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        p.stdin.write('BEGIN; LOCK TABLE objects IN EXCLUSIVE MODE;'
                      "SELECT 'locked';\n")
        p.stdin.flush()
        while 'locked' not in p.stdout.readline():
            pass
        yield
        p.communicate('ROLLBACK;\n', 60)
    else:
        db = sqlite3.connect(k.db, timeout=60, isolation_level=None)
        db.execute('BEGIN IMMEDIATE')
        yield
        db.close()


def before_commit(t):
    """The file has its name, the record is not written."""
    k = Mortal(t, workers=1)
    a = k.upload('r1')[1]
    with locked(k):
        thread = threading.Thread(target=k.try_upload, args=('r1', BIG))
        thread.start()
        t.ok(wait_for(lambda: len([n for n in k.stored() if n[0] != '.'])
                      == 2, 60), 'a file is published')
        k.kill_workers()
        thread.join()
    k.whole('killed before the commit')
    t.equal(k.attachment('r1'), a, 'the record has its old file')
    t.equal(k.upload('r2')[0], 200, 'an upload on the same day')
    t.equal(len([n for n in k.stored() if n[0] != '.']), 3,
            'takes nothing away')
    k.swept('killed before the commit')
    t.ok(k.server.logged('belongs to no record since a crash'), 'logged')
    k.stop()


def storm(t):
    """Killed at any moment, over uploads, replacements and deletions."""
    k = Mortal(t, workers=2)
    dice = random.Random(7)
    for i in range(20):
        work = [threading.Thread(target=k.try_upload, args=(
            'r%d' % dice.randrange(4), BIG)) for _ in range(2)]
        work.append(threading.Thread(target=k.try_delete, args=(
            'r%d' % dice.randrange(4),)))
        for thread in work:
            thread.start()
        time.sleep(dice.random() * 0.03)
        k.kill_workers()
        for thread in work:
            thread.join()
    k.whole('workers killed')
    print('# %d files, %d of them named; %d witnesses' % (
        len([n for n in k.stored() if n[0] != '.']), len(k.named()),
        len([n for n in k.stored() if n[0] == '.'])))
    k.swept('workers killed')
    k.stop()


def removal(t):
    """Killed after the commit, before the files were removed: what is left."""
    k = Mortal(t, workers=1)
    a = k.local(k.upload('r1')[1])
    b = k.local(k.upload('r2')[1])
    kept = k.local(k.upload('r3')[1])
    for n in (a, kept):
        os.link(os.path.join(k.files, n),
                os.path.join(k.files, '.incoming', '5-' + n))
    os.link(os.path.join(k.files, a), os.path.join(k.files, 'copy'))
    t.equal(k('DELETE', R + '/r1')[0], 200, 'deleted')
    os.rename(os.path.join(k.files, 'copy'), os.path.join(k.files, a))
    k.swept('killed after the commit')
    t.ok(b in k.stored() and kept in k.stored(), 'what is named stays')
    k.stop()


def database(t):
    """The database dies over commits, and comes back."""
    if not PG:
        return
    k = Mortal(t, workers=2)
    ctl, done = os.environ['CLQ_PG_CTL'], threading.Event()
    answers = []

    def client(n):
        i = 0
        while not done.is_set():
            i += 1
            answers.append(k.try_upload('r%d-%d' % (n, i % 3), one(
                b'%d' % i)))
            if answers[-1] != 200:
                time.sleep(0.02)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(2)]
    def goes_on(status, n):
        """That many more of such answers."""
        n += answers.count(status)
        return wait_for(lambda: answers.count(status) >= n, 60)

    for thread in threads:
        thread.start()
    for i in range(2):
        t.ok(goes_on(200, 10), 'uploads meanwhile')
        subprocess.run([ctl, 'kill'], check=True)
        t.ok(goes_on(503, 1), 'refused without a database')
        subprocess.run([ctl, 'start'], check=True)
        wait_for(k.up, 60)
    t.ok(goes_on(200, 10), 'uploads afterwards')
    done.set()
    for thread in threads:
        thread.join()
    print('# answers:', {s: answers.count(s) for s in set(answers)})
    k.whole('database killed')
    k.swept('database killed')
    k.stop()


if __name__ == '__main__':
    with Test() as t:
        for suite in (before_commit, removal, storm, database):
            suite(t)
