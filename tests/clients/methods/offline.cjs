// SPDX-License-Identifier: Apache-2.0
//
// The offline-first client: every method of its collections, transactions,
// results and of its adapter (section 10-2). Strategies under concurrent
// changes are in ../kinto-js/offline.cjs.
"use strict";

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");

const kinto = require("kinto/dist/kinto.min.js");
const { authorization, base, unique } = require("../kinto-js/config.cjs");
const { client, ids, refused, sorted, urlOf, userId } = require("./context.cjs");
const reflect = require("./reflect.cjs");

const Kinto = kinto.default;
const { CLIENT_WINS, MANUAL, PULL_ONLY, SERVER_WINS } = Kinto.syncStrategy;

const name = unique("offline");
const headers = { Authorization: authorization("alice") };
const remote = () => client("alice").bucket(name).collection("notes");
let events = new EventEmitter();

let devices = 0;
const device = (options = {}, more = {}) =>
  new Kinto({
    remote: base,
    bucket: name,
    headers,
    events,
    retry: 2,
    timeout: 20000,
    adapterOptions: { dbName: `${name}-${(devices += 1)}` },
    ...more,
  }).collection("notes", options);

// Ids that are not UUIDs.
const idSchema = {
  n: 0,
  generate: () => `note-${(idSchema.n += 1)}`,
  validate: (id) => /^[a-z0-9-]+$/.test(id),
};
const phone = device({ idSchema, localFields: ["draft"] });
const laptop = device({ idSchema });

