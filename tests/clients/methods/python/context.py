# SPDX-License-Identifier: Apache-2.0
"""What the cases share: clients, sync or async behind one face, and TAP.

CLQ_BASE_URL and its companions are those of ../context.cjs.
"""

import asyncio
import contextlib
import inspect
import logging
import os
import time
import traceback

import kinto_http
from kinto_http import KintoException, cli_utils, replication
from kinto_http.batch import BatchSession
from kinto_http.endpoints import Endpoints
from kinto_http.session import Session

import reflect

for owner in (kinto_http.Client, kinto_http.AsyncClient, Session,
              BatchSession, Endpoints, cli_utils):
    reflect.watch(owner)
# Its other functions are a program's.
reflect.watch(replication, "replication")

# Every request of a batch is a warning.
logging.getLogger("kinto_http").setLevel(logging.CRITICAL)

BASE = os.environ["CLQ_BASE_URL"]
RUN = "%x%x" % (int(time.time() * 1000), os.getpid())
LOOP = asyncio.new_event_loop()


class Skip(Exception):
    pass


class Awaited:
    """An AsyncClient whose methods are waited for."""

    def __init__(self, client):
        self.real = client

    def __getattr__(self, name):
        value = getattr(self.real, name)
        if not callable(value):
            return value

        def call(*args, **kwargs):
            result = value(*args, **kwargs)
            # Some methods hand on a coroutine of another one.
            while inspect.iscoroutine(result):
                result = LOOP.run_until_complete(result)
            if isinstance(result, kinto_http.AsyncClient):
                return Awaited(result)
            if hasattr(result, "__enter__"):
                return entered(result)
            return result

        return call

    def __repr__(self):
        return repr(self.real)


@contextlib.contextmanager
def entered(manager):
    with manager as client:
        yield Awaited(client)


class Context:
    """One run of all cases, with one of the two clients."""

    def __init__(self, is_async):
        self.is_async = is_async
        self.name = "AsyncClient" if is_async else "Client"
        self.failed = 0

    def client(self, user="alice", **options):
        options.setdefault("server_url", BASE)
        auth = (user, "secret-" + user) if user else ("", "")
        if "auth" not in options:
            options["auth"] = auth
        if self.is_async:
            return Awaited(kinto_http.AsyncClient(**options))
        return kinto_http.Client(**options)

    def unique(self, name):
        return "%s-%s-%s" % (name, self.name.lower(), RUN)

    def user_id(self, user):
        return self.client(user).server_info()["user"]["id"]

    def needs(self, capability):
        if capability not in self.client().server_info()["capabilities"]:
            raise Skip("the server has no " + capability)

    @contextlib.contextmanager
    def fails(self, status, kind=KintoException):
        """The server refuses, with that status."""
        with reflect.refusals():
            try:
                yield
            except kind as error:
                got = error.response.status_code
                assert got == status, "%s, not %s: %s" % (got, status, error)
                return
        raise AssertionError("should have failed with %s" % status)

    def run(self, cases):
        for case in cases:
            if self.is_async and getattr(case, "sync_only", False):
                continue
            title = "python %s: %s" % (self.name, case.__doc__.split("\n")[0])
            try:
                case(self)
            except Skip as reason:
                print("ok - %s # SKIP %s" % (title, reason))
            except Exception:
                self.failed += 1
                print("not ok - %s" % title)
                for line in traceback.format_exc().splitlines()[-12:]:
                    print("# " + line)
            else:
                print("ok - %s" % title)


def url_of(kind):
    try:
        return os.environ["CLQ_%s_URL" % kind]
    except KeyError:
        raise Skip("no CLQ_%s_URL" % kind)
