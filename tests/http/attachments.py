# SPDX-License-Identifier: Apache-2.0
"""Files attached to records: what is stored, served and removed, when things go
wrong too. On PostgreSQL if CLQ_PG_URL is set, else on SQLite."""
import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import urllib.parse

import fcgi
from harness import CLIQUET, CLIQUETD, Test, nginx, wait_for

PG = os.environ.get('CLQ_PG_URL')
USERS = {'alice': 'alice:wonder', 'bob': 'bob:builder'}
R = '/buckets/b/collections/c/records'
B = 'frontier'


def part(name, content, filename=None, kind=None, raw=None):
    head = raw or 'form-data; name="%s"%s' % (
        name, '' if filename is None else '; filename="%s"' % filename)
    out = b'--' + B.encode() + b'\r\nContent-Disposition: ' + head.encode()
    if kind:
        out += b'\r\nContent-Type: ' + kind.encode()
    return out + b'\r\n\r\n' + content + b'\r\n'


def form(*parts):
    return b''.join(parts) + b'--' + B.encode() + b'--\r\n'


def one(content=b'hello', filename='h.txt', kind='text/plain'):
    return form(part('attachment', content, filename, kind))


class Kinto:
    """A server with attachments; calls it as alice, or as somebody else."""

    def __init__(self, t, includes='', popen={}, **settings):
        self.t = t
        self.files = t.name('.files')
        os.mkdir(self.files)
        values = dict(use='kinto', includes='kinto_attachment flush ' +
                      includes, workers=2, project_version=None,
                      log_level='info', cache_backend='memory',
                      userid_hmac_secret='x', **{
                          'multiauth.policies': 'basicauth',
                          'attachment.base_path': self.files,
                          'attachment.base_url': 'https://cdn.example/x'})
        kind, more = 'memory', {}
        if PG:
            kind, more = 'postgresql', dict(storage_url=PG, permission_url=PG)
        values.update(storage_backend=kind, permission_backend=kind, **more)
        if PG:
            status, text = t.run([CLIQUET, 'migrate', '--ini', t.ini(
                **{**values, 'includes': 'flush'})])
            if status != 0:
                t.equal(text, '', 'the database is made ready')
        values.update(settings)
        self.server = t.start(ready=False, popen=popen, **values)
        self.server.ready = None
        wait_for(self.up, 60)
        self('POST', '/__flush__', user=None)
        self('PUT', '/buckets/b')
        self('PUT', '/buckets/b/collections/c')

    def up(self):
        try:
            return self('GET', '/')[0] == 200
        except (OSError, fcgi.Closed):
            return False

    def headers(self, user):
        token = base64.b64encode(USERS[user].encode()).decode()
        return [('Authorization', 'Basic ' + token)]

    def full(self, method, path, body=b'', kind=None, user='alice',
             headers=()):
        headers = list(headers) + (self.headers(user) if user else [])
        if kind:
            headers.append(('Content-Type', kind))
        return fcgi.request(self.server.address, method, '/v1' + path,
                            headers, body)

    def __call__(self, method, path, body=None, user='alice'):
        r = self.full(method, path, b'' if body is None else
                      json.dumps(body).encode(),
                      body is not None and 'application/json', user)
        return r.status, json.loads(r.body) if r.body else None

    def upload(self, rid='r1', body=None, query='', kind=None, user='alice',
               records=R, headers=()):
        r = self.full('POST', '%s/%s/attachment%s' % (records, rid, query),
                      one() if body is None else body, kind or
                      'multipart/form-data; boundary=' + B, user, headers)
        return r.status, json.loads(r.body)

    def refused(self, status, errno, what, **more):
        got, body = self.upload(**more)
        self.t.equal((got, body.get('errno')), (status, errno), what)
        return body

    def attachment(self, rid='r1', records=R):
        return self('GET', records + '/' + rid)[1]['data'].get('attachment')

    def stored(self):
        """Files below base_path, those on their way in too."""
        return sorted(os.path.relpath(os.path.join(d, n), self.files)
                      for d, _, names in os.walk(self.files) for n in names)

    def settled(self):
        """The same, when nothing is on its way any more."""
        wait_for(lambda: not [n for n in self.stored() if n[0] == '.'], 30)
        return self.stored()

    def has(self, files, what):
        """After an answer, clean-up may take a moment."""
        wait_for(lambda: self.stored() == files, 30)
        return self.t.equal(self.stored(), files, what)

    def local(self, attachment):
        prefix = 'https://cdn.example/x/'
        assert attachment['location'].startswith(prefix)
        return attachment['location'][len(prefix):]

    def content(self, attachment):
        with open(os.path.join(self.files, self.local(attachment)),
                  'rb') as f:
            return f.read()

    def stop(self):
        self.t.equal(self.server.stop(), 0, 'the server ends well')


