# SPDX-License-Identifier: Apache-2.0
"""The admin plugin: what it serves and how, what it refuses, at start and
later. The console itself is tested with a browser (tests/clients/browser)."""
import base64
import gzip
import hashlib
import os
import signal

from api import Api, answering
from harness import CLIQUET, Test, wait_for

SCRIPT = 'console.log("a page may have a script")'
PACKED = gzip.compress(b'p {}')
BIG = b'x' * 3000000
POLICY = ("default-src 'self'; img-src data: *; script-src 'self' "
          "'unsafe-eval'%s; style-src 'self' 'unsafe-inline'; "
          "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
          "form-action 'self'")


def page(text):
    return ('<!DOCTYPE html><title>%s</title><script>%s</script>'
            '<script type="module" src="/v1/admin/assets/a-B1b2c3d4.js">'
            '</script>' % (text, SCRIPT))


def build(t, name='console', **more):
    """A folder that looks like a build of the console."""
    files = {'index.html': page('one'), 'VERSION': '9.8.7\n',
             'assets/a-B1b2c3d4.js': BIG, 'assets/main.1a2b3c4d.chunk.js': 'm',
             'assets/stylesheet.css': 'p {}', 'assets/picture.png': b'\x89PNG',
             'deep/er/page.html': '<p>', 'data.json': '{broken',
             'noext': b'\0', 'assets/stylesheet.css.gz': PACKED, '.hidden': 'secret', '.git/config': 'secret'}
    files.update(more)
    top = t.path(name)
    for path, content in files.items():
        if content is None:
            continue
        path = os.path.join(top, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write(content if isinstance(content, bytes) else
                    content.encode())
    return top


def start(t, dir, **more):
    return t.start(ready=False, use='kinto', includes='kinto.plugins.admin',
                   admin_assets_path=dir, storage_backend='memory',
                   permission_backend='memory', cache_backend='memory',
                   userid_hmac_secret='x',
                   **{'multiauth.policies': 'basicauth', **more})


def ask(s, path, method='GET', **headers):
    return s.get('/v1' + path, method=method, headers=[
        (n.replace('_', '-'), v) for n, v in headers.items()])


def header(r, name):
    return r.headers.get(name)


def pages(t, s):
    r = ask(s, '/admin')
    t.equal((r.status, header(r, 'location').partition('/v1')[1:]),
            (307, ('/v1', '/admin/')), 'without a slash: redirected')
    r = ask(s, '/admin/')
    t.equal((r.status, header(r, 'content-type'), r.body.decode()),
            (200, 'text/html; charset=utf-8', page('one')), 'the page')
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest())
    t.equal(header(r, 'content-security-policy'),
            POLICY % (" 'sha256-%s'" % digest.decode()),
            'scripts of the page are named by their hash')
    t.equal((header(r, 'cache-control'), header(r, 'x-content-type-options')),
            ('no-cache', 'nosniff'), 'the page is asked for again each time')
    t.equal(ask(s, '/admin/index.html').body, r.body, 'the same by its name')
    r = ask(s, '/admin/deep/er/page.html')
    t.equal((r.status, header(r, 'content-security-policy')),
            (200, POLICY % ''), 'other pages have a policy too')
    r = ask(s, '/admin/', 'HEAD')
    t.equal((r.status, r.body, header(r, 'content-length')),
            (200, b'', str(len(page('one')))), 'HEAD')
    t.equal(ask(s, '/admin/', 'POST').status, 405, 'nothing to post')


def files(t, s):
    forever = 'public, max-age=31536000, immutable'
    for path, kind, cache in (
            ('assets/a-B1b2c3d4.js', 'text/javascript; charset=utf-8',
             forever),
            ('assets/main.1a2b3c4d.chunk.js', 'text/javascript; charset=utf-8',
             forever),
            ('assets/stylesheet.css', 'text/css; charset=utf-8', 'no-cache'),
            ('assets/picture.png', 'image/png', 'no-cache'),
            ('data.json', 'application/json; charset=utf-8', 'no-cache'),
            ('VERSION', 'text/plain; charset=utf-8', 'no-cache'),
            ('noext', 'application/octet-stream', 'no-cache')):
        r = ask(s, '/admin/' + path)
        t.equal((r.status, header(r, 'content-type'),
                 header(r, 'cache-control')), (200, kind, cache), path)
    t.ok(ask(s, '/admin/assets/a-B1b2c3d4.js').body == BIG,
         'three megabytes arrive whole')
    t.equal(ask(s, '/admin/noext').body, b'\0', 'any byte may be in a file')