module.exports = [
  [
    "its classes",
    async () => {
      const api = new Kinto({ remote: base, headers, bucket: name });
      reflect.watch("Kinto", api);
      reflect.watch("Kinto.Collection", phone);
      reflect.watch("IDB", phone.db);
      assert.equal(typeof api.ApiClass, "function");
      assert.equal(api.api.remote, base);
      assert.ok(api.collection("x"));
      assert.ok(Kinto.adapters.IDB);
      assert.ok(new Kinto.adapters.BaseAdapter());
      assert.equal(phone.name, "notes");
      assert.equal(phone.bucket, name);
      assert.equal(phone.lastModified, null);
      assert.equal(phone.api.version, "v1");
      assert.equal(kinto.getDeepKey({ a: { b: 1 } }, "a.b"), 1);
      await phone.execute((transaction) =>
        reflect.watch("Transaction", transaction)
      );
    },
  ],
  [
    "local: create, get, list, update, upsert, delete",
    async () => {
      const first = (await phone.create({ text: "one" })).data;
      assert.equal(first.id, "note-1");
      assert.equal(first._status, "created");
      await phone.create({ id: "own", text: "two" }, { useRecordId: true });
      await phone.create(
        { id: "known", text: "three", last_modified: 5 },
        { synced: true }
      );
      assert.equal((await phone.get("own")).data.text, "two");
      assert.equal((await phone.getAny("absent")).data, undefined);
      await phone.update({ id: "own", text: "2" });
      await phone.update({ id: "own", more: 1 }, { patch: true });
      assert.equal((await phone.get("own")).data.text, "2");
      await phone.upsert({ id: "own", text: "two", draft: true });
      await phone.upsert({ id: "extra", text: "four" });
      assert.equal((await phone.list()).data.length, 4);
      const some = await phone.list({ filters: { text: "two" }, order: "id" });
      assert.deepEqual(ids(some.data), ["own"]);
      await phone.delete("extra");
      await phone.delete("extra", { virtual: false });
      assert.equal((await phone.deleteAny("absent")).deleted, false);
      await refused(phone.get("extra"));
      await phone.delete("known", { virtual: false });
      assert.deepEqual(phone.cleanLocalFields({ id: 1, draft: 1, _status: 1 }), {
        id: 1,
      });
    },
  ],
  [
    "transactions and their events",
    async () => {
      const seen = [];
      events.on("change", ({ targets }) => seen.push(targets));
      // A transaction sees what was there when it began.
      const preloadIds = ["t1", "t2", "t3"];
      await phone.execute(
        (t) => {
          t.create({ id: "t1", n: 1, _status: "created" });
          t.upsert({ id: "t2", n: 3 });
          t.emitEvents();
        },
        { preloadIds }
      );
      await phone.execute(
        (t) => {
          t.update({ id: "t1", n: 2 });
          assert.equal(t.get("t2").data.n, 3);
          assert.equal(t.getAny("t3").data, undefined);
          t.deleteAny("t3");
          t.deleteAll(["t2"]);
        },
        { preloadIds }
      );
      await phone.execute((t) => t.delete("t1", { virtual: false }), {
        preloadIds,
      });
      assert.deepEqual(
        seen.flat().map(({ action }) => action),
        ["create", "create", "update", "delete", "deleteAll", "delete"]
      );
      await phone.delete("t2", { virtual: false });
    },
  ],
  [
    "sync: the whole way, with its result, events and metadata",
    async () => {
      await client("alice").createBucket(name);
      await client("alice")
        .bucket(name)
        .createCollection("notes", { data: { title: "mine" } });
      const success = new Promise((resolve) =>
        events.once("sync:success", resolve)
      );
      const result = await phone.sync({ retry: 1, headers: { "X-Test": "1" } });
      reflect.watch("SyncResult", result);
      assert.equal(result.ok, true, JSON.stringify(result.errors));
      assert.deepEqual(sorted(ids(result.published)), ["note-1", "own"]);
      for (const list of ["errors", "conflicts", "skipped", "resolved"]) {
        assert.deepEqual(result[list], [], list);
      }
      assert.equal((await success).result, result);
      assert.equal((await phone.metadata()).title, "mine");
      assert.ok(phone.lastModified > 1.4e12);
      const { data } = await remote().getRecord("own");
      assert.ok(!("draft" in data), "a local field stays here");
      await remote().createRecord({ id: "from-server" });
      await remote().deleteRecord("note-1");
      const next = await phone.sync();
      assert.deepEqual(ids(next.created), ["from-server"]);
      assert.deepEqual(ids(next.deleted), ["note-1"]);
      assert.deepEqual(next.updated, []);
      next.add("errors", { message: "x" });
      assert.equal(next.ok, false);
      assert.equal(next.reset("errors").toObject().ok, true);
      const page = await laptop.sync();
      assert.deepEqual(sorted(ids(page.created)), ["from-server", "own"]);
    },
  ],
  [
    "sync: more than a page, both ways",
    async () => {
      for (let i = 0; i < 33; i++) {
        await phone.create({ text: `n ${i}` });
      }
      const up = await phone.sync();
      assert.equal(up.published.length, 33);
      const down = await laptop.sync();
      assert.equal(down.created.length, 33);
      await laptop.deleteAll();
      const gone = await laptop.sync();
      assert.equal(gone.published.length, 35);
      assert.equal((await phone.sync()).deleted.length, 35);
      assert.equal(await remote().getTotalRecords(), 0);
    },
  ],
  [
    "sync: strategies",
    async () => {
      await phone.create({ id: "s", text: "base" }, { useRecordId: true });
      await phone.sync();
      await laptop.sync();
      const clash = async (text) => {
        await remote().updateRecord({ id: "s", text: `server ${text}` });
        await phone.update({ id: "s", text: `phone ${text}` }, { patch: true });
      };
      await clash("1");
      const manual = await phone.sync({ strategy: MANUAL });
      assert.equal(manual.conflicts[0].type, "incoming");
      await phone.resolve(manual.conflicts[0], manual.conflicts[0].remote);
      assert.equal((await phone.sync()).ok, true);
      await clash("2");
      const theirs = await phone.sync({ strategy: SERVER_WINS });
      assert.equal(theirs.resolved.length, 1);
      assert.equal((await phone.get("s")).data.text, "server 2");
      await clash("3");
      await phone.sync({ strategy: CLIENT_WINS });
      assert.equal((await remote().getRecord("s")).data.text, "phone 3");
      await clash("4");
      const pulled = await phone.sync({ strategy: PULL_ONLY });
      assert.equal(pulled.published.length, 0);
      assert.equal((await phone.get("s")).data.text, "server 4");
    },
  ],
  [
    "sync: another remote, bucket and collection; an expected timestamp",
    async () => {
      await client("alice").createBucket(`${name}-2`);
      await client("alice").bucket(`${name}-2`).createCollection("other");
      const third = device({ idSchema });
      await third.create({ text: "elsewhere" });
      const result = await third.sync({
        remote: base,
        bucket: `${name}-2`,
        collection: "other",
        expectedTimestamp: '"42"',
      });
      assert.equal(result.published.length, 1);
      const other = client("alice").bucket(`${name}-2`).collection("other");
      assert.equal(await other.getTotalRecords(), 1);
      await third.resetSyncStatus();
      assert.equal((await third.sync()).published.length, 1);
      await refused(third.sync({ remote: "http://nowhere" }));
    },
  ],
  [
    "its steps one by one",
    async () => {
      const result = (await phone.sync()).reset("published");
      const api = remote();
      await phone.pullMetadata(api, { expectedTimestamp: 5, headers });
      await phone.create({ text: "step" });
      const changes = await phone.gatherLocalChanges();
      assert.equal(changes.length, 1);
      await phone.pushChanges(api, changes, result, { retry: 1 });
      assert.equal(result.published.length, 1);
      await remote().createRecord({ id: "pulled" });
      await phone.pullChanges(api, result, { exclude: result.published });
      assert.ok(ids(result.created).includes("pulled"));
      await phone.importChanges(result, [
        { id: "imported", last_modified: 5 },
      ]);
      assert.ok(ids(result.created).includes("imported"));
      await phone.delete("imported", { virtual: false });
      const { data } = await remote().listRecords();
      const fourth = device({ idSchema });
      assert.equal((await fourth.importBulk(data)).length, data.length);
      assert.equal((await fourth.loadDump(data)).length, 0);
      const synced = await fourth.sync();
      assert.equal(synced.ok, true);
      assert.equal(synced.published.length, 0);
      assert.equal((await fourth.resetSyncStatus()) > 0, true);
      await fourth.clear();
      assert.deepEqual((await fourth.list()).data, []);
    },
  ],
  [
    "hooks and transformers",
    async () => {
      const seen = [];
      const hooked = device({
        idSchema,
        hooks: {
          "incoming-changes": [
            ({ changes }) => {
              seen.push(...changes);
              return { changes: changes.filter(({ id }) => id !== "pulled") };
            },
          ],
        },
        remoteTransformers: [
          {
            encode: (r) => Promise.resolve({ ...r, text: `<${r.text}>` }),
            decode: (r) => Promise.resolve({ ...r, text: r.text?.slice(1, -1) }),
          },
        ],
      });
      const { created } = await hooked.sync();
      assert.ok(!ids(created).includes("pulled"));
      assert.ok(ids(seen).includes("pulled"));
      await hooked.create({ id: "coded", text: "x" }, { useRecordId: true });
      assert.equal((await hooked.sync()).ok, true);
      assert.equal((await remote().getRecord("coded")).data.text, "<x>");
      assert.equal((await hooked.get("coded")).data.text, "x");
      const kept = await hooked.applyHook("incoming-changes", { changes: [] });
      assert.deepEqual(kept.changes, []);
    },
  ],
  [
    "the adapter below",
    async () => {
      const { db } = device({ idSchema });
      await db.open();
      await db.importBulk([{ id: "a", n: 1 }]);
      await db.loadDump([{ id: "b", n: 2 }]);
      assert.equal((await db.get("a")).n, 1);
      assert.equal((await db.list({ filters: { n: 2 }, order: "-n" })).length, 1);
      await db.execute((t) => t.update({ id: "a", n: 3 }), { preload: ["a"] });
      assert.equal((await db.get("a")).n, 3);
      assert.equal(await db.saveLastModified(5), 5);
      assert.equal(await db.getLastModified(), 5);
      await db.saveMetadata({ x: 1 });
      assert.deepEqual(await db.getMetadata(), { x: 1 });
      await db.prepare("records", () => {});
      await db.clear();
      await db.close();
    },
  ],
  [
    "backoff: no sync until it is over, unless told so",
    async () => {
      await client("alice", { base: urlOf("SOFT") }).createBucket(name);
      await client("alice", { base: urlOf("SOFT") })
        .bucket(name)
        .createCollection("notes");
      events = new EventEmitter();
      const asked = device({ idSchema }, { remote: urlOf("SOFT") });
      assert.equal((await asked.sync()).ok, true);
      assert.match((await refused(asked.sync())).message, /back off/);
      assert.equal((await asked.sync({ ignoreBackoff: true })).ok, true);
    },
  ],
  [
    "errors of a sync: no permission; outgoing ones are listed",
    async () => {
      events = new EventEmitter();
      const bob = device(
        { idSchema },
        { headers: { Authorization: authorization("bob") } }
      );
      const failed = new Promise((resolve) => events.once("sync:error", resolve));
      await refused(bob.sync());
      assert.match((await failed).error.message, /403/);
      await remote().setPermissions({ read: [await userId("bob")] });
      await bob.create({ text: "not allowed" });
      const result = await bob.sync();
      assert.equal(result.ok, false);
      assert.equal(result.errors[0].type, "outgoing");
      assert.equal(result.errors[0].error.errno, 121);
    },
  ],
  [
    "a flushed server is noticed",
    async () => {
      assert.equal((await phone.sync()).ok, true);
      await fetch(`${base}/__flush__`, { method: "POST" });
      await client("alice").createBucket(name);
      await client("alice").bucket(name).createCollection("notes");
      const error = await refused(phone.sync());
      assert.match(error.message, /Server has been flushed/);
      assert.ok(error.serverTimestamp > error.clientTimestamp);
      await phone.resetSyncStatus();
      const again = await phone.sync();
      assert.equal(again.ok, true);
      assert.ok(again.published.length > 0);
    },
  ],
];
