// SPDX-License-Identifier: Apache-2.0
//
// Files of records, where the server has the capability `attachments`.
"use strict";

const assert = require("node:assert/strict");

const {
  client,
  fails,
  needs,
  packageName,
  refused,
  unique,
  uploaders,
  userId,
} = require("./context.cjs");

const dataURL = (text, type = "text/plain", file = "hello.txt") =>
  `data:${type};name=${encodeURIComponent(file)};base64,${btoa(text)}`;

// The cases with one kind of client.
function cases(label, options) {
  const name = unique(`attachments-${label.replaceAll(" ", "-")}`);
  const files = (user = "alice") =>
    client(user, options).bucket(name).collection("files");

  return [
    [
      "without the capability the client refuses by itself",
      async () => {
        if ("attachments" in (await client("alice").fetchServerCapabilities())) {
          return;
        }
        const error = await refused(files().addAttachment(dataURL("x")));
        assert.match(error.message, /attachments not present/);
        await refused(files().removeAttachment("a"));
      },
    ],
    [
      "addAttachment: makes the record, keeps data and permissions",
      async () => {
        await needs("attachments");
        await client("alice").createBucket(name);
        await client("alice").bucket(name).createCollection("files");
        const bob = await userId("bob");
        const { data, permissions } = await files().addAttachment(
          dataURL("hello"),
          { id: "a", title: "x" },
          { permissions: { read: [bob] }, retry: 1 }
        );
        assert.equal(data.title, "x");
        assert.equal(data.attachment.filename, "hello.txt");
        assert.equal(data.attachment.size, 5);
        assert.match(data.attachment.mimetype, /^text\/plain/);
        assert.match(data.attachment.hash, /^[0-9a-f]{64}$/);
        assert.deepEqual(permissions.read, [bob]);
        const able = await client("alice").fetchServerCapabilities();
        const { base_url } = able.attachments;
        if (base_url) {
          const url = new URL(data.attachment.location, base_url);
          assert.equal(await (await fetch(url)).text(), "hello");
        }
      },
    ],
    [
      "addAttachment: without an id, with a file name, replaced, safe",
      async () => {
        await needs("attachments");
        const bytes = "\x00\xff\r\n--boundary\r\n";
        const unnamed = `data:application/octet-stream;base64,${btoa(bytes)}`;
        const made = await files().addAttachment(unnamed, undefined, {
          filename: "my-file.json",
        });
        assert.match(made.data.id, /^[0-9a-f-]{36}$/);
        assert.equal(made.data.attachment.size, bytes.length);
        assert.equal(made.data.attachment.filename, "my-file.json");
        const { data } = await files().getRecord("a");
        const next = await files().addAttachment(
          dataURL("other text"),
          { id: "a", last_modified: data.last_modified },
          { safe: true }
        );
        assert.equal(next.data.attachment.size, 10);
        assert.equal(next.data.title, "x");
        assert.ok(next.data.last_modified > data.last_modified);
        await fails(files("bob").addAttachment(dataURL("x"), { id: "a" }), 403);
      },
    ],
    [
      "removeAttachment",
      async () => {
        await needs("attachments");
        const { data } = await files().getRecord("a");
        await files().removeAttachment("a", {
          safe: true,
          last_modified: data.last_modified,
          retry: 1,
        });
        const after = (await files().getRecord("a")).data;
        assert.equal(after.attachment, null);
        assert.equal(after.title, "x");
      },
    ],
  ].map(([title, run]) => [`${label}: ${title}`, run]);
}

const native = [
  "kinto-http of Node without node-fetch sends no form: 400, and nothing else",
  async () => {
    await needs("attachments");
    const collection = client("alice").bucket("default").collection("native");
    const error = await fails(
      collection.addAttachment(dataURL("x"), { id: "a" }),
      400,
      107
    );
    assert.match(error.message, /Content-Type should be multipart/);
    await fails(collection.getRecord("a"), 404, 110);
  },
];

module.exports = [
  ...uploaders.flatMap((kind) => cases(...kind)),
  ...(packageName === "kinto" ? [] : [native]),
];