def revalidation(t, s):
    r = ask(s, '/admin/assets/stylesheet.css')
    etag, date = header(r, 'etag'), header(r, 'last-modified')
    for tags in etag, 'W/' + etag, '"a", %s, "b"' % etag, '*':
        r = ask(s, '/admin/assets/stylesheet.css', If_None_Match=tags)
        t.equal((r.status, r.body, header(r, 'etag')), (304, b'', etag),
                'not modified: If-None-Match %s' % tags[:4])
    t.equal(ask(s, '/admin/assets/stylesheet.css',
                If_Modified_Since=date).status, 304, 'nor since its date')
    for name, headers in (
            ('another tag', dict(If_None_Match='"x"')),
            ('a tag counts more than a date',
             dict(If_None_Match='"x"', If_Modified_Since=date)),
            ('another date', dict(
                If_Modified_Since='Mon, 01 Jan 2001 00:00:00 GMT')),
            ('nonsense', dict(If_None_Match=etag[:-1] + ',,"'))):
        t.equal(ask(s, '/admin/assets/stylesheet.css', **headers).status, 200,
                name + ': sent')


def packed(t, s):
    css = '/admin/assets/stylesheet.css'
    plain = ask(s, css)
    for accept in 'gzip', 'deflate, GZIP;q=0.5, br', 'br, gzip':
        r = ask(s, css, Accept_Encoding=accept)
        t.equal((r.body, header(r, 'content-encoding'), header(r, 'vary'),
                 header(r, 'content-type')),
                (PACKED, 'gzip', 'Accept-Encoding',
                 'text/css; charset=utf-8'), 'compressed for ' + accept)
    t.ok(header(r, 'etag') != header(plain, 'etag'), 'with a tag of its own')
    t.equal(ask(s, css, Accept_Encoding='gzip',
                If_None_Match=header(r, 'etag')).status, 304, 'of use')
    t.equal(ask(s, css, If_None_Match=header(r, 'etag')).status, 200,
            'for this form only')
    for accept in 'br', 'gzip;q=0', 'gzip; q=0.000', 'xgzip', '':
        r = ask(s, css, Accept_Encoding=accept)
        t.equal((r.body, header(r, 'content-encoding'), header(r, 'vary')),
                (b'p {}', None, 'Accept-Encoding'),
                'plain for "%s"' % accept)
    r = ask(s, '/admin/', Accept_Encoding='gzip')
    t.equal((header(r, 'content-encoding'), header(r, 'vary')),
            (None, None), 'what has no compressed form is sent as it is')


def nothing_else(t, s):
    for path in ('nope', 'assets', 'assets/', 'VERSION/', '/VERSION', '.hidden',
                 '.git/config', './VERSION', 'assets/../VERSION', '../VERSION',
                 '..%2f..%2fetc/passwd', '%2e%2e/%2e%2e/etc/passwd',
                 '..%5cVERSION', 'version', 'VERSION.', 'a' * 2000, 'link-out'):
        r = ask(s, '/admin/' + path)
        t.equal((r.status, r.json()['errno']), (404, 111),
                'not there: %s' % path[:40])
    t.equal(ask(s, '/admin/VERSION%00').status, 400, 'no name has a NUL')


