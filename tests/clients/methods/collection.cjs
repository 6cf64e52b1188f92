// SPDX-License-Identifier: Apache-2.0
//
// Collection and its records (section 10-1.3, 10-1.4).
"use strict";

const assert = require("node:assert/strict");

const {
  client,
  fails,
  ids,
  packageName,
  refused,
  sorted,
  unique,
  userId,
} = require("./context.cjs");

const name = unique("collection");
const tasks = (user = "alice", options = undefined) =>
  client(user).bucket(name).collection("tasks", options);

module.exports = [
  [
    "getData, setData: replace, patch, safe, fields",
    async () => {
      await client("alice").createBucket(name);
      const made = await tasks().setData({ a: 1, b: { c: [1, 2.5, "\u2603"] } });
      assert.equal(made.data.id, "tasks");
      const data = await tasks().getData({ retry: 1, query: { x: "1" } });
      assert.deepEqual(data, made.data);
      const patched = await tasks().setData({ a: 2 }, { patch: true });
      assert.deepEqual(patched.data.b, { c: [1, 2.5, "\u2603"] });
      const some = await tasks().getData({ fields: ["b.c"] });
      assert.ok(!("a" in some));
      assert.deepEqual(some.b, { c: [1, 2.5, "\u2603"] });
      await fails(
        tasks().setData({ ...data, a: 3 }, { safe: true, retry: 1 }),
        412,
        114
      );
      await fails(tasks().setData({ a: 3 }, { safe: true }), 412);
      const safe = await tasks().setData(
        { a: 4, last_modified: patched.data.last_modified },
        { safe: true, permissions: { read: ["system.Authenticated"] } }
      );
      assert.equal(safe.data.a, 4);
      assert.equal((await tasks("bob").getData()).a, 4);
      await refused(tasks().setData(null));
    },
  ],
  [
    "permissions: get, set, add, remove",
    async () => {
      const alice = await userId("alice");
      const bob = await userId("bob");
      const { a } = await tasks().getData();
      await tasks().setPermissions({ read: [bob] }, { retry: 1 });
      assert.deepEqual(await tasks().getPermissions({ retry: 1 }), {
        read: [bob],
        write: [alice],
      });
      assert.equal((await tasks().getData()).a, a, "data is kept");
      const added = await tasks().addPermissions({
        "record:create": [bob],
        read: [bob, "system.Authenticated"],
      });
      assert.deepEqual(
        sorted(added.permissions.read),
        sorted([bob, "system.Authenticated"])
      );
      await tasks("bob").createRecord({ id: "bobs" });
      const removed = await tasks().removePermissions({
        "record:create": [bob],
        read: ["system.Authenticated"],
      });
      assert.ok(!("record:create" in removed.permissions));
      assert.deepEqual(removed.permissions.read, [bob]);
      await fails(tasks("bob").createRecord({ id: "more" }), 403, 121);
      const { last_modified } = await tasks().getData();
      for (const how of ["setPermissions", "addPermissions", "removePermissions"]) {
        await fails(
          tasks()[how](
            { read: [bob] },
            { safe: true, last_modified: last_modified - 1 }
          ),
          412
        );
        await tasks()[how](
          { read: [bob] },
          { safe: true, last_modified: (await tasks().getData()).last_modified }
        );
        await refused(tasks()[how](undefined));
      }
      await tasks().setPermissions({});
      assert.deepEqual(await tasks().getPermissions(), { write: [alice] });
    },
  ],
  [
    "createRecord: with and without an id, permissions, safe",
    async () => {
      const bob = await userId("bob");
      const posted = await tasks().createRecord(
        { title: "posted" },
        { retry: 1, headers: { "X-Test": "1" } }
      );
      assert.match(posted.data.id, /^[0-9a-f-]{36}$/);
      const put = await tasks().createRecord(
        { id: "put", title: "put", deep: { list: [null, true, 1e3] } },
        { safe: true, permissions: { read: [bob] } }
      );
      assert.deepEqual(put.data.deep, { list: [null, true, 1000] });
      assert.deepEqual(put.permissions.read, [bob]);
      assert.ok(put.data.last_modified > posted.data.last_modified);
      const error = await fails(
        tasks().createRecord({ id: "put" }, { safe: true }),
        412,
        114
      );
      assert.equal(error.data.details.existing.title, "put");
      const again = await tasks().createRecord({ id: "put", title: "again" });
      assert.equal(again.data.title, "again");
      await fails(tasks().createRecord({ id: "not an id" }), 400, 107);
      const at = await tasks().createRecord({ id: "at", last_modified: 12345 });
      assert.equal(at.data.last_modified, 12345);
    },
  ],
  [
    "getRecord: fields, query, who may",
    async () => {
      const { data, permissions } = await tasks().getRecord("put", { retry: 1 });
      assert.equal(data.title, "again");
      assert.deepEqual(permissions.write, [await userId("alice")]);
      const some = await tasks().getRecord("put", { fields: ["id"] });
      assert.deepEqual(sorted(Object.keys(some.data)), ["id", "last_modified"]);
      const query = { _fields: "title" };
      const one = await tasks().getRecord("put", { query });
      assert.equal(one.data.title, "again");
      await tasks("bob").getRecord("put");
      await fails(tasks("bob").getRecord("at"), 403, 121);
      await fails(tasks().getRecord("absent"), 404, 110);
      await fails(tasks(null).getRecord("put"), 401, 104);
    },
  ],
  [
    "updateRecord: replace, patch, safe, permissions only",
    async () => {
      const { data } = await tasks().getRecord("put");
      const set = await tasks().updateRecord({ id: "put", n: 1, o: { p: 1 } });
      assert.equal(set.data.title, undefined);
      const patched = await tasks().updateRecord(
        { id: "put", n: 2 },
        { patch: true, retry: 1 }
      );
      assert.deepEqual(patched.data.o, { p: 1 });
      const error = await fails(
        tasks().updateRecord({ ...data, n: 3 }, { safe: true }),
        412,
        114
      );
      assert.deepEqual(error.data.details.existing, patched.data);
      await fails(
        tasks().updateRecord(
          { id: "put", n: 3 },
          { safe: true, patch: true, last_modified: data.last_modified }
        ),
        412
      );
      const safe = await tasks().updateRecord(
        { id: "put", n: 3 },
        { safe: true, last_modified: patched.data.last_modified, patch: true }
      );
      assert.equal(safe.data.n, 3);
      const given = await tasks().updateRecord(
        { id: "put" },
        { permissions: { write: ["system.Authenticated"] } }
      );
      assert.equal(given.data.n, 3, "data is kept");
      await tasks("bob").updateRecord({ id: "put", n: 4 });
      const made = await tasks().updateRecord({ id: "made", n: 1 });
      assert.equal(made.data.id, "made");
      await fails(tasks().updateRecord({ id: "gone" }, { patch: true }), 404);
      await refused(tasks().updateRecord({ n: 1 }));
      await refused(tasks().updateRecord("text"));
    },
  ],
  [
    "PATCH in its three flavours",
    async () => {
      const flavour = (type, body) =>
        tasks().execute({
          method: "PATCH",
          path: `/buckets/${name}/collections/tasks/records/patched`,
          headers: {
            ...client("alice")._getHeaders({}),
            "Content-Type": type,
          },
          body,
        });
      await tasks().createRecord({ id: "patched", a: { b: 1, c: 2 }, l: [1] });
      const plain = await flavour("application/json", {
        data: { a: { d: 3 } },
      });
      assert.deepEqual(plain.data.a, { d: 3 });
      const merged = await flavour("application/merge-patch+json", {
        data: { a: { d: null, e: 4 } },
      });
      assert.deepEqual(merged.data.a, { e: 4 });
      const bob = await userId("bob");
      const listed = await flavour("application/json-patch+json", [
        { op: "test", path: "/data/a/e", value: 4 },
        { op: "add", path: "/data/l/0", value: 0 },
        { op: "move", from: "/data/a", path: "/data/m" },
        { op: "replace", path: "/data/m/e", value: 5 },
        { op: "copy", from: "/data/m/e", path: "/data/n" },
        { op: "add", path: `/permissions/read/${bob}` },
      ]);
      assert.deepEqual(listed.data.l, [0, 1]);
      assert.deepEqual(listed.data.m, { e: 5 });
      assert.equal(listed.data.n, 5);
      assert.ok(!("a" in listed.data));
      assert.deepEqual(listed.permissions.read, [bob]);
      await fails(
        flavour("application/json-patch+json", [
          { op: "test", path: "/data/n", value: 6 },
        ]),
        400,
        107
      );
    },
  ],
  [
    "deleteRecord: by id, by object, safely",
    async () => {
      const { data } = await tasks().getRecord("made");
      await fails(
        tasks().deleteRecord("made", {
          safe: true,
          last_modified: data.last_modified - 1,
        }),
        412,
        114
      );
      await refused(tasks().deleteRecord("made", { safe: true }));
      await refused(tasks().deleteRecord({}));
      const gone = await tasks().deleteRecord(data, { safe: true, retry: 1 });
      assert.deepEqual(sorted(Object.keys(gone.data)), [
        "deleted",
        "id",
        "last_modified",
      ]);
      assert.ok(gone.data.last_modified > data.last_modified);
      await fails(tasks().deleteRecord("made"), 404, 110);
      const back = await tasks().createRecord({ id: "made" }, { safe: true });
      assert.ok(back.data.last_modified > gone.data.last_modified);
    },
  ],
  [
    "getTotalRecords, getRecordsTimestamp",
    async () => {
      const { data, last_modified } = await tasks().listRecords();
      assert.equal(await tasks().getTotalRecords({ retry: 1 }), data.length);
      assert.equal(
        await tasks().getRecordsTimestamp({ retry: 1 }),
        `"${last_modified}"`
      );
      await tasks().deleteRecord("bobs");
      assert.equal(await tasks().getTotalRecords(), data.length - 1);
      assert.notEqual(await tasks().getRecordsTimestamp(), `"${last_modified}"`);
      assert.equal((await tasks().listRecords()).totalRecords, -1);
    },
  ],
  [
    "batch: every kind of change, in order",
    async () => {
      const other = client("alice").bucket(name).collection("batch");
      const results = await other.batch((batch) => {
        batch.setData({ n: 1 });
        batch.createRecord({ id: "a", n: 1 });
        batch.updateRecord({ id: "a", n: 2 });
        batch.updateRecord({ id: "a", m: 3 }, { patch: true });
        batch.getRecord("a");
        batch.deleteRecord("a");
        batch.createRecord({ id: "a", n: 4 });
        batch.addPermissions({ read: ["system.Everyone"] });
        batch.removePermissions({ read: ["system.Everyone"] });
        batch.setPermissions({ read: ["x"] });
        batch.createRecord({ n: 5 });
      });
      assert.deepEqual(
        results.map(({ status }) => status),
        [201, 201, 200, 200, 200, 200, 201, 200, 200, 200, 201]
      );
      assert.deepEqual(
        [results[4].body.data.n, results[4].body.data.m],
        [2, 3]
      );
      assert.deepEqual(results[9].body.permissions.read, ["x"]);
      const { published, conflicts } = await other.batch(
        (batch) => {
          batch.createRecord({ id: "a" });
          batch.createRecord({ id: "b" });
        },
        { safe: true, aggregate: true, retry: 1, headers: { "X-Test": "1" } }
      );
      assert.deepEqual(ids(published.map(({ data }) => data)), ["b"]);
      assert.equal(conflicts[0].remote.n, 4);
      assert.equal(conflicts[0].local.data.id, "a");
    },
  ],
  [
    "what cannot be in a batch says so",
    async () => {
      for (const what of ["batch", "fetchUser", "fetchServerSettings"]) {
        const error = await refused(
          client("alice").batch((batch) => batch[what](() => {}))
        );
        assert.match(error.message, /batch/, packageName);
      }
    },
  ],
  [
    "deleteRecords: filtered, paged, all",
    async () => {
      const other = client("alice").bucket(name).collection("deleted");
      await other.batch((batch) => {
        batch.setData({});
        for (let n = 0; n < 30; n++) {
          batch.createRecord({ id: `r${n}`, n });
        }
      });
      const some = await other.deleteRecords({
        filters: { in_n: "1,2,3" },
        fields: ["id"],
        retry: 1,
      });
      assert.deepEqual(sorted(ids(some.data)), ["r1", "r2", "r3"]);
      const page = await other.deleteRecords({ sort: "n", limit: 5 });
      assert.deepEqual(
        sorted(ids(page.data)),
        ["r0", "r4", "r5", "r6", "r7"].sort()
      );
      const { last_modified } = (await other.getRecord("r27")).data;
      const since = await other.deleteRecords({ since: `${last_modified}` });
      assert.deepEqual(
        sorted(ids(since.data)).filter((id) => /r2\d/.test(id)),
        ["r28", "r29"]
      );
      // The client asks for the next page with GET: a page at a time.
      for (let left = 20; left > 0; left -= 10) {
        assert.equal(await other.getTotalRecords(), left);
        assert.equal((await other.deleteRecords()).data.length, 10);
      }
      assert.equal(await other.getTotalRecords(), 0);
    },
  ],
];
