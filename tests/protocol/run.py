#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the protocol cases against a server: run.py BASE_URL [FILE...]

BASE_URL ends in the version prefix, e.g. http://127.0.0.1:8888/v1. The server
must accept basicauth from anybody and let authenticated users create buckets.
Prints TAP; exits 1 if a case fails. README.md describes the case files.

  --peer NAME   the server is another implementation: cases marked
                `differs: NAME ...` are expected to fail and only listed
  -k TEXT       only cases whose file or title contains TEXT
  -v            show every request and answer
  --record FILE write every answer to FILE, without what differs from run to
                run (ids, times, order of keys): files of two servers are equal
                if they answer alike, byte for byte
"""
import base64
import http.client
import json
import os
import re
import sys
import time
import urllib.parse
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
USERS = {"alice": "alice:wonder", "bob": "bob:builder", "carol": "carol:x"}
VERBS = "GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|FOO"
ANY, REST = "\x01any", "\x01rest"


class Mismatch(Exception):
    pass


class Step:
    def __init__(self, line, verb, path):
        self.line, self.verb, self.path = line, verb, path
        self.headers, self.body = [], []
        self.status, self.expect_headers, self.expect_body = None, [], []


def plain(text, host):
    """An answer without what differs from run to run."""
    text = text.replace(host, "HOST")
    text = re.sub(r"\bt[0-9a-f]{12}\b", "BUCKET", text)
    text = re.sub(r'"Content-Length": "\d+"', '"Content-Length": "N"', text)
    text = re.sub(r"_token=[^&\"]+", "_token=TOKEN", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00)?", "DATE", text)
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", "DATE", text)
    text = re.sub(r'\b[0-9a-f]{8}-[0-9a-f]+(?=\\"")', "FILE", text)
    text = re.sub(r'"config": \{[^}]*\}', '"config": {}', text)
    return re.sub(r"\b1[78]\d{11}\b", "TIME", text)


def canonical(data, generated):
    """JSON with sorted keys, numbers as written, generated ids replaced."""
    def number(text):
        return "\x02" + text + "\x02"

    def walk(v):
        if isinstance(v, dict):
            return {k: generated if k == "id" and isinstance(x, str) and
                    re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]{7}", x)
                    else walk(x) for k, x in v.items()}
        return [walk(x) for x in v] if isinstance(v, list) else v

    try:
        tree = walk(json.loads(data, parse_int=number, parse_float=number))
    except ValueError:
        return data.decode(errors="replace")
    return json.dumps(tree, sort_keys=True, ensure_ascii=False).replace(
        '"\\u0002', "").replace('\\u0002"', "")


class Case:
    def __init__(self, file, title):
        self.file, self.title = file, title
        self.steps, self.marks = [], {}


def parse(path):
    """The cases of a file. Raises SystemExit with file and line if malformed."""
    cases, case, step, answer, in_body = [], None, None, False, False
    name = os.path.basename(path)
    for number, raw in enumerate(open(path, encoding="utf-8"), 1):
        line = raw.rstrip("\n")
        if line.startswith("### "):
            case = Case(name, line[4:].strip())
            cases.append(case)
            step, answer, in_body = None, False, False
            continue
        if case is None or (line.startswith("#") and not in_body):
            continue
        verb = re.match(r"(%s) (\S.*)$" % VERBS, line)
        if verb and not (step and not answer and in_body):
            step = Step(number, verb.group(1), verb.group(2))
            case.steps.append(step)
            answer, in_body = False, False
        elif line.startswith("=> "):
            if step is None:
                sys.exit(f"{path}:{number}: an answer without a request")
            step.status = int(line[3:6])
            answer, in_body = True, False
        elif not line.strip():
            continue
        elif step is None:
            mark = re.match(r"([a-z]+): *(.*)$", line)
            if not mark:
                sys.exit(f"{path}:{number}: neither a mark nor a request")
            case.marks.setdefault(mark.group(1), []).append(mark.group(2))
        else:
            header = re.match(r"(!?[A-Za-z][A-Za-z0-9-]*):(.*)$", line)
            if header and not in_body:
                pair = (header.group(1), header.group(2).strip())
                (step.expect_headers if answer else step.headers).append(pair)
            else:
                in_body = True
                (step.expect_body if answer else step.body).append(line)
    for c in cases:
        for s in c.steps:
            if s.status is None:
                sys.exit(f"{path}:{s.line}: no '=> status' after this request")
    return cases


def to_pattern(text):
    """Pattern text -> JSON value in which wildcards are marked strings."""
    out, i = [], 0
    while i < len(text):
        string = re.compile(r'(~?)"(?:[^"\\]|\\.)*"').match(text, i)
        var = re.compile(r"\$(\w+)").match(text, i)
        if string:
            s = string.group(0)
            out.append(json.dumps("\x01re:" + s[2:-1]) if s[0] == "~" else s)
            i = string.end()
        elif var:
            out.append('"\\u0001var:%s"' % var.group(1))
            i = var.end()
        elif text.startswith("...", i):
            before = "".join(out).rstrip()
            key = '"\\u0001rest"'
            depth = [c for c in re.sub(r'"(?:[^"\\]|\\.)*"', "", before)
                     if c in "{}[]"]
            stack = []
            for c in depth:
                stack.append(c) if c in "{[" else stack.pop()
            out.append(key + ": true" if stack and stack[-1] == "{" else key)
            i += 3
        elif text[i] == "*":
            out.append('"\\u0001any"')
            i += 1
        else:
            out.append(text[i])
            i += 1
    return json.loads("".join(out))


class Connection(http.client.HTTPConnection):
    """Sends request lines as they are, bytes above 127 included."""

    def _encode_request(self, request):
        return request.encode("latin-1")

    def _validate_path(self, url):
        pass


class Runner:
    def __init__(self, base, verbose):
        url = urllib.parse.urlsplit(base)
        self.host, self.prefix = url.netloc, url.path.rstrip("/")
        self.verbose, self.conn = verbose, None
        self.record = None

    def subst(self, text):
        return re.sub(r"\$(\w+)", lambda m: str(
            self.vars.get(m.group(1), m.group(0))), text)

    def send(self, verb, path, headers, body):
        for attempt in (1, 2):
            if self.conn is None:
                self.conn = Connection(self.host, timeout=30)
            try:
                self.conn.putrequest(verb, path, skip_accept_encoding=True)
                for k, v in headers:
                    self.conn.putheader(k, v.encode("utf-8"))
                if body is not None:
                    self.conn.putheader("Content-Length", str(len(body)))
                self.conn.endheaders(body)
                r = self.conn.getresponse()
                data = r.read()
                if r.will_close:
                    self.conn.close()
                    self.conn = None
                return r.status, r.headers, data
            except (http.client.HTTPException, OSError):
                self.conn = None
                if attempt == 2:
                    raise
        return None

    def request(self, case_user, step):
        path = self.subst(step.path).replace(" ", "%20")
        path = re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), path)
        if path.startswith("^"):            # ^/x: not below the prefix
            path = path[1:]
        elif path.startswith("/"):
            path = self.prefix + path
        else:                               # an absolute URL, e.g. Next-Page
            path = path.split(self.host, 1)[1]
        headers, user = [], case_user
        for k, v in step.headers:
            if k == "As":
                user = v
            else:
                headers.append((k, self.subst(v)))
        if user in USERS:
            token = base64.b64encode(USERS[user].encode()).decode()
            headers.append(("Authorization", "Basic " + token))
        body = self.subst("\n".join(step.body))
        repeat = re.fullmatch(r"@repeat (\d+) (.*)", body, re.S)
        if repeat:
            body = repeat.group(2) * int(repeat.group(1))
        raw = body.encode("utf-8", "surrogatepass")
        if body.startswith("@bytes "):
            raw = eval('b"""%s"""' % body[7:].replace('"', '\\"'))
        if step.body and not any(k.lower() == "content-type"
                                 for k, _ in headers):
            headers.append(("Content-Type", "application/json"))
        headers = [(k, v) for k, v in headers
                   if not (k.lower() == "content-type" and v == "-")]
        has_body = bool(step.body) or step.verb in ("POST", "PUT", "PATCH")
        return self.send(step.verb, path.encode("utf-8", "surrogateescape")
                         .decode("latin-1"), headers,
                         raw if has_body else None)

    def match(self, want, got, where):
        if isinstance(want, str) and want.startswith("\x01"):
            if want == ANY:
                return
            if want.startswith("\x01re:"):
                if not isinstance(got, str) or not re.search(
                        self.subst(want[4:]), got):
                    raise Mismatch(f"{where}: {got!r} does not match "
                                   f"{want[4:]!r}")
                return
            name = want[5:]
            if name not in self.vars:
                self.vars[name] = got
            elif self.vars[name] != got:
                raise Mismatch(f"{where}: {got!r} is not ${name} = "
                               f"{self.vars[name]!r}")
            return
        if isinstance(want, dict) and isinstance(got, dict):
            rest = REST in want
            for k, v in want.items():
                if k == REST:
                    continue
                k = self.subst(k)
                if k not in got:
                    raise Mismatch(f"{where}.{k}: missing")
                self.match(v, got[k], f"{where}.{k}")
            extra = set(got) - {self.subst(k) for k in want}
            if extra and not rest:
                raise Mismatch(f"{where}: unexpected {sorted(extra)}")
        elif isinstance(want, list) and isinstance(got, list):
            rest = REST in want
            items = [w for w in want if w != REST]
            if len(got) < len(items) or (len(got) > len(items) and not rest):
                raise Mismatch(f"{where}: {len(got)} items, not {len(items)}"
                               f": {got!r}")
            for i, w in enumerate(items):
                self.match(w, got[i], f"{where}[{i}]")
        else:
            if isinstance(want, str):
                want = self.subst(want)
            if type(want) is not type(got) and not (
                    isinstance(want, (int, float)) and
                    isinstance(got, (int, float)) and
                    bool not in (type(want), type(got))) or want != got:
                raise Mismatch(f"{where}: {got!r}, not {want!r}")

    def match_header(self, name, want, headers):
        if name.startswith("!"):
            if headers.get(name[1:]) is not None:
                raise Mismatch(f"header {name[1:]}: present: "
                               f"{headers.get(name[1:])}")
            return
        got = headers.get(name)
        if got is None:
            raise Mismatch(f"header {name}: missing")
        if want.startswith("~"):
            if not re.search(self.subst(want[1:].strip()), got):
                raise Mismatch(f"header {name}: {got!r} does not match {want}")
            return
        if want.startswith("+"):            # a set that must be contained
            have = {h.strip().lower() for h in got.split(",")}
            for item in want[1:].split(","):
                if item.strip().lower() not in have:
                    raise Mismatch(f"header {name}: {item.strip()} not in "
                                   f"{got!r}")
            return
        pattern, names = "", []
        for part in re.split(r"(\$\w+)", want):
            if part.startswith("$") and part[1:] not in self.vars:
                names.append(part[1:])
                pattern += "(.*)"
            elif part.startswith("$"):
                pattern += re.escape(str(self.vars[part[1:]]))
            else:
                pattern += re.escape(part)
        m = re.fullmatch(pattern, got)
        if not m:
            raise Mismatch(f"header {name}: {got!r}, not {self.subst(want)!r}")
        for n, v in zip(names, m.groups()):
            self.vars[n] = int(v) if re.fullmatch(r"\d{1,15}", v) else v

    def check(self, step, answer):
        status, headers, data = answer
        if self.verbose:
            print(f"# {step.verb} {self.subst(step.path)} => {status} "
                  f"{data[:400]!r}")
        if self.record:
            self.record.write(plain(
                f"{step.verb} {self.subst(step.path)}\n  {status} "
                f"{canonical(data, 'ID')}\n", self.host))
        try:
            if status != step.status:
                raise Mismatch(f"status {status}, not {step.status}: "
                               f"{data[:300].decode(errors='replace')}")
            for name, want in step.expect_headers:
                self.match_header(name, want, headers)
            text = "\n".join(step.expect_body)
            if text == "(empty)":
                if data:
                    raise Mismatch(f"body: not empty: {data[:200]!r}")
            elif text:
                try:
                    got = json.loads(data)
                except ValueError:
                    raise Mismatch(f"body: not JSON: {data[:200]!r}")
                self.match(to_pattern(text), got, "body")
        except Mismatch as e:
            raise Mismatch(f"line {step.line}: {step.verb} "
                           f"{self.subst(step.path)}: {e}")

    def user_id(self, user):
        token = base64.b64encode(USERS[user].encode()).decode()
        _, _, data = self.send("GET", self.prefix + "/",
                               [("Authorization", "Basic " + token)], None)
        return json.loads(data).get("user", {}).get("id")

    def has(self, need, capabilities):
        """A capability, or "VERB PATH => STATUS" that alice is answered."""
        probe = re.fullmatch(r"(%s) (\S+) => (\d+)" % VERBS, need)
        if not probe:
            return need in capabilities
        self.vars = dict(self.ids)
        step = Step(0, probe.group(1), probe.group(2))
        return self.request("alice", step)[0] == int(probe.group(3))

    def run(self, case):
        bid = "t" + uuid.uuid4().hex[:12]
        self.vars = {
            "b": f"/buckets/{bid}", "bid": bid, "host": self.host,
            "c": f"/buckets/{bid}/collections/c", "prefix": self.prefix,
            "r": f"/buckets/{bid}/collections/c/records",
            "now": int(time.time() * 1000), **self.ids,
        }
        if "fresh" not in case.marks:
            for path in (self.vars["b"], self.vars["c"]):
                step = Step(0, "PUT", path)
                step.status = 201
                self.check(step, self.request("alice", step))
        for step in case.steps:
            if step.path.startswith("@sleep"):
                time.sleep(float(step.path.split()[1]))
                continue
            self.check(step, self.request("alice", step))


def main(argv):
    peer, only, verbose, record, rest = None, "", False, None, []
    while argv:
        a = argv.pop(0)
        if a == "--peer":
            peer = argv.pop(0)
        elif a == "-k":
            only = argv.pop(0)
        elif a == "-v":
            verbose = True
        elif a == "--record":
            record = open(argv.pop(0), "w", encoding="utf-8")
        elif a in ("-h", "--help"):
            print(__doc__)
            return 0
        else:
            rest.append(a)
    if not rest:
        print(__doc__, file=sys.stderr)
        return 2
    runner = Runner(rest[0], verbose)
    files = rest[1:] or sorted(
        os.path.join(HERE, f) for f in os.listdir(HERE) if f.endswith(".case"))
    runner.ids = {u: runner.user_id(u) for u in USERS}
    hello = json.loads(runner.send("GET", runner.prefix + "/", [], None)[2])
    runner.record = record
    count = failed = 0
    for path in files:
        for case in parse(path):
            if only and only not in case.file + case.title:
                continue
            count += 1
            label = f"{count} - {case.file[:-5]}: {case.title}"
            missing = [n for n in case.marks.get("needs", [])
                       if not runner.has(n, hello["capabilities"])]
            if missing:
                print(f"ok {label} # SKIP server has no {missing[0]}")
                continue
            differs = [d for d in case.marks.get("differs", [])
                       if peer and d.split()[0] == peer]
            if record:
                record.write(f"### {case.file}: {case.title}\n")
            try:
                runner.run(case)
                if differs:
                    print(f"# agrees after all: {case.title}")
                print(f"ok {label}")
            except (Mismatch, OSError, http.client.HTTPException) as e:
                if differs:
                    print(f"ok {label} # TODO differs: {differs[0]}: {e}")
                    continue
                failed += 1
                print(f"not ok {label}\n# {type(e).__name__}: {e}")
    print(f"1..{count}")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
