# SPDX-License-Identifier: Apache-2.0
"""Lists, batches, history, permissions, replication, attachments, reviews."""

import os
import tempfile

from kinto_http import KintoBatchException, KintoException, replication
from kinto_http.utils import collection_diff, compute_sha256, sort_records


def many(t, name, n=33):
    c = t.client(bucket=t.unique(name), collection="c")
    c.create_bucket()
    c.create_collection()
    with c.batch() as batch:
        for i in range(n):
            batch.create_record(id="r%02d" % i, data={
                "n": i, "odd": i % 2 == 1, "text": "caf\u00e9 %d" % (i % 4)})
    assert len(batch.results()) == n
    return c


def lists(t):
    """get_records: filters, sort, pages, unchanged; their timestamp"""
    c = many(t, "lists")
    got = c.get_records()
    assert [r["n"] for r in got] == list(range(32, -1, -1))
    stamp = c.get_records_timestamp()
    assert str(stamp) == str(got[0]["last_modified"])
    other = t.client(bucket=t.unique("lists"), collection="c")
    assert other.get_records_timestamp() == stamp
    assert c.get_records(if_none_match=stamp) == []
    assert len(c.get_records(_limit=5)) == 5
    assert len(c.get_records(_limit=5, pages=3)) == 15
    assert len(c.get_records(odd=True)) == 16
    assert len(c.get_records(text="caf\u00e9 1", min_n=9)) == 6
    assert len(c.get_records(in_n=["1", "2", "99"])) == 2
    assert len(c.get_records(exclude_id=["r01", "r02"])) == 31
    assert len(c.get_records(like_text="\u00e9 1")) == 8
    for sort in ("text,n", "-text,id"):
        by_server = c.get_records(_sort=sort)
        assert [r["id"] for r in by_server] == \
            [r["id"] for r in sort_records(got, sort)], sort
    c.delete_record(id="r00")
    since = c.get_records(_since=stamp)
    assert [r["id"] for r in since] == ["r00"] and since[0]["deleted"]
    pages = list(c.get_paginated_records(_sort="n"))
    assert [len(p["data"]) for p in pages] == [10, 10, 10, 2]
    with t.fails(403):
        t.client("bob", bucket=t.unique("lists")).get_records(collection="c")


def deletion(t):
    """delete_records: a page at a time, with a condition"""
    c = many(t, "deletion", 12)
    got = c.get_records()
    with t.fails(412):
        c.delete_records(if_match=got[1]["last_modified"])
    deleted = c.delete_records(if_match=got[0]["last_modified"])
    assert len(deleted) == 10
    assert len(c.delete_records()) == 2
    assert c.get_records() == []


def batches(t):
    """batch: results, chunks, errors collected or ignored"""
    c = t.client(bucket=t.unique("bulk"), collection="c")
    with c.batch() as batch:
        batch.create_bucket()
        batch.create_collection()
        for i in range(60):
            batch.create_record(id="r%d" % i, data={"i": i})
        batch.patch_record(id="r1", data={"j": 1})
        batch.update_record(id="r2", data={"k": 1})
        batch.delete_record(id="r3")
    results = batch.results()
    assert len(results) == 65
    assert results[-3]["data"]["j"] == 1
    assert results[-1]["data"]["deleted"] is True
    try:
        with c.batch() as batch:
            batch.create_record(id="r0", data={})
            batch.create_record(id="new", data={})
            batch.delete_record(id="absent")
    except KintoBatchException as error:
        assert [e.response.status_code for e in error.exceptions] == [412, 404]
        assert "PUT" in str(error.exceptions[0])
    else:
        raise AssertionError("should have failed")
    assert c.get_record(id="new")
    quiet = t.client(bucket=t.unique("bulk"), collection="c",
                     ignore_batch_4xx=True)
    with quiet.batch() as batch:
        batch.create_record(id="r0", data={})
        batch.create_record(id="newer", data={})
    assert batch.results()[0]["errno"] == 114
    with c.batch(bucket=t.unique("bulk"), collection="d") as batch:
        batch.create_collection()
    assert c.get_collection(id="d")


def history(t):
    """get_history, purge_history"""
    t.needs("history")
    c = many(t, "history", 12)
    got = c.get_history()
    assert len(got) == 14
    assert got[0]["record_id"] == "r11" and got[-1]["resource_name"] == "bucket"
    some = c.get_history(record_id="r03", _sort="last_modified")
    assert [e["action"] for e in some] == ["create"]
    assert len(c.get_history(bucket=t.unique("history"), _limit=3)) == 3
    gone = c.purge_history(resource_name="collection")
    assert len(gone) == 1 and gone[0]["deleted"]
    with t.fails(412):
        c.purge_history(if_match=1)
    c.purge_history(bucket=t.unique("history"), safe=False)


