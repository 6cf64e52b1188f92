// SPDX-License-Identifier: Apache-2.0
//
// Bucket and its collections (section 10-1.3).
"use strict";

const assert = require("node:assert/strict");

const {
  client,
  fails,
  ids,
  refused,
  sorted,
  unique,
  userId,
} = require("./context.cjs");

const name = unique("bucket");
const bucket = (user = "alice", options = undefined) =>
  client(user).bucket(name, options);

module.exports = [
  [
    "getData, setData: replace, patch, safe, fields",
    async () => {
      await client("alice").createBucket(name, { data: { a: 1 } });
      const data = await bucket().getData({ retry: 1, query: { x: "1" } });
      assert.deepEqual(sorted(Object.keys(data)), ["a", "id", "last_modified"]);
      const set = await bucket().setData({ b: 2, c: 3 });
      assert.equal(set.data.a, undefined);
      assert.ok(set.data.last_modified > data.last_modified);
      const patched = await bucket().setData({ b: 5 }, { patch: true, retry: 1 });
      assert.equal(patched.data.c, 3);
      assert.deepEqual(Object.keys(await bucket().getData({ fields: ["b"] })).sort(), [
        "b",
        "id",
        "last_modified",
      ]);
      await fails(
        bucket().setData(
          { b: 6 },
          { safe: true, last_modified: data.last_modified }
        ),
        412,
        114
      );
      await fails(bucket().setData({ b: 6 }, { safe: true }), 412);
      const safe = await bucket().setData(
        { b: 7, last_modified: patched.data.last_modified },
        { safe: true, permissions: { read: ["system.Authenticated"] } }
      );
      assert.equal(safe.data.b, 7);
      assert.ok(safe.data.last_modified > patched.data.last_modified);
      assert.equal((await bucket("bob").getData()).b, 7);
      await refused(bucket().setData("text"));
    },
  ],
  [
    "setData of a bucket that is not there makes it; of the default one too",
    async () => {
      const other = client("alice").bucket(unique("bucket-set"));
      const { data } = await other.setData({ x: 1 });
      assert.equal(data.id, unique("bucket-set"));
      const mine = client(unique("carol")).bucket("default");
      const made = await mine.setData({ y: 1 });
      assert.equal(made.data.id.length, 36);
      assert.equal((await mine.getData()).y, 1);
    },
  ],
  [
    "permissions: get, set, add, remove",
    async () => {
      const alice = await userId("alice");
      const bob = await userId("bob");
      const before = await bucket().getData();
      await bucket().setPermissions({ read: [bob], write: [] }, { retry: 1 });
      const got = await bucket().getPermissions({ retry: 1 });
      assert.deepEqual(got, { read: [bob], write: [alice] });
      assert.equal((await bucket().getData()).b, before.b, "data is kept");
      const added = await bucket().addPermissions({
        write: [bob],
        "group:create": ["system.Everyone", "/buckets/x/groups/y"],
      });
      assert.deepEqual(sorted(added.permissions.write), sorted([alice, bob]));
      assert.deepEqual(sorted(added.permissions["group:create"]), [
        "/buckets/x/groups/y",
        "system.Everyone",
      ]);
      const removed = await bucket().removePermissions({
        write: [bob],
        "group:create": ["system.Everyone", "/buckets/x/groups/y"],
      });
      assert.deepEqual(removed.permissions.write, [alice]);
      assert.ok(!("group:create" in removed.permissions));
      const { last_modified } = await bucket().getData();
      for (const how of ["setPermissions", "addPermissions", "removePermissions"]) {
        await fails(
          bucket()[how](
            { read: [bob] },
            { safe: true, last_modified: last_modified - 1 }
          ),
          412
        );
        await bucket()[how](
          { read: [bob] },
          {
            safe: true,
            last_modified: (await bucket().getData()).last_modified,
          }
        );
        await refused(bucket()[how]("text"));
      }
      await fails(bucket("bob").getPermissions(), 403);
    },
  ],
  [
    "createCollection: data, permissions, safe",
    async () => {
      const made = await bucket().createCollection("c1", {
        data: { n: 1 },
        permissions: { read: ["system.Everyone"] },
        safe: true,
        retry: 1,
        headers: { "X-Test": "1" },
      });
      assert.equal(made.data.id, "c1");
      assert.equal(made.data.n, 1);
      assert.deepEqual(made.permissions.read, ["system.Everyone"]);
      await fails(bucket().createCollection("c1", { safe: true }), 412, 114);
      await bucket().createCollection("c2", { data: { n: 2 } });
      await bucket().createCollection("c3", { data: { n: 3 } });
      const unnamed = await bucket().createCollection(undefined, {
        data: { n: 4 },
      });
      assert.match(unnamed.data.id, /^[\w-]+$/);
      await bucket().deleteCollection(unnamed.data.id);
      await fails(bucket("bob").createCollection("c4"), 403, 121);
    },
  ],
  [
    "listCollections and their timestamp",
    async () => {
      const list = await bucket().listCollections({ retry: 1 });
      assert.deepEqual(ids(list.data), ["c3", "c2", "c1"]);
      const stamp = await bucket().getCollectionsTimestamp({ retry: 1 });
      assert.equal(stamp, `"${list.last_modified}"`);
      const some = await bucket().listCollections({
        filters: { max_n: 2 },
        sort: "n",
        fields: ["n"],
        limit: 1,
      });
      assert.deepEqual(ids(some.data), ["c1"]);
      assert.deepEqual(ids((await some.next()).data), ["c2"]);
      const since = await bucket().listCollections({
        since: `${list.data[1].last_modified}`,
      });
      assert.deepEqual(
        ids(since.data.filter(({ deleted }) => !deleted)),
        ["c3"]
      );
      const all = await bucket().listCollections({ limit: 1, pages: Infinity });
      assert.equal(all.data.length, 3);
    },
  ],
  [
    "deleteCollection, deleteCollections",
    async () => {
      const c = bucket().collection("c1");
      const { last_modified } = await c.getData();
      await fails(
        bucket().deleteCollection("c1", {
          safe: true,
          last_modified: last_modified - 1,
        }),
        412
      );
      const gone = await bucket().deleteCollection(
        { id: "c1", last_modified },
        { safe: true, retry: 1 }
      );
      assert.equal(gone.data.deleted, true);
      await fails(bucket().deleteCollection("c1"), 404, 110);
      await refused(bucket().deleteCollection({}));
      await refused(bucket().deleteCollection("c2", { safe: true }));
      const some = await bucket().deleteCollections({ filters: { n: 2 } });
      assert.deepEqual(ids(some.data), ["c2"]);
      const rest = await bucket().deleteCollections({ retry: 1 });
      assert.deepEqual(ids(rest.data), ["c3"]);
      const since = await bucket().listCollections({ since: `${last_modified}` });
      assert.ok(since.data.every(({ deleted }) => deleted));
    },
  ],
  [
    "batch, execute, headers, collection() and their options",
    async () => {
      const alice = bucket("alice", { headers: { "X-Test": "1" }, retry: 1 });
      assert.equal(alice.headers["X-Test"], "1");
      const result = await alice.batch(
        (batch) => {
          batch.createCollection("b1");
          batch.createCollection("b2");
          batch.createGroup("g", ["x"]);
          batch.setData({ z: 1 });
          batch.addPermissions({ read: ["system.Everyone"] });
          batch.deleteCollection("absent");
        },
        { aggregate: true, headers: { "X-Other": "1" }, retry: 1 }
      );
      assert.equal(result.published.length, 5, JSON.stringify(result));
      assert.equal(result.skipped[0].id, "absent");
      const plain = await alice.batch((batch) => batch.createCollection("b1"), {
        safe: true,
      });
      assert.equal(plain[0].status, 412);
      const answer = await alice.execute({
        path: `/buckets/${name}/collections/b1`,
        headers: alice.headers,
      });
      assert.equal(answer.data.id, "b1");
      const safe = alice.collection("b1", { safe: true, retry: 1 });
      await safe.createRecord({ id: "r" });
      await fails(safe.createRecord({ id: "r" }), 412);
    },
  ],
];
