# SPDX-License-Identifier: Apache-2.0
"""Time what a list answers as it grows: lists.py NAME URL PIDFILE SIZE...

One connection, one request at a time, so that the figure is the time of a
request and not the throughput of a machine. The list is filled through the
protocol, in batches. Prints rows of a Markdown table.
"""
import http.client
import json
import os
import statistics
import sys
import time
import urllib.parse

RUNS = 101
AUTH = {"Authorization": "Basic YmVuY2g6bWFyaw==",
        "Content-Type": "application/json"}


class Client:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.prefix = parts.path
        self.conn = http.client.HTTPConnection(parts.netloc, timeout=120)

    def send(self, method, path, body=None):
        self.conn.request(method, path, json.dumps(body) if body else None,
                          AUTH)
        answer = self.conn.getresponse()
        data = answer.read()
        if answer.status >= 400:
            sys.exit(f"{method} {path}: {answer.status} {data[:300]}")
        return answer.headers, data

    def time(self, method, path):
        """Milliseconds: median, and the answer's headers."""
        took, budget = [], time.monotonic() + 20
        for _ in range(RUNS):
            began = time.perf_counter()
            headers, _ = self.send(method, path)
            took.append((time.perf_counter() - began) * 1000)
            if time.monotonic() > budget:
                break
        return statistics.median(took), headers


def fill(client, records, have, want):
    while have < want:
        n = min(500, want - have)
        requests = [{"path": f"{records}/r{i}", "body": {"data": {
            "n": i, "group": f"g{i % 1000}", "title": f"record number {i}",
            "done": i % 2 == 0}}} for i in range(have, have + n)]
        client.send("POST", client.prefix + "/batch",
                    {"defaults": {"method": "PUT"}, "requests": requests})
        have += n
    return have


def memory(pidfile):
    """Private memory of the largest worker, MiB."""
    master = open(pidfile).read().strip()
    largest = 0
    for pid in open(f"/proc/{master}/task/{master}/children").read().split():
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                kib = sum(int(line.split()[1]) for line in f
                          if line.startswith("Private"))
        except OSError:
            continue
        largest = max(largest, kib)
    return largest / 1024


def main(name, url, pidfile, sizes):
    client = Client(url)
    collection = "/buckets/bench/collections/list"
    for path in ("/buckets/bench", collection):
        client.send("PUT", client.prefix + path)
    records = collection + "/records"
    base = client.prefix + records
    print(f"\n**{name}**, milliseconds\n")
    print("| records | first 100 | page in the middle | poll, no change | "
          "one record | filter, newest 100 of 1/1000 | sorted by a field | "
          "count | worker, MiB |")
    print("|---|---|---|---|---|---|---|---|---|")
    have = 0
    for size in sizes:
        have = fill(client, records, have, size)
        first, headers = client.time("GET", base + "?_limit=100")
        etag = headers["ETag"].strip('"')
        # the middle of the list, by the timestamp of the record there
        _, data = client.send("GET", f"{base}/r{size // 2}")
        middle = json.loads(data)["data"]["last_modified"]
        page, _ = client.time(
            "GET", f"{base}?_limit=100&_before={middle}")
        poll, _ = client.time("GET", f"{base}?_since={etag}")
        one, _ = client.time("GET", f"{base}/r{size // 3}")
        group, _ = client.time("GET", base + "?group=g7&_limit=100")
        by_n, _ = client.time("GET", base + "?_sort=n&_limit=100")
        count, _ = client.time("HEAD", base)
        print(f"| {size:,} | {first:.2f} | {page:.2f} | {poll:.2f} | "
              f"{one:.2f} | {group:.2f} | {by_n:.2f} | {count:.2f} | "
              f"{memory(pidfile):.1f} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4], [int(s) for s in sys.argv[4:]] or
         [1000, 10000, 100000, 1000000])
