# SPDX-License-Identifier: Apache-2.0
"""Does what docs/tutorial.md says.

`<!-- file: NAME -->` (or `append:`) before a block of code makes it a file. In
blocks of `console` the lines behind "$ " are commands, the others what they
say, with "..." for anything. A command that ends in "&" is a server: it takes
the place of the one before and is waited for.
"""
import os
import re
import subprocess

from harness import CLIQUETD, Test, wait_for

SRC = os.environ.get('CLQ_SRCDIR', os.path.join(os.path.dirname(
    os.path.abspath(__file__)), '..', '..'))
BUILD = os.path.dirname(CLIQUETD)

# What pkg-config would say if this were installed, and the programs' names.
SHIMS = {
    'pkg-config': '#!/bin/sh\nshift $(($# - 1))\n'
                  '[ "$1" = cliquet ] || exit 1\n'
                  'echo -I%s/core/include $(%s --cflags libcjson)\n',
    'cliquet': '#!/bin/sh\nexec %s/cliquet "$@"\n',
    'cliquetd': '#!/bin/sh\nexec %s/cliquetd "$@"\n',
    'cc': '#!/bin/sh\nPATH=\'%s\'\nexport PATH\nexec %s -Wall -Wextra -Wno-unused-parameter '
          '-Wno-missing-field-initializers -Werror "$@"\n',
}
BLOCK = re.compile(r'(?:<!-- (file|append): (\S+) -->\n)?```(\w+)\n(.*?)```',
                   re.S)


def shims(t):
    folder = t.path('bin')
    os.mkdir(folder)
    real = subprocess.check_output(['sh', '-c', 'command -v pkg-config'],
                                   text=True).strip()
    for name, text in SHIMS.items():
        args = {'pkg-config': (SRC, real),
                'cc': (os.environ['PATH'], os.environ.get('CC', 'cc'))}.get(
                    name, (BUILD,))
        with open(folder + '/' + name, 'w') as f:
            f.write(text % args)
        os.chmod(folder + '/' + name, 0o755)
    return folder


def pattern(expected):
    return re.compile(''.join(
        '.*?' if part == '...' else re.escape(part)
        for part in re.split(r'(\.\.\.)', expected)) + r'\Z', re.S)


class Reader:
    def __init__(self, t):
        self.t = t
        self.folder = t.path('tutorial')
        os.mkdir(self.folder)
        self.env = dict(os.environ, PATH=shims(t) + ':' + os.environ['PATH'],
                        CLIQUET_INI='forest.ini')
        self.server = None

    def file(self, how, name, text):
        with open(os.path.join(self.folder, name),
                  'w' if how == 'file' else 'a') as f:
            f.write(text)

    def shell(self, command):
        r = subprocess.run(command, shell=True, cwd=self.folder, env=self.env,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           stdin=subprocess.DEVNULL, timeout=300)
        return r.returncode, r.stdout.decode(errors='replace').strip()

    def start(self, command):
        if self.server is not None:
            self.server.stop()
        argv = command.rstrip('& ').split()
        self.server = self.t.spawn(argv, cwd=self.folder, env=self.env)
        self.env['CLIQUET_INI'] = argv[1]
        wait_for(lambda: self.server.popen.poll() is not None or self.shell(
            'cliquet -q request GET /v1/__lbheartbeat__')[0] == 0, 60)
        self.t.ok(self.server.popen.poll() is None, command)

    def command(self, command, expected):
        name, _, value = command.partition('=')
        if name.startswith('export '):
            self.env[name[len('export '):]] = value
        elif command.endswith('&'):
            self.start(command)
        else:
            status, said = self.shell(command)
            if not self.t.ok(pattern(expected).match(said), command[:70]):
                print('# said:', said[:500].replace('\n', '\n# '))
                print('# wanted:', expected[:500].replace('\n', '\n# '))

    def console(self, text):
        for part in re.split(r'^\$ ', text, flags=re.M)[1:]:
            command, _, expected = part.partition('\n')
            self.command(command, expected.strip())


def main():
    with Test() as t:
        reader = Reader(t)
        with open(SRC + '/docs/tutorial.md') as f:
            text = f.read()
        files = commands = 0
        for how, name, language, block in BLOCK.findall(text):
            if how:
                files += 1
                reader.file(how, name, block)
            elif language == 'console':
                commands += block.count('\n$ ') + 1
                reader.console(block)
            else:
                t.ok(False, 'a block of %s that nobody tries' % language)
        t.ok(files >= 8 and commands >= 20, 'the whole page was read')
        view = re.search(r'^post_score.*?^}', text, re.S | re.M).group(0)
        t.ok(view.count('\n') <= 32, 'the view has about thirty lines')


main()