def life(t):
    k = Kinto(t)
    hello = k('GET', '/')[1]['capabilities']['attachments']
    t.equal(hello['base_url'], 'https://cdn.example/x/', 'hello has base_url')
    t.equal(k('GET', '/__heartbeat__')[1]['attachments'], True, 'heartbeat')
    r = k.full('POST', R + '/r1/attachment', one(), 'multipart/form-data; '
               'boundary=' + B, headers=[('Host', 'h.example')])
    a = json.loads(r.body)
    t.equal(r.status, 200, 'an upload creates the record')
    t.equal({n: a[n] for n in ('filename', 'hash', 'mimetype', 'size')},
            dict(filename='h.txt', mimetype='text/plain', size=5,
                 hash=hashlib.sha256(b'hello').hexdigest()), 'its metadata')
    headers = {n.lower(): v for n, v in dict(r.headers).items()}
    t.ok(re.fullmatch(r'https?://h\.example/v1' + R + '/r1',
                      headers.get('location', '')), 'Location: the record')
    record = {n.lower(): v for n, v in
              dict(k.full('GET', R + '/r1').headers).items()}
    t.equal(headers.get('etag'), record['etag'], 'ETag: that of the record')
    t.equal(k.content(a), b'hello', 'the file is there')
    t.equal(k.attachment(), a, 'the record says so')
    mode = os.stat(os.path.join(k.files, k.local(a))).st_mode & 0o777
    t.equal(mode, 0o644, 'the web server may read it')

    again = k.upload(body=form(
        part('data', b'{"title": "x"}'), part('attachment', b'bye', 'b.PDF',
                                              'application/pdf; x=y'),
        part('permissions', b'{"read": ["system.Everyone"]}')))[1]
    t.equal(k('GET', R + '/r1', user='bob')[1]['data'].get('title'), 'x',
            'data and permissions come with it')
    t.ok(again['location'].endswith('.pdf') and
         again['mimetype'] == 'application/pdf', 'type and extension')
    k.has([k.local(again)], 'a replaced file is removed')

    t.equal(k('PATCH', R + '/r1', {'data': {'attachment': {'size': 1}}})[0],
            400, 'metadata cannot be patched')
    t.equal(k('PUT', R + '/r1', {'data': {'attachment': {'size': 1}}})[1]
            ['message'], 'Attachment metadata cannot be modified.',
            'nor replaced')
    t.equal(k('PATCH', R + '/r1', {'data': {'title': 'y',
                                            'attachment': again}})[0], 200,
            'what stays the same may be sent')
    status, answer = k('POST', '/batch', {'requests': [
        dict(method='PATCH', path=R + '/r1',
             body={'data': {'attachment': {'size': 1}}}),
        dict(method='PUT', path=R + '/r2', body={'data': {'a': 1}})]})
    t.equal([x['status'] for x in answer['responses']], [400, 201],
            'in a batch that fails alone')
    r = k.full('DELETE', R + '/r1/attachment')
    t.equal((r.status, r.body), (204, b''), 'DELETE of the attachment')
    t.equal(k.attachment(), None, 'it is null')
    k.has([], 'its file is gone')
    t.equal(k('DELETE', R + '/nope/attachment')[0], 404, 'of no record')
    t.equal(k('GET', R + '/nope')[0], 404, 'does not create one')
    k.stop()