def announced(t, api):
    has = api.hello().body['capabilities']
    t.equal(has.get('admin'), {
        'description': 'Serves the admin console.', 'version': '9.8.7',
        'url': 'https://github.com/Kinto/kinto-admin/'}, 'hello tells of it')
    t.ok('permissions_endpoint' in has, 'and of /permissions, which it needs')
    t.equal(api('GET', '/permissions', user='a:b').status, 200, 'it is there')
    r = api('POST', '/batch', {'requests': [
        {'method': 'GET', 'path': '/admin/data.json'},
        {'method': 'GET', 'path': '/admin/assets/picture.png'},
        {'method': 'GET', 'path': '/admin'}]})
    t.equal([a['status'] for a in r.body['responses']], [200, 200, 307],
            'files in a batch leave it well-formed')


def reloaded(t, s, api, top):
    build(t, **{'index.html': page('two'), 'VERSION': '10'})
    t.equal(ask(s, '/admin/').body.decode(), page('one'),
            'files that change are not looked at')
    old = set(s.workers())
    s.signal(signal.SIGHUP)
    # Until they have left, the old workers answer, too.
    wait_for(lambda: len(s.workers()) == 2 and not old & set(s.workers()), 60)
    t.equal(ask(s, '/admin/').body.decode(), page('two'), 'until a reload')
    t.equal(api.hello().body['capabilities']['admin']['version'], '10',
            'which announces the new version')
    os.rename(top, top + '.old')
    s.signal(signal.SIGHUP)
    t.ok(s.logged('admin_assets_path'), 'a reload without a folder is refused')
    t.equal(ask(s, '/admin/').body.decode(), page('two'),
            'and what was there goes on')


def refused(t):
    loop = build(t, 'loop')
    os.symlink(loop, os.path.join(loop, 'assets', 'up'))
    dangling = build(t, 'dangling')
    os.symlink('/no/such/file', os.path.join(dangling, 'assets', 'x.js'))
    huge = build(t, 'huge')
    os.truncate(os.path.join(huge, 'noext'), 65 << 20)
    many = build(t, 'many')
    for i in range(4096):
        open(os.path.join(many, 'deep', str(i)), 'w').close()
    for what, dir, said in (
            ('no folder', t.path('absent'), 'No such file'),
            ('a file', os.path.join(loop, 'VERSION'), 'Not a directory'),
            ('no version', build(t, 'v', VERSION=None), 'no file VERSION'),
            ('no page', build(t, 'p', **{'index.html': None}),
             'no file index.html'),
            ('a version that is none', build(t, 'w', VERSION=b'\xff'),
             'no version'),
            ('a circle', loop, 'Too many levels'),
            ('a link to nowhere', dangling, 'x.js'),
            ('a folder too large', huge, '64 MiB'),
            ('too many files', many, '4096 files')):
        s = start(t, dir)
        t.equal((s.wait(), s.logged('admin_assets_path'), s.logged(said)),
                (1, True, True), what + ' is said at start')
    t.ok(start(t, t.path('absent')).logged('scripts/get-admin'),
         'with the remedy')


def without(t):
    s = start(t, None)
    api = answering(Api(s))
    if 'admin' in api.hello().body['capabilities']:
        t.skip('no folder is named', 'a console is installed here')
        return
    t.ok(s.logged('WARN.*admin_assets_path.*get-admin'),
         'no folder is named: said, but the service starts')
    r = ask(s, '/admin/')
    t.equal((r.status, 'not installed' in r.json()['message']), (404, True),
            'there is no console')
    t.ok('permissions_endpoint' in api.hello().body['capabilities'],
         '/permissions is there')
    status, text = t.run([CLIQUET, 'dump-config', '--ini', s.ini])
    t.ok(status == 0 and '#admin_assets_path = ' in text,
         'dump-config shows the default')


def main():
    with Test() as t:
        top = build(t)
        os.symlink('stylesheet.css', os.path.join(top, 'assets', 'link.css'))
        s = start(t, top + '/')
        api = answering(Api(s))
        pages(t, s)
        files(t, s)
        t.equal(ask(s, '/admin/assets/link.css').body, b'p {}',
                'a symbolic link is as good as the file')
        revalidation(t, s)
        packed(t, s)
        nothing_else(t, s)
        announced(t, api)
        reloaded(t, s, api, top)
        refused(t)
        without(t)


main()
