# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest: the functional tests that come with the client are sent
to CLQ_UPSTREAM_URL, and their results are TAP."""

import os

import kinto_http.constants

kinto_http.constants.SERVER_URL = os.environ["CLQ_UPSTREAM_URL"]


def pytest_runtest_logreport(report):
    name = "upstream: " + report.nodeid.split("/")[-1]
    if report.skipped:
        print("\nok - %s # SKIP" % name)
    elif report.failed:
        print("\nnot ok - %s (%s)" % (name, report.when))
        for line in str(report.longrepr).splitlines()[-15:]:
            print("# " + line)
    elif report.when == "call":
        print("\nok - %s" % name)