def rights(t):
    k = Kinto(t, includes='default_bucket')
    k.refused(401, 104, 'anonymous', user=None)
    k.refused(401, 104, 'anonymous, no form', user=None, kind='text/plain')
    k.refused(403, 121, 'somebody else', user='bob')
    k.refused(404, 111, 'no collection',
              records='/buckets/b/collections/no/records')
    k.refused(400, 107, 'no id', rid='a%20b')
    k('PUT', '/buckets/b/collections/c',
      {'permissions': {'record:create': ['system.Authenticated']}})
    t.equal(k.upload('bobs', user='bob')[0], 200, 'record:create is enough')
    t.equal(k.upload('bobs', user='bob')[0], 200, 'who created may replace')
    t.equal(k.upload('alices')[0], 200, 'alice')
    k.refused(403, 121, 'of another', rid='alices', user='bob')
    t.equal(k.full('DELETE', R + '/alices/attachment', user='bob').status,
            403, 'nor delete')
    status, a = k.upload('mine', records='/buckets/default/collections/q/'
                         'records')
    t.equal(status, 200, 'in the default bucket')
    k.refused(412, 114, 'If-None-Match: *', rid='alices',
              headers=[('If-None-Match', '*')])
    k.refused(412, 114, 'If-Match', rid='alices',
              headers=[('If-Match', '"1"')])
    k.has(sorted([k.local(a)] + [k.local(k.attachment(r)) for r in
                                 ('bobs', 'alices')]),
          'what was refused has left nothing')
    k.stop()


def names(t):
    k = Kinto(t, **{'attachment.extensions': 'default+exe zip',
                    'attachment.randomize': 'false',
                    'attachment.folder': 'in/{bucket_id}/{collection_id}',
                    'attachment.mimetypes': '.zip:application/x-zip'})
    for i, (sent, wanted) in enumerate((
            ('h.txt', 'h.txt'), ('h.txt', 'h-1.txt'), ('h.txt', 'h-2.txt'),
            ('../../../../etc/p.txt', 'p.txt'), ('/etc/q.txt', 'q.txt'),
            ('..\\..\\r.txt', 'r.txt'), ('%2e%2e%2fs.txt', '2e2e2fs.txt'),
            ('.htaccess.txt', 'htaccess.txt'), ('a b (1).txt', 'a_b_1.txt'),
            ('x' * 900 + '.txt', 'x' * 160 + '.txt'),
            ('\u00e9t\u00e9.txt', 't.txt'), ('a"b.txt', 'ab.txt'),
            ('v.tar.zip', 'v.tar.zip'), ('UP.TXT', 'UP.TXT'))):
        name = sent.replace('\\', '\\\\').replace('"', '\\"')
        status, a = k.upload('n%d' % i, body=one(filename=name))
        if not t.equal((status, a.get('location', a)),
                       (200, 'https://cdn.example/x/in/b/c/' + wanted),
                       'the name %.40s' % ascii(sent)):
            continue
        t.equal(a['filename'], sent, 'is kept as it was sent')
    t.equal(k.upload('u', body=one(filename='\u4e16\u754c.txt'))[1]
            ['location'].count('-'), 4, 'nothing is left: a random name')
    t.equal(k.upload('z', body=one(filename='a.zip'))[1]['mimetype'],
            'application/x-zip', 'media type by extension')
    t.equal(k.upload('e', body=form(part('', b'x', raw="form-data; "
            "name=attachment; filename*=UTF-8''%C3%A9.txt")))[1]['filename'],
            '\u00e9.txt', 'filename*')
    t.ok(re.search(r'/[0-9a-f-]{36}\.txt$', k.upload(
        'rnd', query='?randomize=true')[1]['location']), '?randomize=true')
    before = k.settled()
    for name in ('noext', 'a.php', 'a.txt.', '.txt', 'a.txt/', 'a.t\u00e9'):
        k.refused(400, 107, 'not allowed: %s' % ascii(name),
                  body=one(filename=name))
    for name in ('', 'x' * 1100 + '.txt', 'a\0.txt', 'a\n.txt', 'a\x7f.txt'):
        k.refused(400, 107, 'no name: %.20s' % ascii(name),
                  body=one(filename=name))
    k.refused(400, 107, 'not UTF-8', body=one().replace(b'h.txt',
                                                        b'\xff.txt'))
    outside = sorted(set(os.listdir(os.path.dirname(k.files))))
    t.ok(not [n for n in outside if n in ('etc', 'p.txt', 'q.txt')],
         'nothing outside')
    k.has(before, 'nothing is left of them')
    k.stop()