def permissions(t):
    """get_permissions"""
    t.needs("permissions_endpoint")
    many(t, "permissions", 1)
    got = t.client().get_permissions(params={
        "bucket_id": t.unique("permissions")})
    assert sorted(e["resource_name"] for e in got) == \
        ["bucket", "collection", "record"]
    some = t.client().get_permissions(
        exclude_resource_names=["record", "collection"],
        params={"bucket_id": t.unique("permissions")})
    assert [e["resource_name"] for e in some] == ["bucket"]
    assert "write" in some[0]["permissions"]


def copies(t):
    """replicate: a collection into another bucket"""
    origin = many(t, "origin", 30)
    destination = t.client("bob", bucket=t.unique("copy"), collection="c")
    origin.patch_bucket(data={}, permissions={"read": [t.user_id("bob")]})
    replication.replicate(origin, destination)
    diff = collection_diff(origin.get_records(), destination.get_records())
    assert diff == ([], [], [])


copies.sync_only = True  # the package replicates with a Client


def attachments(t):
    """attachments: add, download, remove"""
    t.needs("attachments")
    c = t.client(bucket=t.unique("files"), collection="c")
    c.create_bucket()
    c.create_collection()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file.txt")
        with open(path, "w") as f:
            f.write("hello\r\n--x\r\n")
        c.add_attachment(id="a", filepath=path, data={"k": "caf\u00e9"},
                         permissions={"read": ["system.Everyone"]})
        made = c.get_record(id="a")
        record = made["data"]
        assert record["k"] == "caf\u00e9"
        assert made["permissions"]["read"] == ["system.Everyone"]
        assert record["attachment"]["filename"] == "file.txt"
        assert record["attachment"]["hash"] == compute_sha256(path)
        c.add_attachment(id="b", filepath=path, filename="other.txt",
                         mimetype="text/custom")
        assert c.get_record(id="b")["data"]["attachment"]["mimetype"] == \
            "text/custom"
        base = c.server_info()["capabilities"]["attachments"]["base_url"]
        if base and base.startswith("http"):
            copy = os.path.join(folder, "copy.txt")
            c.download_attachment(record, filepath=copy, save_metadata=True)
            assert compute_sha256(copy) == record["attachment"]["hash"]
            c.download_attachment(record, filepath=copy)
    c.remove_attachment(id="a")
    assert c.get_record(id="a")["data"]["attachment"] is None


def reviews(t):
    """reviews are attributes where no signer watches; no changeset"""
    c = t.client(bucket=t.unique("review"))
    c.create_bucket()
    c.create_collection(id="c", data={"x": 1})

    def status():
        return c.get_collection(id="c")["data"]["status"]

    c.request_review("please", id="c", data={"y": 2})
    assert status() == "to-review"
    c.decline_changes("no", id="c")
    assert status() == "work-in-progress"
    c.approve_changes(id="c")
    assert status() == "to-sign"
    c.rollback_changes("back", id="c", bucket=t.unique("review"))
    data = c.get_collection(id="c")["data"]
    assert (data["status"], data["x"], data["y"]) == ("to-rollback", 1, 2)
    capabilities = c.server_info()["capabilities"]
    assert "signer" not in capabilities and "changes" not in capabilities
    with t.fails(404):
        c.get_changeset(collection="c", bust_cache=True)


def clones(t):
    """clone, get_endpoint, repr, dry mode, the session below"""
    c = many(t, "clones", 1)
    assert len(c.clone(collection="c").get_records()) == 1
    bob = c.clone(auth=("bob", "secret-bob"))
    with t.fails(403):
        bob.get_records()
    assert c.get_endpoint("record", id="x").endswith("/c/records/x")
    assert c.endpoints.get("root") == "/"
    assert t.unique("clones") in repr(c)
    body, headers = c.session.request("get", "/")
    assert body["settings"]["batch_max_requests"] == 25
    assert headers["Content-Type"].startswith("application/json")
    dry = c.clone(server_url="http://nowhere.invalid/v1", dry_mode=True)
    with dry.batch() as batch:
        batch.create_bucket()
    assert batch.results() == [{}]
    try:
        t.client(server_url="http://127.0.0.1:1/v1", retry=1).server_info()
    except KintoException:
        raise AssertionError("nobody is there")
    except OSError:
        pass
    from kinto_http.batch import BatchSession
    if not t.is_async:
        session = BatchSession(c, batch_max_requests=2)
        for i in range(3):
            session.request("PUT", c.get_endpoint("record", id="s%d" % i),
                            data={"i": i})
        assert len(session.send()) == 2
        assert [r["data"]["i"] for r in session.results()] == [0, 1, 2]
        session.reset()
        assert session.requests == []


cases = [lists, deletion, batches, history, permissions, copies, attachments,
         reviews, clones]
