// SPDX-License-Identifier: Apache-2.0
//
// KintoClient: the server's description, users and accounts, buckets, batches,
// permissions, plain requests (section 10-1.2, 10-1.3).
"use strict";

const assert = require("node:assert/strict");

const {
  KintoClient,
  base,
  client,
  fails,
  ids,
  needs,
  refused,
  sorted,
  unique,
  userId,
} = require("./context.cjs");

const own = (name) => unique(`client-${name}`);

module.exports = [
  [
    "what the server says of itself",
    async () => {
      const alice = client("alice");
      const info = await alice.fetchServerInfo();
      assert.equal(typeof info.project_name, "string");
      assert.deepEqual(await alice.fetchServerInfo({ retry: 1 }), info);
      const settings = await client("alice").fetchServerSettings({ retry: 1 });
      assert.equal(settings.batch_max_requests, 25);
      assert.equal(settings.readonly, false);
      assert.equal(settings.explicit_permissions, true);
      const able = await client("alice").fetchServerCapabilities();
      for (const [name, value] of Object.entries(able)) {
        assert.match(value.url, /^https?:/, name);
        assert.ok(value.description, name);
      }
      for (const name of ["accounts", "history", "permissions_endpoint"]) {
        assert.ok(name in able, name);
      }
      assert.match(await alice.fetchHTTPApiVersion({ retry: 1 }), /^\d\.\d+$/);
    },
  ],
  [
    "who I am, with headers of the client and of one request",
    async () => {
      const alice = client("alice");
      assert.match((await alice.fetchUser()).id, /^basicauth:[0-9a-f]{64}$/);
      assert.equal((await alice.fetchUser()).bucket.length, 36);
      assert.equal(await client(null).fetchUser(), undefined);
      const bob = { Authorization: `Basic ${btoa("bob:secret-bob")}` };
      const user = await client(null).fetchUser({ headers: bob, retry: 1 });
      assert.equal(user.id, await userId("bob"));
      assert.equal((await alice.fetchServerInfo()).user.id, await userId("alice"));
      alice.setHeaders(bob);
      assert.equal((await alice.fetchServerInfo()).user.id, user.id);
    },
  ],
  [
    "remote, version and backoff",
    async () => {
      const alice = client("alice");
      assert.equal(alice.remote, base);
      assert.equal(alice.version, "v1");
      assert.equal(alice.backoff, 0);
      alice.remote = `${base}/`.replace(/\/$/, "");
      await alice.fetchServerInfo();
      assert.throws(() => {
        alice.remote = base.replace(/v1$/, "");
      }, /must contain the version/);
      await new KintoClient(`${base}/`).fetchServerInfo();
    },
  ],
  [
    "every endpoint the client knows exists",
    async () => {
      const alice = client("alice");
      await alice.createBucket(own("endpoints"));
      const bucket = alice.bucket(own("endpoints"));
      await bucket.createCollection("c");
      await bucket.createGroup("g", []);
      const { data } = await bucket.collection("c").createRecord({ id: "r" });
      const able = await alice.fetchServerCapabilities();
      const args = {
        history: [own("endpoints")],
        bucket: [own("endpoints")],
        group: [own("endpoints"), "g"],
        collection: [own("endpoints"), "c"],
        record: [own("endpoints"), "c", "r"],
        snapshot: [own("endpoints"), "c", data.last_modified],
      };
      for (const [name, path] of Object.entries(alice.endpoints)) {
        const uri = path(...(args[name] || [own("endpoints"), "c", "r"]));
        if (name === "attachment" && !("attachments" in able)) {
          continue;
        }
        const get = alice.execute({
          path: uri,
          method: "GET",
          headers: alice._getHeaders({}),
        });
        if (name === "batch" || name === "attachment") {
          await fails(get, 405);
        } else {
          await get;
        }
      }
    },
  ],
  [
    "execute: any request, its options, its answer as it came",
    async () => {
      const alice = client("alice");
      const path = `/buckets/${own("execute")}`;
      const made = await alice.execute({
        method: "PUT",
        path,
        headers: alice._getHeaders({}),
        body: { data: { a: 1, b: 2 } },
      });
      assert.equal(made.data.a, 1);
      const { status, json, headers } = await alice.execute(
        { method: "GET", path, headers: alice._getHeaders({}) },
        { raw: true, fields: ["b"], query: { _x: "1" }, retry: 1 }
      );
      assert.equal(status, 200);
      assert.equal(headers.get("ETag"), `"${made.data.last_modified}"`);
      assert.deepEqual(json.data, {
        b: 2,
        id: own("execute"),
        last_modified: made.data.last_modified,
      });
      const text = await alice.execute(
        {
          method: "PATCH",
          path,
          headers: alice._getHeaders({
            headers: { "Content-Type": "application/merge-patch+json" },
          }),
          body: JSON.stringify({ data: { a: null } }),
        },
        { stringify: false }
      );
      assert.ok(!("a" in text.data));
      await fails(alice.execute({ path: "/nothing", method: "GET" }), 404, 111);
      await fails(alice.execute({ path: "/", method: "DELETE" }), 405, 115);
    },
  ],
  [
    "requests below the client: HTTP",
    async () => {
      const alice = client("alice", { timeout: 20000, requestMode: "cors" });
      const hello = await alice.http.request(`${base}/`);
      assert.equal(hello.status, 200);
      const again = await alice.http.retry(`${base}/`, 1, undefined, {
        retry: 1,
      });
      assert.deepEqual(again.json.settings, hello.json.settings);
      const response = await alice.http.timedFetch(`${base}/__heartbeat__`, {});
      const beat = await alice.http.processResponse(response);
      assert.equal(beat.json.storage, true);
      const hasty = client("alice", { timeout: 50 });
      // An address of documentation, nobody answers: the client's own limit.
      hasty.http.fetchFunc = () => new Promise(() => {});
      assert.match((await refused(hasty.fetchUser())).message, /[Tt]imeout/);
    },
  ],
  [
    "createBucket: with and without a name, data, permissions, safe",
    async () => {
      const alice = client("alice");
      const bob = await userId("bob");
      const made = await alice.createBucket(own("made"), {
        data: { n: 1 },
        permissions: { read: [bob], "group:create": [bob] },
        headers: { "X-Test": "1" },
        retry: 1,
      });
      assert.equal(made.data.n, 1);
      assert.deepEqual(made.permissions.read, [bob]);
      assert.deepEqual(made.permissions.write, [await userId("alice")]);
      const other = await alice.createBucket(null, { data: { n: 2 } });
      assert.match(other.data.id, /^[\w-]+$/);
      await alice.createBucket(own("made"), { data: { n: 3 } });
      const error = await fails(
        alice.createBucket(own("made"), { safe: true }),
        412,
        114
      );
      assert.match(error.message, /412 Precondition Failed/);
      assert.equal(error.data.details.existing.n, 3);
      await fails(client("bob").createBucket(own("made")), 403, 121);
      await fails(client(null).createBucket(own("nobody")), 401, 104);
      await fails(alice.createBucket("no spaces"), 400, 107);
      await alice.deleteBucket(other.data.id);
    },
  ],
  [
    "listBuckets: filters, fields, sort, limit, pages, since",
    async () => {
      const alice = client("lister");
      const names = [1, 2, 3, 4, 5].map((i) => own(`list-${i}`));
      for (const [n, name] of names.entries()) {
        await alice.createBucket(name, { data: { n, kind: own("list") } });
      }
      const mine = { kind: own("list") };
      const all = await alice.listBuckets({ filters: mine });
      assert.deepEqual(ids(all.data), [...names].reverse());
      assert.ok(!all.hasNextPage);
      const some = await alice.listBuckets({
        filters: { min_n: 1, kind: own("list") },
        fields: ["n"],
        sort: "-n",
        limit: 2,
        retry: 1,
        headers: { "X-Test": "1" },
      });
      assert.deepEqual(
        some.data.map(({ n, kind }) => [n, kind]),
        [
          [4, undefined],
          [3, undefined],
        ]
      );
      const rest = await some.next();
      assert.deepEqual(
        rest.data.map(({ n }) => n),
        [2, 1]
      );
      await refused(rest.next());
      const paged = await alice.listBuckets({
        limit: 2,
        pages: 2,
        filters: mine,
      });
      assert.equal(paged.data.length, 4);
      assert.ok(paged.hasNextPage);
      const etag = all.data[1].last_modified;
      const since = await alice.listBuckets({
        since: `${etag}`,
        filters: mine,
      });
      assert.deepEqual(ids(since.data), [names[4]]);
      assert.equal(since.last_modified, all.last_modified);
      const quoted = await alice.listBuckets({
        since: `"${etag}"`,
        filters: mine,
      });
      assert.deepEqual(ids(quoted.data), [names[4]]);
    },
  ],
  [
    "deleteBucket: by name, by object, safely",
    async () => {
      const alice = client("lister");
      const name = own("list-5");
      const old = (await alice.bucket(name).getData()).last_modified;
      await alice.bucket(name).setData({ n: 9 });
      await fails(
        alice.deleteBucket({ id: name, last_modified: old }, { safe: true }),
        412,
        114
      );
      await refused(alice.deleteBucket(name, { safe: true }));
      const { last_modified } = await alice.bucket(name).getData();
      const gone = await alice.deleteBucket(name, {
        safe: true,
        last_modified,
        retry: 1,
      });
      assert.equal(gone.data.deleted, true);
      assert.ok(gone.data.last_modified > last_modified);
      const other = await alice.deleteBucket({ id: own("list-4") });
      assert.equal(other.data.id, own("list-4"));
      await fails(alice.deleteBucket(name), 403);
      await refused(alice.deleteBucket({}));
    },
  ],
  [
    "deleteBuckets: filtered, then the rest; theirs stay",
    async () => {
      const alice = client("lister");
      const one = await alice.deleteBuckets({
        filters: { n: 0 },
        fields: ["id"],
        retry: 1,
      });
      assert.deepEqual(ids(one.data), [own("list-1")]);
      assert.equal(one.data[0].deleted, true);
      const { last_modified } = await alice.listBuckets();
      await fails(
        alice.deleteBuckets({ safe: true, last_modified: last_modified - 1 }),
        412
      );
      const rest = await alice.deleteBuckets({ safe: true, last_modified });
      assert.deepEqual(
        sorted(ids(rest.data)),
        [own("list-2"), own("list-3")].sort()
      );
      const filters = { kind: own("list") };
      assert.deepEqual((await alice.listBuckets({ filters })).data, []);
      await client("alice").bucket(own("made")).getData();
    },
  ],
  [
    "batch: chunks, aggregated or not, safe, headers, nothing",
    async () => {
      const alice = client("alice");
      assert.deepEqual(await alice.batch(() => {}), []);
      const responses = await alice.batch(
        (batch) => {
          batch.createBucket(own("batch"), { data: { n: 1 } });
          for (let i = 0; i < 60; i++) {
            batch
              .bucket(own("batch"))
              .collection("c")
              .createRecord({ id: `r${i}` });
            if (i === 0) {
              batch.bucket(own("batch")).createCollection("c");
            }
          }
        },
        { retry: 1, headers: { "X-Test": "1" } }
      );
      assert.equal(responses.length, 62);
      assert.deepEqual(
        responses.slice(0, 5).map(({ status }) => status),
        [201, 404, 201, 201, 201]
      );
      assert.match(responses[0].path, /\/v1\/buckets\//);
      assert.equal(responses[0].body.data.n, 1);
      const result = await alice.batch(
        (batch) => {
          const c = batch.bucket(own("batch")).collection("c");
          c.createRecord({ id: "r1" }); // is there: a conflict
          c.createRecord({ id: "new" });
          c.deleteRecord("absent", { safe: false });
          c.createRecord({ id: "not an id" });
        },
        { aggregate: true, safe: true }
      );
      assert.deepEqual(ids(result.published.map(({ data }) => data)), ["new"]);
      assert.equal(result.conflicts[0].remote.id, "r1");
      assert.equal(result.conflicts[0].type, "outgoing");
      assert.equal(result.skipped[0].id, "absent");
      assert.equal(result.errors[0].error.errno, 107);
      const bounded = await alice.batch(
        (batch) => {
          batch.createBucket(own("batch-2"));
          batch.createCollection = undefined;
        },
        { bucket: undefined }
      );
      assert.equal(bounded[0].status, 201);
    },
  ],
  [
    "listPermissions: pages, filters, another user's are not there",
    async () => {
      await needs("permissions_endpoint");
      const alice = client("permitted");
      await alice.createBucket(own("perm"));
      for (let i = 0; i < 15; i++) {
        await alice.bucket(own("perm")).createCollection(`c${i}`);
      }
      const first = await alice.listPermissions({ retry: 1 });
      assert.equal(first.data.length, 10, "pages of 10");
      const all = await alice.listPermissions({ pages: Infinity });
      const mine = all.data.filter((e) => e.bucket_id === own("perm"));
      assert.equal(mine.length, 16);
      for (const { permissions } of mine) {
        assert.ok(permissions.includes("write"));
      }
      const buckets = await alice.listPermissions({
        filters: { resource_name: "bucket", bucket_id: own("perm") },
      });
      assert.deepEqual(
        buckets.data.map(({ uri }) => uri),
        [`/buckets/${own("perm")}`]
      );
      const theirs = await client("bob").listPermissions({ pages: Infinity });
      assert.ok(!theirs.data.some((e) => e.bucket_id === own("perm")));
    },
  ],
  [
    "createAccount: it logs in at once, and its password counts",
    async () => {
      await needs("accounts");
      const name = own("account");
      const { data } = await client(null).createAccount(name, "sw0rdfish");
      assert.equal(data.id, name);
      assert.ok(!/sw0rdfish/.test(JSON.stringify(data)));
      const login = (password) =>
        client(null, {
          headers: { Authorization: `Basic ${btoa(`${name}:${password}`)}` },
        });
      assert.equal((await login("sw0rdfish").fetchUser()).id, `account:${name}`);
      assert.match((await login("wrong").fetchUser()).id, /^basicauth:/);
      await fails(client(null).createAccount(name, "other"), 401);
      await login("sw0rdfish").createBucket(own("of-account"));
    },
  ],
  [
    "paginated requests by their path",
    async () => {
      const alice = client("alice");
      const path = `/buckets/${own("batch")}/collections/c/records`;
      const headers = alice._getHeaders({});
      const list = await alice.paginatedList(
        path,
        { pages: Infinity, sort: "id", limit: 7 },
        { headers }
      );
      assert.equal(list.data.length, 60);
      const one = await alice.paginatedOperation(
        path,
        { filters: { id: "r9" } },
        { headers, method: "GET", retry: 1 }
      );
      assert.deepEqual(ids(one.data), ["r9"]);
      const gone = await alice.paginatedDelete(path, { limit: 7 }, { headers });
      assert.equal(gone.data.length, 7);
      assert.ok(gone.hasNextPage);
      const since = alice.paginatedList(path, { since: 5 }, { headers });
      assert.match((await refused(since)).message, /ETag/);
    },
  ],
  [
    "bucket(): options reach its requests",
    async () => {
      const alice = client("alice", { safe: true, bucket: "ignored" });
      await fails(alice.createBucket(own("batch")), 412);
      const bucket = alice.bucket(own("batch"), {
        safe: false,
        retry: 2,
        headers: { Authorization: `Basic ${btoa("bob:secret-bob")}` },
      });
      await fails(bucket.getData(), 403);
      assert.ok(await alice.bucket(own("batch")).getData());
    },
  ],
];
