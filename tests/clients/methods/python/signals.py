# SPDX-License-Identifier: Apache-2.0
"""Logging in, command lines, and what a server tells all its clients."""

import argparse
import base64
import logging
import os
import subprocess
import threading
import time
import warnings

import requests
from kinto_http import BearerTokenAuth, TokenAuth, cli_utils
from kinto_http.exceptions import BackoffException

from context import BASE, Skip, url_of


def who(t):
    """server_info and ways to log in"""
    info = t.client().server_info()
    assert info["user"]["id"].startswith("basicauth:")
    assert "user" not in t.client(auth=None).server_info()
    token = base64.b64encode(b"alice:secret-alice").decode()
    for auth in ("alice:secret-alice", "Basic " + token,
                 TokenAuth(token, type="Basic"), ("alice", "secret-alice")):
        got = t.client(auth=auth).server_info()
        assert got["user"]["id"] == info["user"]["id"], auth
    assert "user" not in t.client(auth=BearerTokenAuth("x")).server_info()
    with t.fails(401):
        t.client(auth=BearerTokenAuth("x")).get_bucket(id="absent")
    t.client(headers={"X-Test": "1"}, timeout=20).server_info()


def accounts(t):
    """an account logs in and owns what it makes"""
    t.needs("accounts")
    name = t.unique("account")
    requests.put("%s/accounts/%s" % (BASE, name),
                 json={"data": {"password": "sw0rdfish"}}).raise_for_status()
    c = t.client(auth=(name, "sw0rdfish"))
    assert c.server_info()["user"]["id"] == "account:" + name
    made = c.create_bucket(id=t.unique("owned"))
    assert made["permissions"]["write"] == ["account:" + name]


def default_bucket(t):
    """the default bucket is made when it is used"""
    t.needs("default_bucket")
    c = t.client(t.unique("owner"), collection="notes")
    c.create_record(data={"x": 1})
    assert len(c.get_records()) == 1
    assert [x["id"] for x in c.get_collections()] == ["notes"]


def command_line(t):
    """options of a command line make a client"""
    parser = cli_utils.add_parser_options(default_server=BASE,
                                          default_bucket="default")
    args = parser.parse_args(["-a", "alice:secret-alice", "-c", "cli",
                              "--retry", "1", "--ignore-batch-4xx", "-v"])
    assert cli_utils.get_auth("a:b:c") == ("a", "b:c")
    cli_utils.setup_logger(logging.getLogger("clq"), args)
    c = cli_utils.create_client_from_args(args)
    c.create_record(id="r", data={"n": 1}, safe=False)
    assert c.get_record(id="r")["data"]["n"] == 1
    bearer = parser.parse_args(["-a", "Bearer a:b"])
    assert bearer.auth.token == "a:b"
    assert isinstance(args, argparse.Namespace)


command_line.sync_only = True  # they make a Client


def backoff(t):
    """backoff and end of service: nothing more is sent; a warning"""
    c = t.client(server_url=url_of("SOFT"))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        c.server_info()
    alerts = [str(w.message) for w in seen
              if w.category is DeprecationWarning and "soft-eol" in
              str(w.message)]
    assert alerts, seen
    try:
        c.get_buckets()
    except BackoffException as error:
        assert 30 <= error.backoff <= 60
    else:
        raise AssertionError("should have waited")


def ended(t):
    """hard end of service; read only"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with t.fails(410):
            t.client(server_url=url_of("HARD")).server_info()
    c = t.client(server_url=url_of("BARE"))
    assert c.server_info()["settings"]["readonly"] is True
    with t.fails(405):
        c.create_bucket(id=t.unique("bare"))
    with t.fails(404):
        c.get_history(bucket="x")
    with t.fails(404):
        c.get_permissions()


def outage(t):
    """storage away: 503, then retried after Retry-After"""
    command = os.environ.get("CLQ_OUTAGE")
    if not command:
        raise Skip("no CLQ_OUTAGE")
    name = t.unique("outage")
    t.client().create_bucket(id=name)
    subprocess.run([command, "stop"], check=True)
    try:
        began = time.monotonic()
        with t.fails(503):
            t.client().patch_bucket(id=name, data={"n": 1})
        back = threading.Timer(     # after one more answer like this
            time.monotonic() - began + 0.3,
            lambda: subprocess.run([command, "start"], check=True))
        back.start()
        c = t.client(retry=60)
        assert c.patch_bucket(id=name, data={"n": 2})["data"]["n"] == 2
        back.join()
    finally:
        subprocess.run([command, "start"], check=True)


cases = [who, accounts, default_bucket, command_line, backoff, ended, outage]
