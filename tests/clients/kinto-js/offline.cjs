// SPDX-License-Identifier: Apache-2.0
//
// Two offline-first clients of one user, each with an IndexedDB of its own,
// which synchronise through the server in both directions (section 10-2).
// With a server to disturb, a worker dies or the configuration is read again
// between and during the synchronisations.
"use strict";

const assert = require("node:assert/strict");

const { KintoClient, default: Kinto } = require("kinto/dist/kinto.min.js");

const { authorization, base, unique } = require("./config.cjs");

const { MANUAL, CLIENT_WINS, SERVER_WINS } = Kinto.syncStrategy;

function steps(server) {
  const bucket = unique(server ? "sync-disturbed" : "sync");
  const headers = { Authorization: authorization("alice") };
  const http = new KintoClient(base, { headers });
  const device = (name, options) =>
    new Kinto({
      remote: base,
      bucket,
      headers,
      adapterOptions: { dbName: `${bucket}-${name}` },
    }).collection("notes", options);

  // What phone does between its pull and its push, once.
  let meanwhile = null;
  const phone = device("phone", {
    remoteTransformers: [
      {
        async encode(record) {
          const action = meanwhile;
          meanwhile = null;
          if (action) {
            await action();
          }
          return record;
        },
        async decode(record) {
          return record;
        },
      },
    ],
  });
  const laptop = device("laptop");

  let turn = 0;
  async function sync(collection, options = {}) {
    if (!server) {
      return collection.sync(options);
    }
    turn += 1;
    if (turn % 2 === 0) {
      const count = server.workers().length;
      const victim = server.killWorker();
      const result = await collection.sync(options);
      await server.replaced(victim, count);
      return result;
    }
    const [result] = await Promise.all([
      collection.sync(options),
      server.reload(),
    ]);
    return result;
  }

  async function same() {
    const sort = (list) =>
      list.data
        .map(({ id, text, last_modified }) => ({ id, text, last_modified }))
        .sort((a, b) => (a.id < b.id ? -1 : 1));
    const a = sort(await phone.list());
    const b = sort(await laptop.list());
    const remote = await http
      .bucket(bucket)
      .collection("notes")
      .listRecords({ pages: Infinity });
    assert.deepEqual(a, b, "phone and laptop hold the same");
    assert.deepEqual(a, sort(remote), "and the server too");
    return a;
  }

  const ids = [];

  return [
    [
      "a bucket for the notes",
      async () => {
        await http.createBucket(bucket);
        await http.bucket(bucket).createCollection("notes");
      },
    ],
    [
      "thirty notes go from the phone to the laptop",
      async () => {
        for (let i = 0; i < 30; i++) {
          const { data } = await phone.create({ text: `note ${i} \u2603` });
          ids.push(data.id);
        }
        const up = await sync(phone);
        assert.ok(up.ok, JSON.stringify(up.errors));
        assert.equal(up.published.length, 30);
        const down = await sync(laptop);
        assert.ok(down.ok);
        assert.equal(down.created.length, 30);
        assert.equal((await same()).length, 30);
      },
    ],
    [
      "changes and deletions go back from the laptop to the phone",
      async () => {
        const note = (await laptop.get(ids[0])).data;
        await laptop.update({ ...note, text: "from the laptop" });
        await laptop.delete(ids[1]);
        const made = (await laptop.create({ text: "new on the laptop" })).data;
        const up = await sync(laptop);
        assert.ok(up.ok);
        assert.equal(up.published.length, 3);
        const down = await sync(phone);
        assert.ok(down.ok);
        assert.deepEqual(
          down.created.map(({ id }) => id),
          [made.id]
        );
        assert.deepEqual(
          down.updated.map((u) => u.new.text),
          ["from the laptop"]
        );
        assert.deepEqual(
          down.deleted.map(({ id }) => id),
          [ids[1]]
        );
        assert.equal((await same()).length, 30);
      },
    ],
    [
      "nothing changed: nothing moves",
      async () => {
        for (const collection of [phone, laptop]) {
          const result = await sync(collection);
          assert.ok(result.ok);
          for (const list of ["created", "updated", "deleted", "published"]) {
            assert.equal(result[list].length, 0, list);
          }
        }
      },
    ],
    [
      "both changed a note: the laptop finds the conflict, by hand",
      async () => {
        await phone.update({ id: ids[2], text: "phone" }, { patch: true });
        await laptop.update({ id: ids[2], text: "laptop" }, { patch: true });
        assert.ok((await sync(phone)).ok);
        const result = await sync(laptop, { strategy: MANUAL });
        assert.ok(!result.ok);
        assert.equal(result.conflicts.length, 1);
        const [conflict] = result.conflicts;
        assert.equal(conflict.local.text, "laptop");
        assert.equal(conflict.remote.text, "phone");
        await laptop.resolve(conflict, { ...conflict.local, text: "merged" });
        assert.ok((await sync(laptop)).ok);
        const down = await sync(phone);
        assert.ok(down.ok);
        assert.equal((await phone.get(ids[2])).data.text, "merged");
        await same();
      },
    ],
    [
      "the other way: the phone finds it, and its version wins",
      async () => {
        await phone.update({ id: ids[3], text: "phone" }, { patch: true });
        await laptop.update({ id: ids[3], text: "laptop" }, { patch: true });
        assert.ok((await sync(laptop)).ok);
        const result = await sync(phone, { strategy: CLIENT_WINS });
        assert.ok(result.ok, JSON.stringify(result.errors));
        assert.equal(result.resolved.length, 1);
        assert.ok((await sync(laptop)).ok);
        assert.equal((await laptop.get(ids[3])).data.text, "phone");
        await same();
      },
    ],
    [
      "deleted here, changed there: the server's version wins",
      async () => {
        await phone.delete(ids[4]);
        await laptop.update({ id: ids[4], text: "kept" }, { patch: true });
        assert.ok((await sync(laptop)).ok);
        const result = await sync(phone, { strategy: SERVER_WINS });
        assert.ok(result.ok);
        assert.equal((await phone.get(ids[4])).data.text, "kept");
        await same();
      },
    ],
    [
      "a change between pull and push is an outgoing conflict",
      async () => {
        await phone.update({ id: ids[5], text: "phone" }, { patch: true });
        meanwhile = async () => {
          await laptop.update({ id: ids[5], text: "laptop" }, { patch: true });
          assert.ok((await laptop.sync()).ok);
        };
        const result = await sync(phone, { strategy: MANUAL });
        assert.equal(meanwhile, null, "the laptop was in between");
        assert.ok(!result.ok);
        assert.equal(result.conflicts.length, 1);
        const [conflict] = result.conflicts;
        assert.equal(conflict.type, "outgoing");
        assert.equal(conflict.remote.text, "laptop");
        assert.ok(conflict.remote.last_modified > 1.4e12);
        await phone.resolve(conflict, conflict.remote);
        assert.ok((await sync(phone)).ok);
        await same();
      },
    ],
    [
      "deleted on both sides",
      async () => {
        await phone.delete(ids[6]);
        await laptop.delete(ids[6]);
        assert.ok((await sync(phone)).ok);
        assert.ok((await sync(laptop)).ok);
        const notes = await same();
        assert.ok(!notes.some(({ id }) => id === ids[6]));
      },
    ],
  ];
}

module.exports = { steps };
