// SPDX-License-Identifier: Apache-2.0
//
// Groups of a bucket, and what their members may do (sections 08, 10-1.3).
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

const name = unique("groups");
const bucket = () => client("alice").bucket(name);

module.exports = [
  [
    "createGroup: members, data, permissions, safe",
    async () => {
      await client("alice").createBucket(name);
      const bob = await userId("bob");
      const made = await bucket().createGroup("readers", [bob], {
        data: { n: 1 },
        permissions: { read: [bob] },
        safe: true,
        retry: 1,
      });
      assert.deepEqual(made.data.members, [bob]);
      assert.equal(made.data.n, 1);
      assert.deepEqual(made.permissions.read, [bob]);
      await fails(bucket().createGroup("readers", [], { safe: true }), 412);
      await bucket().createGroup("writers");
      const empty = await bucket().getGroup("writers");
      assert.deepEqual(empty.data.members, []);
    },
  ],
  [
    "getGroup, and who else may see it",
    async () => {
      const { data } = await client("bob").bucket(name).getGroup("readers", {
        fields: ["n"],
        query: { x: "1" },
        retry: 1,
      });
      assert.equal(data.n, 1);
      assert.ok(!("members" in data));
      await fails(client("bob").bucket(name).getGroup("writers"), 403);
      await fails(bucket().getGroup("absent"), 404, 110);
    },
  ],
  [
    "members of a group have what it was given",
    async () => {
      const bob = client("bob").bucket(name);
      await fails(bob.createCollection("c"), 403);
      await bucket().addPermissions({
        "collection:create": [`/buckets/${name}/groups/readers`],
      });
      await bob.createCollection("c");
      await bucket().removePermissions({
        "collection:create": [`/buckets/${name}/groups/readers`],
      });
      await fails(bob.createCollection("d"), 403);
    },
  ],
  [
    "updateGroup: replace, patch, safe",
    async () => {
      const { data } = await bucket().getGroup("readers");
      const set = await bucket().updateGroup(
        { id: "readers", members: ["x", "y"] },
        { data: { m: 2 }, permissions: { read: [] }, retry: 1 }
      );
      assert.deepEqual(sorted(set.data.members), ["x", "y"]);
      assert.equal(set.data.m, 2);
      assert.equal(set.data.n, undefined);
      const patched = await bucket().updateGroup(
        { id: "readers", n: 3 },
        { patch: true }
      );
      assert.deepEqual(sorted(patched.data.members), ["x", "y"]);
      assert.equal(patched.data.n, 3);
      await fails(
        bucket().updateGroup(
          { id: "readers", members: [], last_modified: data.last_modified },
          { safe: true }
        ),
        412
      );
      await refused(bucket().updateGroup({ members: [] }));
      await refused(bucket().updateGroup("text"));
    },
  ],
  [
    "listGroups and their timestamp",
    async () => {
      const list = await bucket().listGroups({ retry: 1 });
      assert.deepEqual(ids(list.data), ["readers", "writers"]);
      assert.equal(
        await bucket().getGroupsTimestamp({ retry: 1 }),
        `"${list.last_modified}"`
      );
      const some = await bucket().listGroups({
        filters: { contains_members: '["x"]' },
        fields: ["members"],
      });
      assert.deepEqual(ids(some.data), ["readers"]);
      const any = await bucket().listGroups({
        filters: { contains_any_members: '["y","z"]' },
        sort: "id",
        limit: 1,
      });
      assert.deepEqual(ids(any.data), ["readers"]);
    },
  ],
  [
    "deleteGroup, deleteGroups",
    async () => {
      const { data } = await bucket().getGroup("writers");
      await fails(
        bucket().deleteGroup("writers", {
          safe: true,
          last_modified: data.last_modified - 1,
        }),
        412
      );
      const gone = await bucket().deleteGroup(data, { safe: true, retry: 1 });
      assert.equal(gone.data.deleted, true);
      await fails(bucket().deleteGroup("writers"), 404);
      const none = await bucket().deleteGroups({ filters: { n: 99 } });
      assert.deepEqual(none.data, []);
      const rest = await bucket().deleteGroups({ retry: 1 });
      assert.deepEqual(ids(rest.data), ["readers"]);
    },
  ],
];
