# SPDX-License-Identifier: Apache-2.0
"""What must be true of a finished run of the sync test: functions over what
writers and readers noted, each of which returns a list of violations."""
import bisect
import collections


def by_id(acks):
    """id -> acknowledged writes in the order of their timestamps."""
    out = collections.defaultdict(list)
    for ack in acks:
        out[ack.id].append(ack)
    for writes in out.values():
        writes.sort(key=lambda a: a.time)
    return out


def duplicates(acks):
    """
    Timestamps that were given to two writes. One in the past is the client's
    choice: it may be that of a state which is no more.
    """
    seen, out = {}, []
    for ack in acks:
        if ack.past:
            continue
        other = seen.setdefault(ack.time, ack)
        if other is not ack:
            out.append('%d: %s (%s) and %s (%s)' % (
                ack.time, other.id, other.token, ack.id, ack.token))
    return out


class Highest:
    """The highest timestamp acknowledged before a moment."""

    def __init__(self, acks):
        acks = sorted((a for a in acks if not a.past), key=lambda a: a.ended)
        self.moments = [a.ended for a in acks]
        self.highest, top = [0], 0
        for ack in acks:
            top = max(top, ack.time)
            self.highest.append(top)

    def before(self, moment):
        return self.highest[bisect.bisect_left(self.moments, moment)]


def disorder(acks):
    """Writes begun after another was acknowledged, with a lower timestamp."""
    highest, out = Highest(acks), []
    for ack in acks:
        top = highest.before(ack.begun)
        if not ack.past and ack.time <= top:
            out.append('%s (%s) got %d after %d was acknowledged' % (
                ack.id, ack.token, ack.time, top))
    return out


def stale(reader, acks):
    """Polls begun after a write was acknowledged that do not know of it."""
    highest, out = Highest(acks), []
    polls = [(p.begun, p.etag) for life in reader['lives'] for p in life]
    for begun, etag in polls + reader['unchanged']:
        top = highest.before(begun)
        if etag < top:
            out.append('%s: ETag %d after %d was acknowledged' % (
                reader['name'], etag, top))
    return out


def missed(reader, acks):
    """
    Changes that a poll did not bring though the ETag it went on with covers
    them. A newer change of the same record stands for it: in the same poll,
    or, as it may move away between two pages, in a later one.
    """
    out = []
    for life in reader['lives']:
        etags = [p.etag for p in life]
        later = {}              # id -> highest seen, over all polls
        for poll in life:
            for id, time in poll.rows.items():
                later[id] = max(time, later.get(id, 0))
        for ack in acks:
            at = bisect.bisect_left(etags, ack.time)
            if ack.past or at == 0 or at == len(etags):
                continue        # before or after this life
            seen = later if reader['paged'] else life[at].rows
            if seen.get(ack.id, 0) < ack.time:
                out.append('%s: %s at %d (%s)' % (
                    reader['name'], ack.id, ack.time, ack.token))
    return out


def differences(reader, server):
    """Between a replica and the server's list, both id -> record."""
    mine, out = reader['replica'], []
    for id in mine.keys() | server.keys():
        if mine.get(id) != server.get(id):
            out.append('%s: %s: has %.100r, the server %.100r' % (
                reader['name'], id, mine.get(id), server.get(id)))
    return out


def lost(acks, unknown, final):
    """
    Acknowledged writes that the server does not show, neither as the state of
    the record nor under a later write.

    unknown	(id, token) of writes without an answer; id None if the server
		was to choose it
    final	id -> record, tombstones too
    """
    maybe = collections.defaultdict(set)
    for id, token in unknown:
        maybe[id].add(token)
    out, writes = [], by_id(acks)
    for id, history in writes.items():
        last, now = history[-1], final.get(id)
        if now is None:
            out.append('%s: acknowledged at %d, is not there' % (
                id, last.time))
            continue
        token = None if now.get('deleted') else now['n']
        if now['last_modified'] == last.time and token == last.token:
            continue
        if now['last_modified'] <= last.time or token not in maybe[id]:
            out.append('%s: acknowledged %s at %d, found %s at %d' % (
                id, last.token, last.time, token, now['last_modified']))
    for id, now in final.items():
        token = None if now.get('deleted') else now['n']
        if id not in writes and token not in maybe[id] | maybe[None]:
            out.append('%s: nobody wrote %s' % (id, token))
    return out


def overwritten(acks, unknown):
    """Writes with If-Match or If-None-Match that hide another's write."""
    maybe_deleted = {id for id, token in unknown if token is None}
    out = []
    for id, history in by_id(acks).items():
        before = None
        for ack in history:
            if isinstance(ack.cond, int) and before is not None and \
                    before.time > ack.cond:
                out.append('%s at %d: If-Match %d, but there was %d' % (
                    id, ack.time, ack.cond, before.time))
            if ack.cond == '*' and before is not None and \
                    before.token is not None and id not in maybe_deleted:
                out.append('%s at %d: If-None-Match, but there was %d' % (
                    id, ack.time, before.time))
            before = ack
    return out
