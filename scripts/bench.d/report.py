# SPDX-License-Identifier: Apache-2.0
"""The result of scripts/bench as Markdown: report.py [--chart] FILE.json...

GOALS are ratios to what is in the same row, except for the batch, whose
measure is a single creation.
"""
import json
import sys

NAMES = {'c_hello': 'smallest responder', 'c_get': 'one read',
         'c_list': 'one query', 'c_post': 'the same transaction',
         'nginx': 'nginx alone', 'kinto': 'Kinto in Python'}
GOALS = {('sqlite', 'hello'): ('c_hello', 0.85),
         ('postgresql', 'hello'): ('c_hello', 0.85),
         ('sqlite', 'GET'): ('c_hello', 0.7),
         ('postgresql', 'GET'): ('c_get', 0.8),
         ('sqlite', 'list of 100'): ('c_list', 0.7),
         ('postgresql', 'list of 100'): ('c_list', 0.7),
         ('sqlite', 'POST'): ('c_post', 0.8),
         ('postgresql', 'POST'): ('c_post', 0.8)}


def ms(us):
    return '%.2f' % (us / 1000)


def ceilings(row):
    mine = row['of']['rate']
    others = {k: c for k, c in row['ceilings'].items() if k != 'kinto'}
    return ', '.join('%s %s (%.2f)' % (NAMES[k], format(round(c['rate']),
                                                         ','),
                                       mine / max(1, c['rate']))
                     for k, c in sorted(others.items()))


def table(result):
    out = ['**%s**' % {'sqlite': 'SQLite', 'postgresql': 'PostgreSQL'}[
        result['storage']], '',
        '| operation | through | requests/s | p50, ms | p99, ms | errors '
        '| CPU per request, us | ceilings, requests/s (and what part of '
        'them is reached) |', '|---|---|---|---|---|---|---|---|']
    for row in result['rows']:
        of = row['of']
        name = row['name'].replace('10^6', format(result['million'], ','))
        used = ' + '.join('%s %.0f' % (k, v) for k, v in of['cpu'].items()
                          if v >= 0.5)
        out.append('| %s | %s | %s | %s | %s | %d | %s | %s |' % (
            name, row['way'], format(round(of['rate']), ','),
            ms(of['p50']), ms(of['p99']), of['errors'], used,
            ceilings(row)))
    return out


def peer(result):
    """Next to the Python implementation, if it was there."""
    rows = [r for r in result['rows'] if 'kinto' in r['ceilings']]
    if not rows:
        return []
    out = ['', '**Next to Kinto in Python** (uWSGI with two processes, '
           'PostgreSQL, memcached, behind the same nginx)', '',
           '| operation | cliquet, requests/s | Kinto, requests/s | times | '
           'errors of Kinto | p99, ms | p99 of Kinto, ms |',
           '|---|---|---|---|---|---|---|']
    for row in rows:
        a, b = row['of'], row['ceilings']['kinto']
        out.append('| %s | %s | %s | %.0f | %d of %d | %s | %s |' % (
            row['name'], format(round(a['rate']), ','),
            format(round(b['rate'], 1), ','), a['rate'] / max(0.1, b['rate']),
            b['errors'], b['requests'], ms(a['p99']), ms(b['p99'])))
    pss = [sum(m[0] for m in result[k]) for k in ('memory', 'kinto_memory')]
    return out + ['', '* Memory (PSS) of all workers: %.0f MiB, Kinto\'s %.0f '
                  'MiB.' % (pss[0] / 1024, pss[1] / 1024)]


def endured(e):
    return '* %s further GETs, %d errors: private memory of the workers ' \
        'grew by %s KiB.' % (format(e['requests'], ','), e['errors'],
                             ', '.join(str(b[1] - a[1]) for a, b in
                                       zip(e['before'], e['after'])))


def facts(result):
    workers = result['memory']
    loops = result['loops']
    crowd = result['crowd']
    return ['',
            '* Start-up to the first answer: %.0f ms, %.0f ms of CPU.' % (
                result['starts']['wall'], result['starts']['cpu']),
            '* Memory of each worker, private (PSS), KiB: %s before, %s '
            'after all of this.' % (
                ', '.join('%d (%d)' % (p, s) for s, p in
                          result['memory_before']),
                ', '.join('%d (%d)' % (p, s) for s, p in workers)),
            endured(result['endured']),
            '* The query alone, two processes: read %s/s, list of 100 %s/s, '
            'creation %s/s.' % tuple(format(round(loops[k]), ',') for k in
                                     ('get', 'list', 'post')),
            '* 1,000 silent and 256 busy clients, four workers: %s requests/s, p99 %s ms, '
            'slowest %s ms, %d errors.' % (
                format(round(crowd['rate']), ','), ms(crowd['p99']),
                ms(crowd['max']), crowd['errors']), '']


def spent(r):
    """CPU of all parts for one request: what decides where the machine is the
    limit, and what others who use it disturb less than rates."""
    return sum(r['cpu'].values())


def goals(results):
    out = ['| goal | through | wanted | reached | by CPU |',
           '|---|---|---|---|---|']
    for result in results:
        rows = {(r['name'], r['way']): r for r in result['rows']}
        for (name, way), row in rows.items():
            goal = GOALS.get((result['storage'], name))
            if goal is None or goal[0] not in row['ceilings']:
                continue
            reached = row['of']['rate'] / max(1, row['ceilings'][
                goal[0]]['rate'])
            used = spent(row['ceilings'][goal[0]]) / max(
                0.1, spent(row['of']))
            out.append('| %s, %s: part of %s | %s | %.2f | %.2f%s | %.2f |'
                       % (name, result['storage'], NAMES[goal[0]], way,
                          goal[1], reached, '' if reached >= goal[1] else
                          ' **not met**', used))
        for way in ('nginx', 'socket'):
            times = rows['POST', way]['of']['rate'] / max(
                1, rows['batch of 25', way]['of']['rate'])
            out.append('| batch of 25, %s: times one creation | %s | 4 | '
                       '%.1f%s | |' % (result['storage'], way, times, ''
                                     if times <= 4 else ' **not met**'))
    errors = sum(r['of']['errors'] for result in results
                 for r in result['rows'])
    out.append('| errors | | 0 | %d | |' % errors)
    return out + ['']


def report(results):
    out = goals(results)
    for result in results:
        out += table(result) + peer(result) + facts(result)
    return '\n'.join(out)


def chart(results):
    """Data for gnuplot: operation, then requests/s of each storage."""
    names = [r['name'] for r in results[0]['rows'] if r['way'] == 'nginx']
    lines = []
    for name in names:
        rates = [r['of']['rate'] for result in results
                 for r in result['rows'] if r['name'] == name and
                 r['way'] == 'nginx']
        lines.append('"%s" %s' % (name, ' '.join('%.1f' % x for x in rates)))
    return '\n'.join(lines) + '\n'


def main():
    results = []
    want = report
    for path in sys.argv[1:]:
        if path == '--chart':
            want = chart
            continue
        with open(path) as f:
            results.append(json.load(f))
    print(want(results))


if __name__ == '__main__':
    main()