def bad(t):
    k = Kinto(t, **{'attachment.max_size_bytes': '100000',
                    'attachment.resources.b.small.max_size_bytes': '10',
                    'max_body_bytes': '2048'})
    f = 'multipart/form-data; boundary=' + B
    for what, errno, body, kind in (
            ('JSON', 107, b'{}', 'application/json'),
            ('no type', 107, one(), 'text/plain'),
            ('no boundary', 107, one(), 'multipart/form-data'),
            ('empty boundary', 107, one(), 'multipart/form-data; boundary='),
            ('long boundary', 107, one(), f + 'x' * 80),
            ('another boundary', 107, one(), f + 'x'),
            ('no body', 107, b'', f),
            ('no end', 107, one()[:-6], f),
            ('half', 107, one()[:60], f),
            ('no headers', 107, b'--frontier\r\n\r\nx\r\n--frontier--', f),
            ('huge headers', 107, form(part('attachment', b'', 'h.txt', 'a/' +
                                            'x' * 9000)), f),
            ('folded', 107, one().replace(b'; filename', b';\r\n filename'),
             f),
            ('bare LF', 107, one().replace(b'\r\n', b'\n'), f),
            ('base64', 107, form(part('attachment', b'aGk=', 'h.txt',
                                      'a/b\r\nContent-Transfer-Encoding: '
                                      'base64')), f),
            ('twice a name', 107, form(part('', b'x', raw='form-data; '
                                            'name=a; name=attachment')), f),
            ('70 parts', 107, form(*[part('x%d' % i, b'') for i in
                                     range(70)]), f),
            ('no file', 109, form(part('x', b'1')), f),
            ('no parts', 109, b'--frontier--', f),
            ('twice', 109, form(part('attachment', b'a', 'a.txt'),
                                part('attachment', b'b', 'b.txt')), f),
            ('no filename', 107, form(part('attachment', b'x')), f),
            ('other field', 109, form(part('attachment', b'x', 'a.txt'),
                                      part('zoo', b'')), f),
            ('data no JSON', 109, form(part('attachment', b'x', 'a.txt'),
                                       part('data', b'{')), f),
            ('data a list', 109, form(part('attachment', b'x', 'a.txt'),
                                      part('data', b'[]')), f),
            ('data a file', 109, form(part('attachment', b'x', 'a.txt'),
                                      part('data', b'{}', 'd.txt')), f),
            ('data another id', 107, form(part('attachment', b'x', 'a.txt'),
                                          part('data', b'{"id":"z"}')), f),
            ('permissions', 107, form(part('attachment', b'x', 'a.txt'),
                                      part('permissions', b'{"x":[]}')), f),
            ('too large', 107, one(b'x' * 100001), f)):
        k.refused(400, errno, 'refused: ' + what, body=body, kind=kind)
    t.equal(k.upload(body=one(b'x' * 100001))[1]['message'],
            'body: File size (100001 bytes) exceeds the limit (100000 '
            'bytes).', 'the size is told')
    k.refused(413, 113, 'fields beyond max_body_bytes', body=form(part(
        'attachment', b'x', 'a.txt'), part('data', b' ' * 3000)))
    k.refused(413, 113, 'a body far too large',
              body=one(b'x' * (100000 + (2 << 20))))
    t.equal(k('PUT', R + '/x', {'data': {'x': 'x' * 3000}})[0], 413,
            'other bodies keep their bound')
    t.equal(k('GET', R)[1]['data'], [], 'no record was made')
    k.has([], 'and no file is left')
    t.equal(k.upload(body=one(b'x' * 100000))[1]['size'], 100000,
            'as large as allowed')
    k('PUT', '/buckets/b/collections/small')
    k.refused(400, 107, 'a limit of one collection', body=one(b'x' * 11),
              records='/buckets/b/collections/small/records')
    t.equal(k.upload('empty', body=one(b''))[1]['hash'],
            hashlib.sha256(b'').hexdigest(), 'an empty file')
    tricky = b'\r\n--frontie\r\n\r\r\n--frontierx'.replace(b'erx', b'e') * 9
    a = k.upload('tricky', body=one(tricky))[1]
    t.equal(k.content(a), tricky, 'content like a delimiter')
    k.stop()


