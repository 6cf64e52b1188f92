# SPDX-License-Identifier: Apache-2.0
"""Every public method of the Python client, sync and async, against
CLQ_BASE_URL. The last case fails if a method has none. Prints TAP."""

import asyncio
import sys

import kinto_http

import lists
import objects
import reflect
import signals
from context import BASE, LOOP, Context

# Programs' entry points, for a terminal and two servers.
PROGRAMS = ("replication.get_arguments", "replication.main")


def concurrent(t):
    """fifty requests at once through one event loop"""
    c = kinto_http.AsyncClient(server_url=BASE, auth=("alice", "secret-alice"),
                               bucket=t.unique("many"), collection="c")

    async def together():
        await c.create_bucket()
        await c.create_collection()
        made = await asyncio.gather(*(
            c.create_record(id="r%d" % i, data={"i": i}) for i in range(50)))
        stamps = {r["data"]["last_modified"] for r in made}
        assert len(stamps) == 50, "timestamps are distinct"
        assert len(await c.get_records()) == 50

    LOOP.run_until_complete(together())


def every_method(t):
    """each method was called"""
    able = t.client().server_info()["capabilities"]
    holes = [name for name in reflect.missing() if name not in PROGRAMS
             and ("attachments" in able or "attachment" not in name)]
    assert not holes, holes
    print("# %d methods and functions" % len(reflect.calls))


def main():
    failed = 0
    for is_async in (False, True):
        t = Context(is_async)
        t.run(signals.cases + objects.cases + lists.cases)
        if is_async:
            t.run([concurrent, every_method])
        failed += t.failed
    return failed > 0


sys.exit(main())
