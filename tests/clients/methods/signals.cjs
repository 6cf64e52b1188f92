// SPDX-License-Identifier: Apache-2.0
//
// What a server tells all its clients: backoff, end of service, read only,
// come back later (sections 07, 10-1.1); and what it does not have.
"use strict";

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { promisify } = require("node:util");

const { skip } = require("../kinto-js/tap.cjs");
const { client, fails, refused, unique, urlOf } = require("./context.cjs");

const run = promisify(execFile);

// heard CLIENT: the events it emits, as [name, argument].
function heard(kinto) {
  const list = [];
  for (const name of ["backoff", "deprecated", "retry-after"]) {
    kinto.events.on(name, (value) => list.push([name, value]));
  }
  return list;
}

module.exports = [
  [
    "nothing to tell: backoff of 0, no alert",
    async () => {
      const alice = client("alice");
      const events = heard(alice);
      await alice.fetchServerInfo();
      assert.deepEqual(events, [["backoff", 0]]);
      assert.equal(alice.backoff, 0);
    },
  ],
  [
    "backoff and soft end of service: events on every answer",
    async () => {
      const alice = client("alice", { base: urlOf("SOFT") });
      const events = heard(alice);
      const began = Date.now();
      await alice.listBuckets();
      const { backoff } = alice;
      const left = 60000 - (Date.now() - began);
      assert.ok(backoff >= left - 5 && backoff <= 60000, `${backoff}`);
      const [alert] = events.filter(([e]) => e === "deprecated");
      assert.deepEqual(alert[1], {
        code: "soft-eol",
        message: "Move on",
        url: "https://example.org/eol",
      });
      assert.ok(events.some(([e, ms]) => e === "backoff" && ms > began));
      const before = events.length;
      await fails(alice.execute({ path: "/nothing", method: "GET" }), 404);
      assert.ok(events.length > before, "errors tell it too");
    },
  ],
  [
    "hard end of service: 410",
    async () => {
      const alice = client("alice", { base: urlOf("HARD") });
      const events = heard(alice);
      const error = await fails(alice.fetchServerInfo(), 410, 202);
      assert.match(error.message, /Gone/);
      const [alert] = events.filter(([e]) => e === "deprecated");
      assert.equal(alert[1].code, "hard-eol");
    },
  ],
  [
    "read only and without plugins: 405, and capabilities are missed",
    async () => {
      const alice = client(unique("nobody"), { base: urlOf("BARE") });
      assert.equal((await alice.fetchServerSettings()).readonly, true);
      await fails(alice.createBucket(unique("bare")), 405, 115);
      assert.ok(Array.isArray((await alice.listBuckets()).data));
      for (const missed of [
        alice.listPermissions(),
        alice.bucket("b").listHistory(),
        alice.bucket("b").collection("c").listRecords({ at: 5 }),
        alice.bucket("b").collection("c").addAttachment("data:,x"),
      ]) {
        assert.match((await refused(missed)).message, /Required capabilities/);
      }
      const able = await alice.fetchServerCapabilities();
      for (const name of ["signer", "changes", "attachments"]) {
        assert.ok(!(name in able), name);
      }
      // One of the packages looks at the capabilities first.
      await refused(alice.createAccount("x", "y"));
      await fails(
        alice.execute({
          path: "/buckets/monitor/collections/changes/changeset?_expected=0",
          headers: alice._getHeaders({}),
        }),
        404
      );
    },
  ],
  [
    "storage away: 503 with Retry-After; with retries nobody notices",
    async () => {
      const outage = process.env.CLQ_OUTAGE || skip("no CLQ_OUTAGE");
      const alice = client("alice");
      await alice.createBucket(unique("outage"));
      const events = heard(alice);
      await run(outage, ["stop"]);
      try {
        const error = await fails(
          alice.bucket(unique("outage")).setData({ n: 1 }),
          503,
          201
        );
        assert.match(error.message, /Service Unavailable/);
        const [later] = events.filter(([e]) => e === "retry-after");
        assert.ok(later[1] > Date.now() - 1000);
        const back = new Promise((resolve) =>
          alice.events.once("retry-after", () => resolve(run(outage, ["start"])))
        );
        const { data } = await alice
          .bucket(unique("outage"))
          .setData({ n: 2 }, { retry: 60 });
        assert.equal(data.n, 2);
        await back;
      } finally {
        await run(outage, ["start"]);
      }
    },
  ],
];