def removal(t):
    k = Kinto(t, includes='quotas', **{
        'quotas.bucket_full_max_items': '1',
        'attachment.resources.keep.keep_old_files': 'true'})
    k('PUT', '/buckets/b/collections/cc')
    for i in range(30):
        k.upload('r%02d' % i)
    other = k.local(k.upload('o', records=R.replace('/c/', '/cc/'))[1])
    t.equal(k('DELETE', R + '/r00')[0], 200, 'a record')
    t.equal(len(k.settled()), 30, 'takes its file along')
    k('PUT', R + '/r01', {'data': {}})
    t.equal(len(k.settled()), 30, 'a dropped attribute does not')
    k('DELETE', R + '/r01')
    t.equal(len(k.settled()), 29, 'until the record goes')
    t.equal(k('DELETE', R + '?_limit=3')[0], 200, 'a few of a list')
    t.equal(len(k.settled()), 26, 'take theirs')
    status, answer = k('POST', '/batch', {'requests': [
        dict(method='DELETE', path=R + '/r09'),
        dict(method='DELETE', path=R + '/nope'),
        dict(method='DELETE', path=R + '/r10/attachment')]})
    t.equal([x['status'] for x in answer['responses']], [200, 404, 204],
            'in a batch')
    t.equal(len(k.settled()), 24, 'too')
    t.equal(k('DELETE', R)[0], 200, 'a list of many')
    k.has([other], 'all but those of another collection')
    first = k.local(k.upload('r1')[1])
    t.equal(k('DELETE', '/buckets/b/collections/c')[0], 200, 'a collection')
    k.has([other], 'takes its files')
    t.ok(first not in k.settled(), 'those')
    t.equal(k('DELETE', '/buckets/b')[0], 200, 'a bucket')
    k.has([], 'takes all')

    for b in ('keep', 'full'):
        k('PUT', '/buckets/' + b)
        k('PUT', '/buckets/%s/collections/c' % b)
    keep, full = ('/buckets/%s/collections/c/records' % b for b in
                  ('keep', 'full'))
    k.upload('r1', records=keep)
    k.upload('r1', records=keep)
    k('DELETE', '/buckets/keep')
    t.equal(len(k.settled()), 2, 'keep_old_files')
    a = k.upload('r1', records=full)[1]
    before = k.settled()
    k.refused(507, 121, 'over quota before the commit', rid='r2',
              records=full)
    k.has(before, 'leaves no file')
    b = k.upload('r1', records=full)[1]
    t.ok(k.local(a) not in k.settled() and k.local(b) in k.stored(),
         'but replaces one')
    k.stop()


