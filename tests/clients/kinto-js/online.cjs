// SPDX-License-Identifier: Apache-2.0
//
// The HTTP client of kinto.js: buckets, collections, batches, lists, safe
// updates, deletion (sections 10-1 and 08).
"use strict";

const assert = require("node:assert/strict");

const { KintoClient } = require("kinto/dist/kinto.min.js");

const { authorization, base, unique } = require("./config.cjs");
const server = require("./server.cjs");

const client = (user) =>
  new KintoClient(base, { headers: { Authorization: authorization(user) } });
const records = (user) =>
  client(user).bucket(unique("online")).collection("tasks");

const N = 60;
const task = (i) => ({
  id: `task-${String(i).padStart(2, "0")}`,
  title: i % 2 ? `ren\u00e9 ${i}` : `task ${i}`,
  n: i,
  done: i % 3 === 0,
});

async function fails(promise, status) {
  const error = await promise.then(
    () => {
      throw new Error(`should have failed with ${status}`);
    },
    (e) => e
  );
  assert.ok(error.response, error.stack);
  assert.equal(error.response.status, status, error.message);
  return error;
}

const steps = [
  [
    "hello tells who I am and how large a batch may be",
    async () => {
      const info = await client("alice").fetchServerInfo();
      assert.equal(info.settings.batch_max_requests, 25);
      assert.match(info.user.id, /^basicauth:[0-9a-f]{64}$/);
      assert.match(info.http_api_version, /^\d\.\d+$/);
      for (const capability of Object.values(info.capabilities)) {
        assert.equal(typeof capability.url, "string");
        assert.equal(typeof capability.description, "string");
      }
    },
  ],
  [
    "create a bucket and a collection",
    async () => {
      const { data } = await client("alice").createBucket(unique("online"), {
        safe: true,
      });
      assert.equal(data.id, unique("online"));
      assert.ok(data.last_modified > 1.4e12);
      const made = await client("alice")
        .bucket(unique("online"))
        .createCollection("tasks", { safe: true });
      assert.equal(made.data.id, "tasks");
      assert.equal(made.permissions.write.length, 1);
      await fails(
        client("alice").createBucket(unique("online"), { safe: true }),
        412
      );
    },
  ],
  [
    "sixty records through batches",
    async () => {
      const result = await records("alice").batch(
        (batch) => {
          for (let i = 0; i < N; i++) {
            batch.createRecord(task(i), { safe: true });
          }
        },
        { aggregate: true }
      );
      assert.equal(result.errors.length, 0);
      assert.equal(result.conflicts.length, 0);
      assert.equal(result.published.length, N);
      const stamps = result.published.map(({ data }) => data.last_modified);
      assert.equal(new Set(stamps).size, N, "timestamps are distinct");
      assert.deepEqual(
        stamps,
        [...stamps].sort((a, b) => a - b),
        "timestamps grow in the order of the batch"
      );
      assert.equal(await records("alice").getTotalRecords(), N);
    },
  ],
  [
    "the same batch again is sixty conflicts",
    async () => {
      const result = await records("alice").batch(
        (batch) => {
          for (let i = 0; i < N; i++) {
            batch.createRecord(task(i), { safe: true });
          }
        },
        { aggregate: true }
      );
      assert.equal(result.published.length, 0);
      assert.equal(result.conflicts.length, N);
      assert.equal(result.conflicts[3].remote.title, task(3).title);
    },
  ],
  [
    "list with a filter and a sort",
    async () => {
      const { data } = await records("alice").listRecords({
        filters: { min_n: 10, done: true },
        sort: "-n",
      });
      const wanted = [];
      for (let i = N - 1; i >= 10; i--) {
        if (i % 3 === 0) {
          wanted.push(i);
        }
      }
      assert.deepEqual(
        data.map(({ n }) => n),
        wanted
      );
      const one = await records("alice").listRecords({
        filters: { title: "ren\u00e9 7" },
      });
      assert.deepEqual(
        one.data.map(({ id }) => id),
        ["task-07"]
      );
      const some = await records("alice").listRecords({
        filters: { in_id: "task-01,task-02,task-99" },
        sort: "id",
        fields: ["title"],
      });
      assert.deepEqual(
        some.data.map(({ id, title, n }) => [id, title, n]),
        [
          ["task-01", "ren\u00e9 1", undefined],
          ["task-02", "task 2", undefined],
        ]
      );
    },
  ],
  [
    "page after page, and all pages at once",
    async () => {
      const first = await records("alice").listRecords({
        limit: 25,
        sort: "title,-n",
      });
      assert.equal(first.data.length, 25);
      assert.ok(first.hasNextPage);
      const second = await first.next();
      const third = await second.next();
      assert.equal(second.data.length, 25);
      assert.equal(third.data.length, N - 50);
      assert.ok(!third.hasNextPage);
      const pages = [first, second, third].flatMap(({ data }) => data);
      assert.equal(new Set(pages.map(({ id }) => id)).size, N);
      const key = ({ title, n }) => `${title} ${String(999 - n)}`;
      assert.deepEqual(
        pages.map(key),
        pages.map(key).sort(),
        "sorted across pages"
      );
      const all = await records("alice").listRecords({
        limit: 7,
        pages: Infinity,
      });
      assert.equal(all.data.length, N);
      assert.deepEqual(
        all.data.map(({ id }) => id),
        Array.from({ length: N }, (_, i) => task(N - 1 - i).id),
        "newest first"
      );
    },
  ],
  [
    "a safe update meets the remote version: 412",
    async () => {
      const mine = (await records("alice").getRecord("task-05")).data;
      const { data: theirs } = await records("alice").updateRecord(
        { ...mine, title: "theirs" },
        { safe: true }
      );
      assert.ok(theirs.last_modified > mine.last_modified);
      const error = await fails(
        records("alice").updateRecord(
          { ...mine, title: "mine" },
          { safe: true }
        ),
        412
      );
      assert.match(error.message, /412/);
      assert.equal(error.data.errno, 114);
      assert.deepEqual(error.data.details.existing, theirs);
      const { data } = await records("alice").getRecord("task-05");
      assert.deepEqual(data, theirs, "nothing was changed");
      const patched = await records("alice").updateRecord(
        { id: "task-05", extra: [1, { a: null }] },
        { patch: true }
      );
      assert.equal(patched.data.title, "theirs");
      assert.deepEqual(patched.data.extra, [1, { a: null }]);
    },
  ],
  [
    "nobody else may read them, until told so",
    async () => {
      await fails(records("bob").listRecords(), 403);
      await fails(records("bob").getRecord("task-01"), 403);
      const { user } = await client("bob").fetchServerInfo();
      await records("alice").addPermissions({ read: [user.id] });
      assert.equal((await records("bob").listRecords()).data.length, N);
      await fails(records("bob").deleteRecord("task-01"), 403);
      await records("alice").removePermissions({ read: [user.id] });
      await fails(records("bob").listRecords(), 403);
    },
  ],
  [
    "delete one, some and all; tombstones since then",
    async () => {
      const etag = await records("alice").getRecordsTimestamp();
      const { data } = await records("alice").deleteRecord("task-01");
      assert.equal(data.deleted, true);
      await fails(records("alice").getRecord("task-01"), 404);
      await fails(records("alice").deleteRecord("task-01"), 404);
      await records("alice").deleteRecords({ filters: { max_n: 9 } });
      assert.equal(await records("alice").getTotalRecords(), N - 10);
      const since = await records("alice").listRecords({ since: etag });
      assert.equal(since.data.length, 10);
      assert.ok(since.data.every(({ deleted }) => deleted === true));
      await records("alice").deleteRecords();
      assert.equal(await records("alice").getTotalRecords(), 0);
    },
  ],
];

