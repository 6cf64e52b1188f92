// SPDX-License-Identifier: Apache-2.0
//
// History entries, and records as they were at a moment (section 10-1.3). The
// package kinto asks the server for a snapshot, kinto-http builds it from the
// entries.
"use strict";

const assert = require("node:assert/strict");

const {
  client,
  ids,
  needs,
  refused,
  sorted,
  unique,
  userId,
} = require("./context.cjs");

const name = unique("history");
const bucket = () => client("alice").bucket(name);
const tasks = () => bucket().collection("tasks");
const at = {};

module.exports = [
  [
    "listHistory: newest first, one entry for each change",
    async () => {
      await needs("history");
      await client("alice").createBucket(name);
      await bucket().batch((batch) => {
        batch.createCollection("tasks");
        batch.createGroup("g", ["x"]);
        batch.collection("tasks").createRecord({ id: "a", n: 1 });
        batch.collection("tasks").createRecord({ id: "b", n: 1 });
      });
      const { data } = await bucket().listHistory({ retry: 1 });
      assert.deepEqual(
        data.map(({ uri }) => uri.replace(/.*\//, "")),
        ["b", "a", "g", "tasks", name]
      );
      assert.ok(data.every(({ action }) => action === "create"));
      assert.equal(data[0].user_id, await userId("alice"));
      assert.equal(data[0].target.data.n, 1);
      assert.ok(data[0].target.permissions.write);
    },
  ],
  [
    "listHistory: filters, sort, limit, pages, since, fields",
    async () => {
      await needs("history");
      await tasks().updateRecord({ id: "a", n: 2 });
      await tasks().deleteRecord("b");
      const of = async (options) => (await bucket().listHistory(options)).data;
      assert.deepEqual(
        (await of({ filters: { "target.data.id": "a" } })).map((e) => e.action),
        ["update", "create"]
      );
      const records = await of({
        filters: { resource_name: "record", collection_id: "tasks" },
        sort: "last_modified",
        limit: 1,
        pages: Infinity,
      });
      assert.deepEqual(
        records.map(({ record_id, action }) => `${action} ${record_id}`),
        ["create a", "create b", "update a", "delete b"]
      );
      assert.equal(
        (await of({ filters: { "gt_target.data.last_modified": "0" } })).length,
        7
      );
      const stamp = `${records[2].last_modified}`;
      assert.equal((await of({ since: stamp })).length, 1);
      const [some] = await of({ fields: ["uri", "action"], limit: 1 });
      assert.ok(!("target" in some));
      assert.ok(
        (await of({ filters: { exclude_resource_name: "record,group" } })).every(
          (e) => e.resource_name !== "record"
        )
      );
      assert.deepEqual(await of({ filters: { user_id: "somebody" } }), []);
    },
  ],
  [
    "isHistoryComplete",
    async () => {
      await needs("history");
      assert.equal(await tasks().isHistoryComplete(), true);
      assert.equal(await bucket().collection("no").isHistoryComplete(), false);
    },
  ],
  [
    "records at a moment: created, changed, deleted, made again",
    async () => {
      await needs("history");
      const c = bucket().collection("past");
      await bucket().createCollection("past");
      const made = await c.createRecord({ id: "a", n: 1 });
      at.one = made.data.last_modified;
      at.two = (await c.createRecord({ id: "b", n: 1 })).data.last_modified;
      at.changed = (await c.updateRecord({ id: "a", n: 2 })).data.last_modified;
      at.deleted = (await c.deleteRecord("a")).data.last_modified;
      at.again = (await c.createRecord({ id: "a", n: 3 })).data.last_modified;
      const then = async (when) => {
        const { data, hasNextPage, totalRecords } = await c.listRecords({
          at: when,
        });
        assert.equal(hasNextPage, false);
        assert.equal(totalRecords, data.length);
        return data.map(({ id, n }) => `${id}${n}`);
      };
      assert.deepEqual(await then(at.one), ["a1"]);
      assert.deepEqual(await then(at.one - 1), []);
      assert.deepEqual(await then(at.two), ["b1", "a1"]);
      assert.deepEqual(await then(at.changed), ["a2", "b1"]);
      assert.deepEqual(await then(at.deleted), ["b1"]);
      assert.deepEqual(await then(at.again), ["a3", "b1"]);
      assert.deepEqual(await then(Date.now() + 1e6), ["a3", "b1"]);
    },
  ],
  [
    "getSnapshot: hundred records in batches; what it refuses",
    async () => {
      await needs("history");
      const c = bucket().collection("many");
      await bucket().createCollection("many");
      await c.batch((batch) => {
        for (let i = 0; i < 97; i++) {
          batch.createRecord({ id: `r${i}`, i });
        }
      });
      const { last_modified } = await c.listRecords({ limit: 1 });
      await c.deleteRecord("r0");
      const then = await c.getSnapshot(Number(last_modified));
      assert.equal(then.data.length, 97);
      assert.deepEqual(
        sorted(ids(then.data)),
        sorted(Array.from({ length: 97 }, (_, i) => `r${i}`))
      );
      assert.equal(then.last_modified, String(last_modified));
      await refused(c.getSnapshot(-1));
      await refused(c.getSnapshot("yesterday"));
      assert.throws(() => then.next());
    },
  ],
  [
    "after DELETE of all records",
    async () => {
      await needs("history");
      const c = bucket().collection("many");
      while ((await c.getTotalRecords()) > 0) {
        await c.deleteRecords();
      }
      const { data } = await c.getSnapshot(Date.now() + 1e6);
      assert.deepEqual(data, []);
    },
  ],
];
