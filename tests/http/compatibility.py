# SPDX-License-Identifier: Apache-2.0
"""docs/compatibility.md says what is true: every endpoint that is not absent is
routed, with its verbs; every setting that is not absent is known."""
import os
import re

from api import start_kinto
from harness import Test, wait_for

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..',
                    'docs', 'compatibility.md')
# What its settings table has values for; the others are put in by row.
PLUGINS = '''kinto.plugins.default_bucket kinto.plugins.accounts
 kinto.plugins.history kinto.plugins.flush kinto.plugins.counters
 kinto.plugins.quotas kinto.plugins.openid kinto.plugins.admin
 kinto.plugins.prometheus kinto.plugins.statsd
 kinto_attachment'''.replace('\n', '')
# Settings whose value is checked, or that another test is about.
VALUES = {
    'http_api_version': '1.23', 'project_name': 'kinto',
    'eos': '2999-01-01', 'cors_origins': '*', 'http_scheme': 'https',
    'id_generator': 'uuid4', 'attachment.base_url': 'https://cdn.example/',
    'attachment.folder': '{bucket_id}', 'sentry_dsn': '', 'statsd_url': '',
    'history.auto_trim_user_ids': 'account:a', 'readonly': 'false',
    'multiauth.policy.basicauth.use':
        'kinto.core.authentication.BasicAuthAuthenticationPolicy',
    'prometheus_histogram_buckets': '1 2 Inf', 'cache_hosts': '127.0.0.1:1',
    'prometheus_disabled_metrics': 'x', 'cache_max_size_bytes': '100000',
    'history.exclude_resources': '/buckets/b',
    'statsd_backend': 'kinto.plugins.statsd',
}
GENERATORS = 'kinto.views.NameGenerator'
# Those that say where things are have their own tests.
ELSEWHERE = re.compile('(storage|permission|cache)_(backend|url|hosts)$|'
                       'multiauth.policies$|includes$|attachment.base_path$|'
                       'admin_assets_path$|event_listeners|statsd_url$|'
                       'sentry_dsn$|userid_hmac_secret$')


def rows(section):
    """[first cell, verdict] of the table below a heading."""
    with open(PAGE) as f:
        text = f.read().split('\n## %s\n' % section)[1].split('\n## ')[0]
    cells = [[c.strip() for c in line.strip('|').split('|')]
             for line in text.splitlines() if line.startswith('|')]
    return [(c[0], c[1]) for c in cells[2:]]


def value_of(key):
    if key in VALUES:
        return VALUES[key]
    if key.endswith('_id_generator'):
        return GENERATORS
    if re.search('enabled$|validation$|endpoint$|permissions$|randomize$|'
                 'files$', key):
        return 'true'
    if re.search('seconds$|count$|threshold$|size|overflow|recycle|timeout|'
                 'backlog|requests$|paginate_by|backoff|level$', key):
        return '20'
    return 'x'


def settings():
    for cell, verdict in rows('Settings'):
        if verdict != 'absent':
            yield from re.findall('`([^`]+)`', cell)


def endpoints():
    for cell, verdict in rows('Endpoints'):
        if verdict != 'absent':
            verbs, path = re.fullmatch('`([A-Z ]+) (/[^`]*)`',
                                       cell).groups()
            yield verbs.split(), path.replace('{id}', 'x')


with Test() as t:
    values = {k: value_of(k) for k in settings() if not ELSEWHERE.search(k)}
    t.ok(len(values) > 60, 'the page has %d settings to try' % len(values))
    kinto, api = start_kinto(
        t, includes=PLUGINS, **{
            **values, 'multiauth.policies': 'account',
            'multiauth.policy.account.use':
                'kinto.plugins.accounts.AccountsPolicy',
            'account_create_principals': 'account:x',
            'account_write_principals': 'account:x',
            'version_json_path': t.path('version.json'),
            'plural_bucket_post_enabled': 'true',
            'backoff_percentage': '50',
            'attachment.base_path': t.dir, 'log_level': 'info'})
    t.ok(wait_for(api.up, 30), 'a server with all of them starts')
    unknown = re.findall("'([^']+)' is not a setting", kinto.text())
    t.equal(unknown, [], 'none is unknown')
    n = 0
    for verbs, path in endpoints():
        answer = api('OPTIONS', path, headers=[
            ('Origin', 'https://x.example'),
            ('Access-Control-Request-Method', verbs[0])])
        if answer.status != 200 and path == '/admin/':
            # Without its build there is a warning and nothing else.
            t.ok('the admin console is not served' in kinto.text(), path)
            continue
        allowed = answer.headers.get('access-control-allow-methods', '')
        n += 1
        t.ok(answer.status == 200 and set(verbs) <= set(
            allowed.replace(' ', '').split(',')),
            '%s %s (%d: %s)' % (' '.join(verbs), path, answer.status,
                                allowed))
    t.ok(n > 20, 'the page has %d endpoints' % n)