def undone(t):
    """What is undone keeps its file."""
    k = Kinto(t, includes='history', experimental_collection_schema_validation
              ='true')
    k('PUT', '/buckets/b/collections/c', {'data': {'schema': {
        'type': 'object', 'properties': {'n': {'type': 'integer'}},
        'required': ['n']}}})
    k.refused(400, 107, 'the schema is looked at')
    k.has([], 'no file')
    a = k.upload(body=form(part('data', b'{"n": 1}'),
                           part('attachment', b'x', 'a.txt')))[1]
    k.refused(400, 107, 'a bad replacement', body=form(
        part('data', b'{"n": "x"}'), part('attachment', b'y', 'a.txt')))
    k.has([k.local(a)], 'keeps the old file')
    status, answer = k('POST', '/batch', {'requests': [
        dict(method='DELETE', path=R + '/r1/attachment',
             headers={'If-Match': '"1"'})]})
    t.equal([x['status'] for x in answer['responses']], [412],
            'a deletion that fails')
    k.has([k.local(a)], 'keeps it')
    t.equal([e['action'] for e in k('GET', '/buckets/b/history?record_id=r1')
             [1]['data']], ['create'], 'history has what happened')
    k.stop()


def sendfile(t):
    k = Kinto(t, **{'attachment.sendfile': 'x-accel-redirect',
                    'attachment.base_url': '', 'attachment.folder': 'f'})
    url = k.upload()[1]['location']
    path = urllib.parse.urlsplit(url).path
    r = k.full('GET', path[3:], user=None)
    t.equal((r.status, r.body), (200, b''), 'the web server is told')
    headers = {n.lower(): v for n, v in dict(r.headers).items()}
    t.equal(headers.get('x-accel-redirect'), '/.attachments/' +
            path.partition('/attachments/')[2], 'where the file is')
    for bad in ('f/nope.txt', '../x', '.incoming/x', 'f/../f', '', 'f',
                '%2e%2e/x', 'f%2f..%2fx', 'a%00b'):
        t.ok(k.full('GET', '/attachments/' + bad, user=None).status in
             (400, 404, 307), 'not served: %r' % bad)
    k.stop()


def full_disk(t):
    """Writing fails: in the body's file, and in the file itself."""
    k = Kinto(t, workers=1, popen=dict(preexec_fn=lambda: signal.signal(
        signal.SIGXFSZ, signal.SIG_IGN)), max_body_bytes='300000')
    a = k.upload()[1]
    worker = k.server.workers()[0]
    limit = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (210000, limit[1]))
    k.refused(503, 201, 'no room for the body', body=one(b'x' * 400000))
    k.refused(503, 201, 'no room for the file', body=one(b'x' * 230000))
    k.has([k.local(a)], 'nothing is left, the old file stays')
    t.equal(k.server.workers(), [worker], 'the worker goes on')
    resource.prlimit(worker, resource.RLIMIT_FSIZE, limit)
    t.equal(k.upload(body=one(b'x' * 400000))[0], 200, 'and works again')
    k.stop()


def half(t):
    """Clients that stop in the middle."""
    k = Kinto(t, workers=1)
    head = [('Content-Type', 'multipart/form-data; boundary=' + B)] + \
        k.headers('alice')
    whole = fcgi.begin(1) + fcgi.stream(4, 1, fcgi.pairs(fcgi.environ(
        'POST', '/v1' + R + '/r1/attachment', head, one(b'x' * 600000))))
    body = fcgi.stream(5, 1, one(b'x' * 600000))
    worker = k.server.workers()[0]
    for cut in (0, 100, 300000, len(body) - 10):
        s = socket.socket(socket.AF_UNIX)
        s.connect(k.server.address)
        s.sendall(whole + body[:cut])
        s.close()
    t.equal(k('GET', R)[1]['data'], [], 'no record')
    k.has([], 'no file')

    def open_files():
        for n in os.listdir('/proc/%d/fd' % worker):
            with contextlib.suppress(FileNotFoundError):    # closed since
                yield os.readlink('/proc/%d/fd/%s' % (worker, n))
    t.ok(wait_for(lambda: not [n for n in open_files() if k.files in n], 30),
         'no descriptor')
    c = fcgi.Conn(k.server.address)
    c.send(whole + body[:400000])
    c.send(body[400000:])
    t.equal(c.response().status, 200, 'one that comes in pieces')
    c.close()
    t.equal(k.attachment()['size'], 600000, 'is complete')
    k.stop()


