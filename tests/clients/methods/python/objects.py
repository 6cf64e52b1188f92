# SPDX-License-Identifier: Apache-2.0
"""Buckets, groups, collections and records of the Python client."""

from kinto_http import BucketNotFound, CollectionNotFound
from kinto_http.patch_type import BasicPatch, JSONPatch, MergePatch


def buckets(t):
    """buckets: create, get, update, patch, delete"""
    c, name = t.client(), t.unique("b")
    made = c.create_bucket(id=name, data={"n": 1},
                           permissions={"read": ["system.Everyone"]})
    assert made["data"]["n"] == 1
    assert made["permissions"]["read"] == ["system.Everyone"]
    with t.fails(412):
        c.create_bucket(id=name)
    again = c.create_bucket(id=name, if_not_exists=True)
    assert again["data"] == made["data"]
    c.create_bucket(data={"id": name, "n": 2}, safe=False)
    got = c.get_bucket(id=name, _fields="n")["data"]
    assert got["n"] == 2
    with t.fails(412):
        c.update_bucket(id=name, data={"n": 3}, if_match=5)
    set_ = c.update_bucket(data={**got, "id": name, "m": 1})
    assert set_["data"]["m"] == 1
    with t.fails(412):
        c.update_bucket(data={**got, "id": name})
    patched = c.patch_bucket(id=name, data={"m": 2})
    assert (patched["data"]["n"], patched["data"]["m"]) == (2, 2)
    with t.fails(412):
        c.patch_bucket(original=got, id=name,
                       changes=BasicPatch(data={"m": 3}))
    c.patch_bucket(id=name, changes=BasicPatch(permissions={"read": []}))
    with t.fails(403, BucketNotFound):
        t.client("bob").get_bucket(id=name)
    with t.fails(412):
        c.delete_bucket(id=name, if_match=got["last_modified"])
    assert c.delete_bucket(id=name, safe=False)["deleted"] is True
    assert c.delete_bucket(id=name, if_exists=True) is None
    with t.fails(403):
        c.delete_bucket(id=name)


def bucket_lists(t):
    """buckets: lists, filters, pages, unchanged, deletion of many"""
    c, name = t.client("lister"), t.unique("l")
    for i in range(12):
        c.create_bucket(id="%s-%d" % (name, i), data={"n": i, "of": name})
    got = c.get_buckets(of=name, _sort="-n")
    assert [b["n"] for b in got] == list(range(11, -1, -1)), got
    assert len(c.get_buckets(of=name, _limit=5)) == 5
    assert len(c.get_buckets(of=name, _limit=5, pages=2)) == 10
    some = c.get_buckets(in_id=["%s-1" % name, "%s-2" % name])
    assert len(some) == 2
    since = c.get_buckets(of=name, _sort="n", _since=got[1]["last_modified"])
    assert [b["n"] for b in since] == [11]
    c.create_bucket(id=name)
    deleted = c.delete_buckets()
    assert len(deleted) == 10, "a page"
    c.delete_buckets()
    assert c.get_buckets(of=name) == []


def groups(t):
    """groups: create, get, update, patch, list, delete"""
    name = t.unique("g")
    c = t.client(bucket=name)
    with t.fails(403):
        c.create_group(id="g1", data={"members": []})
    c.create_bucket()
    bob = t.user_id("bob")
    made = c.create_group(id="g1", data={"members": [bob]},
                          permissions={"read": [bob]})
    assert made["data"]["members"] == [bob]
    with t.fails(412):
        c.create_group(id="g1", data={"members": []})
    again = c.create_group(id="g1", bucket=name, data={"members": []},
                           if_not_exists=True)
    assert again["data"]["members"] == [bob]
    got = t.client("bob").get_group(id="g1", bucket=name)
    assert got["data"] == made["data"]
    c.update_group(id="g1", data={"members": ["x"], "k": 1})
    with t.fails(412):
        c.update_group(data=made["data"])
    c.patch_group(id="g1", data={"k": 2})
    c.patch_group(id="g1", changes=JSONPatch(
        [{"op": "add", "path": "/data/members/-", "value": "y"}]))
    with t.fails(412):
        c.patch_group(original=made["data"], changes=BasicPatch({"k": 3}))
    assert c.get_group(id="g1")["data"]["members"] == ["x", "y"]
    c.create_group(id="g2", data={"members": []})
    assert [g["id"] for g in c.get_groups()] == ["g2", "g1"]
    assert [g["id"] for g in c.get_groups(k=2)] == ["g1"]
    with t.fails(412):
        c.delete_group(id="g1", if_match=made["data"]["last_modified"])
    assert c.delete_group(id="g1")["deleted"]
    assert c.delete_group(id="g1", if_exists=True) is None
    assert [g["id"] for g in c.delete_groups()] == ["g2"]