// One of many writers, while the server is disturbed: every answer counts.
async function writer(who, until) {
  const written = [];
  for (let i = 0; !until.over; i++) {
    const id = `${who}-${i}`;
    if (i % 5 === 0) {
      const result = await records("alice").batch(
        (batch) => {
          for (let j = 0; j < 10; j++) {
            batch.createRecord({ id: `${id}-${j}`, who }, { safe: true });
          }
        },
        { aggregate: true }
      );
      assert.equal(result.published.length, 10, JSON.stringify(result));
      for (let j = 0; j < 10; j++) {
        written.push(`${id}-${j}`);
      }
    } else {
      const { data } = await records("alice").createRecord(
        { id, who },
        { safe: true }
      );
      assert.equal(data.id, id);
      written.push(id);
      await records("alice").updateRecord(
        { id, changed: i },
        { patch: true }
      );
    }
    await records("alice").listRecords({ limit: 5, filters: { who } });
  }
  return written;
}

const disturbedSteps = [
  [
    "SIGHUP under load breaks no request",
    async () => {
      const until = { over: false };
      const writers = ["a", "b", "c"].map((who) => writer(`hup-${who}`, until));
      const all = Promise.all(writers);
      const reloads = (async () => {
        try {
          for (let i = 0; i < 3; i++) {
            await server.reload();
          }
        } finally {
          until.over = true;
        }
      })();
      const [written] = await Promise.all([all, reloads]);
      const { data } = await records("alice").listRecords({
        pages: Infinity,
        limit: 100,
      });
      const stored = new Set(data.map(({ id }) => id));
      for (const id of written.flat()) {
        assert.ok(stored.has(id), `${id} was acknowledged and is lost`);
      }
    },
  ],
  [
    "a record written just before kill -9 of a worker is there",
    async () => {
      const count = server.workers().length;
      for (let i = 0; i < 5; i++) {
        await records("alice").createRecord({ id: `kill-${i}` });
        const victim = server.killWorker();
        const { data } = await records("alice").getRecord(`kill-${i}`);
        assert.equal(data.id, `kill-${i}`);
        await server.replaced(victim, count);
      }
      await records("alice").deleteRecords();
    },
  ],
];

module.exports = { steps, disturbedSteps };