def pieces(size, block):
    while size > 0:
        yield block[:size]
        size -= len(block)


def memory(t, size=200 << 20):
    """A large file through nginx costs no memory."""
    k = Kinto(t, workers=1, socket_mode='0666')
    url = nginx(t, k.server.address, extra='client_max_body_size 300m; '
                'fastcgi_read_timeout 300s; fastcgi_send_timeout 300s;')
    if url is None:
        t.skip('a large file', 'no nginx')
        k.stop()
        return
    k.upload('warm')
    worker = k.server.workers()[0]

    def peak():
        with open('/proc/%d/status' % worker) as f:
            return int(re.search(r'VmHWM:\s+(\d+)', f.read())[1])

    block = os.urandom(1 << 20)
    digest = hashlib.sha256()
    for p in pieces(size, block):
        digest.update(p)
    head, _, tail = one(b'*').partition(b'*')
    before = peak()
    c = http.client.HTTPConnection(url[7:], timeout=300)
    c.request('POST', '/v1' + R + '/big/attachment', (
        p for part in ((head,), pieces(size, block), (tail,)) for p in part),
        {'Content-Length': str(len(head) + size + len(tail)),
         'Content-Type': 'multipart/form-data; boundary=' + B,
         **dict(k.headers('alice'))})
    r = c.getresponse()
    a = json.loads(r.read())
    t.equal((r.status, a.get('size'), a.get('hash')),
            (200, size, digest.hexdigest()), '200 MB through nginx')
    grown = peak() - before
    print('# the worker grew by %d kB, to %d kB' % (grown, peak()))
    t.ok(grown < 8192, 'the worker stays small')
    k('DELETE', R + '/big')
    k.stop()


def settings(t):
    for what, pattern, values in (
            ('no folder', 'base_path: missing', {'attachment.base_path': ''}),
            ('relative', 'must be absolute', {'attachment.base_path': 'x'}),
            ('missing', 'No such file', {'attachment.base_path': '/nope/x'}),
            ('outside', 'no folder below', {'attachment.folder': '../x'}),
            ('unknown variable', 'bucket_id', {'attachment.folder': '{x}'}),
            ('resource', 'malformed', {'attachment.resources.randomize':
                                       'true'}),
            ('option', 'cannot be set', {'attachment.resources.b.folder':
                                         'x'}),
            ('size', 'not a number', {'attachment.resources.b.c.max_size_bytes'
                                      : 'x'}),
            ('flag', 'neither true nor false',
             {'attachment.resources.b.c.randomize': 'x'}),
            ('flag and option', 'cannot be set',
             {'attachment.resources.b.keep_old_files': 'x',
              'attachment.resources.b.folder': 'x'}),
            ('sendfile', 'neither', {'attachment.sendfile': 'yes'}),
            ('types', 'write .ext', {'attachment.mimetypes': 'x'})):
        ini = t.ini(**{**dict(use='kinto', includes='kinto_attachment',
                              storage_backend='memory', userid_hmac_secret='x',
                              permission_backend='memory',
                              cache_backend='memory', project_version=None,
                              socket=t.name('.sock')),
                       'attachment.base_path': t.dir, **values})
        status, text = t.run([CLIQUETD, '--check', ini])
        t.ok(status != 0 and pattern in text, 'a setting: ' + what)
        if pattern not in text:
            print('#', text[-300:])


if __name__ == '__main__':
    with Test() as t:
        for suite in (life, rights, names, bad, removal, undone, sendfile,
                      full_disk, half, settings, memory):
            suite(t)