def collections(t):
    """collections: create, get, update, patch, list, delete"""
    name = t.unique("c")
    c = t.client(bucket=name)
    with t.fails(403):
        c.create_collection(id="c1")
    c.create_bucket()
    made = c.create_collection(id="c1", data={"n": 1},
                               permissions={"read": ["system.Everyone"]})
    assert made["data"]["n"] == 1
    with t.fails(412):
        c.create_collection(id="c1")
    again = c.create_collection(id="c1", bucket=name, if_not_exists=True)
    assert again == made
    got = c.get_collection(id="c1", _fields="n")["data"]
    assert got == made["data"]
    with t.fails(404, CollectionNotFound):
        c.get_collection(id="absent")
    c.update_collection(id="c1", data={"n": 2, "deep": {"a": 1, "b": 2}})
    with t.fails(412):
        c.update_collection(data=got)
    c.patch_collection(id="c1", data={"m": 3})
    c.patch_collection(id="c1", changes=MergePatch({"deep": {"a": None}}))
    data = c.get_collection(id="c1")["data"]
    assert (data["n"], data["m"], data["deep"]) == (2, 3, {"b": 2})
    with t.fails(412):
        c.patch_collection(original=got, changes=BasicPatch({"n": 9}))
    c.create_collection(data={"id": "c2"})
    assert [x["id"] for x in c.get_collections()] == ["c2", "c1"]
    assert [x["id"] for x in c.get_collections(n=2)] == ["c1"]
    with t.fails(412):
        c.delete_collection(id="c1", if_match=got["last_modified"])
    assert c.delete_collection(id="c1")["deleted"]
    assert c.delete_collection(id="c1", if_exists=True) is None
    assert [x["id"] for x in c.delete_collections()] == ["c2"]


def records(t):
    """records: create, get, update, patch in three ways, delete"""
    name = t.unique("r")
    c = t.client(bucket=name, collection="tasks")
    with t.fails(404):
        c.create_record(data={})
    c.create_bucket()
    c.create_collection()
    with t.fails(403):
        t.client("bob", bucket=name).create_record(collection="tasks", data={})
    made = c.create_record(data={"a": "\u2603", "n": 1.5},
                           permissions={"read": ["system.Everyone"]})
    rid = made["data"]["id"]
    assert made["data"]["a"] == "\u2603"
    with t.fails(412):
        c.create_record(id=rid, data={})
    again = c.create_record(id=rid, data={"a": 1}, bucket=name,
                            collection="tasks", if_not_exists=True)
    assert again == made
    c.create_record(data={"id": rid, "a": 2}, safe=False)
    assert c.get_record(id=rid, _fields="a")["data"]["a"] == 2
    c.update_record(id=rid, data={"b": {"x": 1, "y": 2}})
    with t.fails(412):
        c.update_record(data=made["data"])
    c.update_record(data=made["data"], safe=False)
    assert c.get_record(id=rid)["data"]["n"] == 1.5
    now = c.patch_record(id=rid, data={"b": {"x": 1, "y": 2}})["data"]
    assert now["a"] == "\u2603"
    now = c.patch_record(id=rid, changes=MergePatch(
        data={"b": {"x": None}}))["data"]
    assert now["b"] == {"y": 2}
    patch = JSONPatch([
        {"op": "test", "path": "/data/b/y", "value": 2},
        {"op": "move", "from": "/data/b", "path": "/data/c"},
        {"op": "add", "path": "/permissions/write/alice", "value": "alice"}])
    after = c.patch_record(original=now, changes=patch)
    assert after["data"]["c"] == {"y": 2} and "b" not in after["data"]
    assert "alice" in after["permissions"]["write"]
    with t.fails(412):
        c.patch_record(original=now, changes=patch)
    with t.fails(400):
        c.patch_record(id=rid, changes=JSONPatch(
            [{"op": "test", "path": "/data/n", "value": 0}]))
    with t.fails(412):
        c.delete_record(id=rid, if_match=now["last_modified"])
    deleted = c.delete_record(id=rid, if_match=after["data"]["last_modified"])
    assert deleted["deleted"] is True
    assert c.delete_record(id=rid, if_exists=True) is None
    with t.fails(404):
        c.get_record(id=rid)


cases = [buckets, bucket_lists, groups, collections, records]
