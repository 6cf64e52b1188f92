// SPDX-License-Identifier: Apache-2.0
//
// listRecords: filters of every kind, sorting, pages, since, fields, headers
// (sections 04, 10-1.3).
"use strict";

const assert = require("node:assert/strict");

const { client, fails, ids, refused, unique } = require("./context.cjs");

const name = unique("lists");
const records = (user = "alice") =>
  client(user).bucket(name).collection("records");
const N = 35;

const list = async (filters, options = {}) =>
  (
    await records().listRecords({
      filters,
      sort: "n",
      pages: Infinity,
      ...options,
    })
  ).data.map(({ n }) => n);

module.exports = [
  [
    "thirty-five records",
    async () => {
      await client("alice").createBucket(name);
      const { published } = await records().batch(
        (batch) => {
          batch.setData({});
          for (let n = 0; n < N; n++) {
            batch.createRecord({
              id: `r${String(n).padStart(2, "0")}`,
              n,
              title: n % 2 ? `ren\u00e9 ${n}` : `task ${n}`,
              odd: n % 2 === 1,
              tags: [`t${n % 3}`, "all"],
              deep: { k: `${n % 5}` },
              ...(n % 7 ? {} : { seventh: null }),
            });
          }
        },
        { aggregate: true }
      );
      assert.equal(published.length, N + 1);
    },
  ],
  [
    "filters: equal, not, min, max, gt, lt",
    async () => {
      assert.deepEqual(await list({ n: 5 }), [5]);
      assert.deepEqual(await list({ title: "ren\u00e9 3" }), [3]);
      assert.deepEqual(await list({ odd: true, max_n: 4 }), [1, 3]);
      assert.deepEqual(await list({ odd: "false", lt_n: 4 }), [0, 2]);
      assert.equal((await list({ not_n: 5 })).length, N - 1);
      assert.deepEqual(await list({ min_n: 33 }), [33, 34]);
      assert.deepEqual(await list({ gt_n: 33 }), [34]);
      assert.deepEqual(await list({ "deep.k": '"4"', max_n: 9 }), [4, 9]);
    },
  ],
  [
    "filters: in, exclude, like, has, contains",
    async () => {
      assert.deepEqual(await list({ in_n: "1,2,99" }), [1, 2]);
      assert.deepEqual(await list({ in_id: ["r03", "r04"] }), [3, 4]);
      assert.deepEqual(
        await list({ exclude_n: [0, 1, 2].join(","), max_n: 4 }),
        [3, 4]
      );
      assert.deepEqual(await list({ like_title: "*sk 2*", max_n: 9 }), [2]);
      assert.deepEqual(await list({ like_title: "\u00e9 1" }).then((l) => l[0]), 1);
      assert.deepEqual(await list({ has_seventh: true }), [0, 7, 14, 21, 28]);
      assert.equal((await list({ has_seventh: false })).length, N - 5);
      assert.deepEqual(
        await list({ contains_tags: '["t1","all"]', max_n: 7 }),
        [1, 4, 7]
      );
      assert.deepEqual(
        await list({ contains_any_tags: '["t0","t2"]', max_n: 3 }),
        [0, 2, 3]
      );
    },
  ],
  [
    "a wrong filter says what is wrong",
    async () => {
      const when = { last_modified: "yesterday" };
      await fails(records().listRecords({ filters: when }), 400, 107);
      await fails(records().listRecords({ filters: { in_id: 5 } }), 400, 107);
      await fails(records().listRecords({ limit: -1 }), 400, 107);
      await fails(records().listRecords({ since: "abc" }), 400, 107);
      await refused(records().listRecords({ since: 5 }));
    },
  ],
  [
    "sort: several keys, both ways",
    async () => {
      const { data } = await records().listRecords({
        sort: "odd,-n",
        pages: Infinity,
      });
      const wanted = [];
      for (const odd of [0, 1]) {
        for (let n = N - 1; n >= 0; n--) {
          if (n % 2 === odd) {
            wanted.push(n);
          }
        }
      }
      assert.deepEqual(
        data.map(({ n }) => n),
        wanted
      );
      const deep = await records().listRecords({
        sort: "-deep.k,n",
        limit: 2,
      });
      assert.deepEqual(
        deep.data.map(({ n }) => n),
        [4, 9]
      );
    },
  ],
  [
    "pages: one by one, some, all; the server's own limit",
    async () => {
      let page = await records().listRecords();
      assert.equal(page.data.length, 10, "paginate_by is 10");
      const seen = [...ids(page.data)];
      while (page.hasNextPage) {
        page = await page.next();
        seen.push(...ids(page.data));
      }
      assert.equal(new Set(seen).size, N);
      assert.equal(seen[0], `r${N - 1}`);
      const two = await records().listRecords({ limit: 4, pages: 2 });
      assert.equal(two.data.length, 8);
      const more = await two.next();
      // Further pages are added to what is there.
      assert.equal(more.data.length, 12);
      assert.match((await refused(page.next())).message, /exhausted/);
    },
  ],
  [
    "since: changes and tombstones; an empty list keeps its timestamp",
    async () => {
      const before = await records().listRecords({ limit: 1 });
      const nothing = await records().listRecords({
        since: before.last_modified,
      });
      assert.deepEqual(nothing.data, []);
      assert.equal(nothing.last_modified, before.last_modified);
      await records().updateRecord({ id: "r01", n: 1 }, { patch: true });
      await records().deleteRecord("r02");
      const after = await records().listRecords({ since: before.last_modified });
      assert.deepEqual(ids(after.data), ["r02", "r01"]);
      assert.equal(after.data[0].deleted, true);
      assert.ok(after.last_modified > before.last_modified);
      const only = await records().listRecords({
        since: before.last_modified,
        filters: { deleted: true },
        fields: ["deleted"],
      });
      assert.deepEqual(ids(only.data), ["r02"]);
      const window = await records().listRecords({
        since: "0",
        filters: { _before: after.data[1].last_modified, min_n: 33 },
      });
      assert.deepEqual(ids(window.data), ["r34", "r33"]);
    },
  ],
  [
    "fields, headers, retry",
    async () => {
      const { data } = await records().listRecords({
        fields: ["n", "deep.k"],
        limit: 1,
        sort: "n",
        retry: 1,
        headers: { "X-Test": "1" },
      });
      assert.deepEqual(Object.keys(data[0]).sort(), [
        "deep",
        "id",
        "last_modified",
        "n",
      ]);
      await fails(
        records().listRecords({
          headers: { Authorization: `Basic ${btoa("bob:secret-bob")}` },
        }),
        403
      );
    },
  ],
];
