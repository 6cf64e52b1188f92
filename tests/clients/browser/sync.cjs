// SPDX-License-Identifier: Apache-2.0
//
// The offline-first client in two browsers, with their IndexedDB, on a page
// whose origin is not the server's: every request crosses origins (sections
// 10-2 and 01-5).
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");

const files = {
  "/": ["text/html; charset=utf-8", path.join(__dirname, "page.html")],
  "/kinto.min.js": [
    "text/javascript; charset=utf-8",
    require.resolve("kinto/dist/kinto.min.js"),
  ],
};

// A web server for the page, on a port of its own.
function serve() {
  const server = http.createServer((request, response) => {
    const [type, file] = files[request.url.replace(/\?.*/, "")] || [];
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "Content-Type": type });
    response.end(fs.readFileSync(file));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

// In the page: synchronise, and tell how many of what.
async function sync(page, options = {}) {
  return page.evaluate(async (given) => {
    const result = await notes.sync(given);
    await show();
    const counts = { ok: result.ok };
    for (const list of [
      "created",
      "updated",
      "deleted",
      "published",
      "conflicts",
      "resolved",
      "errors",
    ]) {
      if (result[list].length > 0) {
        counts[list] = result[list].length;
      }
    }
    return counts;
  }, options);
}

const texts = (page) =>
  page.evaluate(async () => (await show()).map(({ text }) => text).sort());

// Give the note another text.
const change = (page, from, to) =>
  page.evaluate(
    async ([from, to]) => {
      const { data } = await notes.list({ filters: { text: from } });
      await notes.update({ ...data[0], text: to });
      await show();
    },
    [from, to]
  );

function steps(base, origin, phone, laptop) {
  const url = `${origin}/?remote=${encodeURIComponent(base)}`;
  const offline = ["net::ERR_INTERNET_DISCONNECTED"];
  const seen = [];

  return [
    phone.step("the page opens, with another origin", async () => {
      assert.notEqual(new URL(base).origin, origin);
      phone.page.on("request", (request) => {
        seen.push(`${request.method()} ${new URL(request.url()).origin}`);
      });
      await phone.page.goto(url);
      assert.deepEqual(await texts(phone.page), []);
    }),
    phone.step("notes are taken offline", async () => {
      await phone.context.setOffline(true);
      await phone.page.evaluate(async () => {
        for (const text of ["one", "two", "three ☃"]) {
          await notes.create({ text });
        }
      });
      assert.equal((await texts(phone.page)).length, 3);
      await phone.expecting(offline, async () => {
        const failed = await phone.page.evaluate(() =>
          notes.sync().then(
            () => "synchronised",
            (error) => error.message
          )
        );
        assert.notEqual(failed, "synchronised");
      });
    }),
    phone.step("and are still there after the page was closed", async () => {
      await phone.context.setOffline(false);
      await phone.page.goto("about:blank");
      await phone.page.goto(url);
      assert.deepEqual(await texts(phone.page), ["one", "three ☃", "two"]);
    }),
    phone.step("online they go to the server", async () => {
      assert.deepEqual(await sync(phone.page), { ok: true, published: 3 });
      assert.ok(seen.includes(`POST ${new URL(base).origin}`));
      assert.deepEqual(await sync(phone.page), { ok: true });
    }),
    laptop.step("and from there to another browser", async () => {
      await laptop.page.goto(url);
      assert.deepEqual(await texts(laptop.page), []);
      assert.deepEqual(await sync(laptop.page), { ok: true, created: 3 });
      assert.deepEqual(await texts(laptop.page), ["one", "three ☃", "two"]);
    }),
    laptop.step("changes and deletions come back", async () => {
      await change(laptop.page, "one", "one, changed");
      await laptop.page.evaluate(async () => {
        const { data } = await notes.list({ filters: { text: "two" } });
        await notes.delete(data[0].id);
      });
      assert.deepEqual(await sync(laptop.page), { ok: true, published: 2 });
      assert.deepEqual(await sync(phone.page), {
        ok: true,
        updated: 1,
        deleted: 1,
      });
      assert.deepEqual(await texts(phone.page), ["one, changed", "three ☃"]);
    }),
    phone.step("both change a note: a conflict, settled by hand", async () => {
      await change(phone.page, "one, changed", "phone");
      await change(laptop.page, "one, changed", "laptop");
      assert.deepEqual(await sync(laptop.page), { ok: true, published: 1 });
      assert.deepEqual(await sync(phone.page, { strategy: "manual" }), {
        ok: false,
        conflicts: 1,
      });
      await phone.page.evaluate(async () => {
        const { conflicts } = await notes.sync({ strategy: "manual" });
        const [{ local, remote }] = conflicts;
        await notes.resolve(conflicts[0], {
          ...local,
          text: `${local.text} and ${remote.text}`,
        });
      });
      assert.deepEqual(await sync(phone.page), { ok: true, published: 1 });
      assert.deepEqual(await sync(laptop.page), { ok: true, updated: 1 });
      for (const { page } of [phone, laptop]) {
        assert.deepEqual(await texts(page), ["phone and laptop", "three ☃"]);
      }
    }),
    phone.step("or by the server", async () => {
      await change(phone.page, "three ☃", "phone");
      await change(laptop.page, "three ☃", "laptop");
      assert.deepEqual(await sync(laptop.page), { ok: true, published: 1 });
      const { ok, resolved } = await sync(phone.page, {
        strategy: "server_wins",
      });
      assert.deepEqual([ok, resolved], [true, 1]);
      assert.deepEqual(await texts(phone.page), ["laptop", "phone and laptop"]);
    }),
  ];
}

module.exports = { serve, steps };
