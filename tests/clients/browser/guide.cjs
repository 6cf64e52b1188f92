// SPDX-License-Identifier: Apache-2.0
//
// The page of docs/clients.md, as it stands there, in two browsers: signing up,
// synchronising, conflicts in each way, starting offline, being refused and
// being asked to wait.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");

const HERE = "http://127.0.0.1:8888/v1";
const TYPES = { html: "text/html", js: "text/javascript" };

// What stands below `<!-- file: NAME -->` and `<!-- append: NAME -->`.
function filesOf(page) {
  const files = {};
  const block = /<!-- (file|append): (\S+) -->\n```\w+\n(.*?)```/gs;

  for (const [, how, name, text] of page.matchAll(block)) {
    files[name] = how === "file" ? text : files[name] + text;
  }
  return files;
}

// The page for a server at /, and for one that is busy at /busy/.
function serve(guide, base, busy) {
  const files = filesOf(fs.readFileSync(guide, "utf8"));
  files["kinto.min.js"] = fs.readFileSync(
    require.resolve("kinto/dist/kinto.min.js"),
    "utf8"
  );
  assert.ok(files["notes.js"].includes(`"${HERE}"`));
  const server = http.createServer((request, response) => {
    const name = path.basename(request.url) || "index.html";
    const remote = request.url.startsWith("/busy") ? busy : base;
    const found = name === "busy" ? "index.html" : name;
    if (!(found in files)) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[path.extname(found).slice(1)];
    response.writeHead(200, { "Content-Type": `${type}; charset=utf-8` });
    response.end(files[found].replace(HERE, remote));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

const logIn = (page, name, password) =>
  page.evaluate(
    ([name, password]) => {
      window.notes = notesOf(name, password);
    },
    [name, password]
  );

const sync = (page, strategy) =>
  page.evaluate(async (strategy) => {
    const said = await synchronise(notes, strategy);
    await show(notes);
    return said;
  }, strategy);

const texts = (page) =>
  page.evaluate(async () => {
    await show(notes);
    return [...document.querySelectorAll("#notes li")].map(
      (item) => item.textContent
    );
  });

const change = (page, from, to) =>
  page.evaluate(
    async ([from, to]) => {
      const { data } = await notes.list({ filters: { text: from } });
      if (to === null) {
        await notes.delete(data[0].id);
      } else {
        await notes.update({ ...data[0], text: to });
      }
    },
    [from, to]
  );

// What was deleted over there: another text for it, or null.
const settle = (page, again) =>
  page.evaluate(async (again) => {
    const { conflicts } = await synchronise(notes);
    return settle(notes, conflicts, (here, there) =>
      there === null ? again : `${here} and ${there}`
    );
  }, again);

// Both change the first text, and the laptop's change is there first.
async function collide(phone, laptop, from, here, there) {
  await change(phone.page, from, here);
  await change(laptop.page, from, there);
  assert.equal(await sync(laptop.page), "done");
}

function conflicts(phone, laptop) {
  const same = async (wanted) => {
    assert.equal(await sync(laptop.page), "done");
    assert.deepEqual(await texts(phone.page), wanted);
    assert.deepEqual(await texts(laptop.page), wanted);
  };
  return [
    phone.step("a conflict: by hand", async () => {
      await collide(phone, laptop, "milk", "phone", "laptop");
      const { conflicts } = await sync(phone.page);
      assert.equal(conflicts.length, 1);
      assert.equal(await settle(phone.page), "done");
      await same(["phone and laptop"]);
    }),
    phone.step("with what was deleted", async () => {
      await collide(phone, laptop, "phone and laptop", "phone", null);
      assert.equal(await settle(phone.page, "phone again"), "done");
      await same(["phone again"]);
      await collide(phone, laptop, "phone again", "phone", null);
      assert.equal(await settle(phone.page, null), "done");
      await same([]);
      await phone.page.evaluate(() => notes.create({ text: "milk" }));
      assert.equal(await sync(phone.page), "done");
      await same(["milk"]);
    }),
    phone.step("the client wins", async () => {
      await collide(phone, laptop, "milk", "phone", "laptop");
      assert.equal(await sync(phone.page, "client_wins"), "done");
      await same(["phone"]);
      await collide(phone, laptop, "phone", "phone again", null);
      assert.equal(await sync(phone.page, "client_wins"), "done");
      await same(["phone again"]);
    }),
    phone.step("the server wins", async () => {
      await collide(phone, laptop, "phone again", "phone", "laptop");
      assert.equal(await sync(phone.page, "server_wins"), "done");
      await same(["laptop"]);
      await phone.page.evaluate(() => notes.create({ text: "milk" }));
      assert.equal(await sync(phone.page), "done");
      await same(["laptop", "milk"]);
      await collide(phone, laptop, "milk", "phone", null);
      assert.equal(await sync(phone.page, "server_wins"), "done");
      await same(["laptop"]);
    }),
  ];
}

function refusals(base, phone) {
  return [
    phone.step("a wrong password", async () => {
      await phone.expecting([401], async () => {
        await logIn(phone.page, "zoe", "wrong");
        assert.equal(await sync(phone.page), "log in");
      });
      await logIn(phone.page, "zoe", "s3crèt");
      assert.equal(await sync(phone.page), "done");
    }),
    phone.step("a collection of somebody else", async () => {
      const ask = (path, body) =>
        phone.page.evaluate(
          async ([url, body]) => {
            const response = await fetch(url, {
              method: "PUT",
              headers: {
                "Content-Type": "application/json",
                ...authorization("zoe", "s3crèt"),
              },
              body: JSON.stringify(body),
            });
            return response.status;
          },
          [base + path, body]
        );
      const read = { permissions: { read: ["account:bob"] } };
      assert.equal(await ask("/buckets/shared", {}), 201);
      for (const name of ["closed", "open"]) {
        const path = `/buckets/shared/collections/${name}`;
        assert.equal(await ask(path, name === "open" ? read : {}), 201);
      }
      const tried = (name) =>
        phone.page.evaluate(async (name) => {
          const db = new Kinto.default({
            remote,
            bucket: "shared",
            headers: authorization("bob", "s3crèt"),
            adapterOptions: { dbName: "bob" },
          });
          const theirs = db.collection(name);
          await theirs.create({ text: "x" });
          const said = await synchronise(theirs);
          return said.errors ? said.errors.map(({ error }) => error.code) : said;
        }, name);
      assert.equal(
        await phone.page.evaluate(() => signUp("bob", "s3crèt")),
        201
      );
      await phone.expecting([403], async () => {
        assert.equal(await tried("closed"), "forbidden");
        assert.deepEqual(await tried("open"), [403]);
      });
    }),
  ];
}

function steps(server, base, phone, laptop) {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const sign = (page) => page.evaluate(() => signUp("zoe", "s3crèt"));

  return [
    phone.step("guide: signing up", async () => {
      await phone.page.goto(`${origin}/`);
      assert.equal(await sign(phone.page), 201);
      await phone.expecting([400, 412], async () => {
        assert.equal(await sign(phone.page), 412);
        assert.equal(
          await phone.page.evaluate(() => signUp("bob", "")),
          400
        );
      });
      for (const [password, right] of [["s3crèt", true], ["wrong", false]]) {
        const said = phone.page.evaluate(
          (given) => passwordIsRight("zoe", given),
          password
        );
        assert.equal(await said, right);
      }
    }),
    phone.step("from one browser to the other", async () => {
      await logIn(phone.page, "zoe", "s3crèt");
      await phone.page.evaluate(() => notes.create({ text: "milk" }));
      assert.equal(await sync(phone.page), "done");
      await laptop.page.goto(`${origin}/`);
      await logIn(laptop.page, "zoe", "s3crèt");
      assert.equal(await sync(laptop.page), "done");
      assert.deepEqual(await texts(laptop.page), ["milk"]);
    }),
    ...conflicts(phone, laptop),
    ...refusals(base, phone),
    laptop.step("a server that asks to wait", async () => {
      await laptop.page.goto(`${origin}/busy/`);
      await laptop.page.evaluate(() => signUp("zoe", "s3crèt"));
      await logIn(laptop.page, "zoe", "s3crèt");
      assert.equal(await sync(laptop.page), "flushed");
      assert.equal(await sync(laptop.page), "later");
      await laptop.page.evaluate(async () => {
        await notes.resetSyncStatus();
        await notes.sync({ ignoreBackoff: true });
      });
      assert.deepEqual(await texts(laptop.page), ["laptop"]);
      assert.equal(await sync(laptop.page), "later");
    }),
    phone.step("starting offline", async () => {
      await phone.page.evaluate(() => navigator.serviceWorker.ready);
      server.close();
      server.closeAllConnections();
      await phone.page.goto("about:blank");
      await phone.page.goto(`${origin}/`);
      await phone.context.setOffline(true);
      await logIn(phone.page, "zoe", "s3crèt");
      assert.deepEqual(await texts(phone.page), ["laptop"]);
      await phone.page.evaluate(() => notes.create({ text: "offline" }));
      await phone.expecting(["net::ERR_INTERNET_DISCONNECTED"], async () => {
        assert.equal(await sync(phone.page), "offline");
      });
      await phone.context.setOffline(false);
      assert.equal(await sync(phone.page), "done");
      assert.deepEqual(await texts(phone.page), ["laptop", "offline"]);
    }),
  ];
}

module.exports = { serve, steps };
