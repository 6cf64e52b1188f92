// SPDX-License-Identifier: Apache-2.0
//
// A session of two people with Kinto's admin console (section 10-4): one who
// makes a bucket with a collection and shares it, one who has an account and
// writes into it.
"use strict";

const assert = require("node:assert/strict");

const SCHEMA = {
  type: "object",
  required: ["title"],
  properties: {
    title: { type: "string", title: "Title", minLength: 3 },
    content: { type: "string", title: "Content" },
    rank: { type: "integer", title: "Rank" },
  },
};

function screens(base, page) {
  const at = async (hash) => {
    await page.goto(`${base}/admin/#${hash}`);
    // Notices lie over the rows below them.
    await page
      .locator(".notifications button")
      .evaluateAll((buttons) => buttons.forEach((button) => button.click()));
  };
  const press = (name) => page.getByRole("button", { name }).click();
  const field = (name) => page.locator(`#root_${name}`);
  // The console reads the question mark's part when it opens a screen.
  const reopen = async (hash) => {
    await at("/buckets");
    await shown("Buckets");
    await at(hash);
  };
  // Text that is shown now, or will be within the time limit.
  const shown = (text) => page.getByText(text).first().waitFor();
  const gone = (text) =>
    page.getByText(text).first().waitFor({ state: "detached" });
  const rows = () => page.locator("tbody tr");
  const count = async (wanted) => {
    for (let i = 0; i < 1200 && (await rows().count()) !== wanted; i++) {
      await page.waitForTimeout(50);
    }
    assert.equal(await rows().count(), wanted);
  };

  async function logIn(how, name, password) {
    await page.goto(`${base}/admin/`);
    await page.getByLabel(how).check();
    await page.getByLabel("Username").fill(name);
    await page.getByLabel("Password").fill(password);
    await press(/^Sign in/);
    await shown("Connected as");
  }

  async function logOut() {
    await page.getByRole("link", { name: "Logout" }).click();
    await shown("Authentication method");
  }

  return { at, reopen, press, field, shown, gone, rows, count, logIn, logOut };
}

// The API as the user "user", for what happens meanwhile elsewhere.
async function api(base, method, path, data) {
  const answer = await fetch(base + path, {
    method,
    headers: {
      "Content-Type": "application/json",
      Authorization: "Basic " + Buffer.from("user:secret").toString("base64"),
    },
    body: data && JSON.stringify({ data }),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.json();
}

const BUCKET = "/buckets/blog";
const COLLECTION = `${BUCKET}/collections/articles`;
const PICTURES = `${BUCKET}/collections/pictures`;
const DOT = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQ" +
    "AAAABJRU5ErkJggg==",
  "base64"
);

function making(base, user) {
  const { page, step, expecting } = user;
  const { at, press, field, shown, count, logIn } = screens(base, page);

  return [
    step("the page without a slash leads to the one with", async () => {
      await page.goto(`${base}/admin`);
      assert.equal(new URL(page.url()).pathname, "/v1/admin/");
      await shown("Authentication method");
    }),
    step("log in with a name and a password", async () => {
      await logIn("Basic Auth", "user", "secret");
      await shown("basicauth:");
      await shown("permissions_endpoint");
    }),
    step("create a bucket", async () => {
      await page.getByRole("link", { name: "Create bucket" }).click();
      await field("id").fill("blog");
      await press("Create bucket");
      await shown("Bucket created.");
      // The console asks for permissions once, at the beginning.
      await page.reload();
      await shown("Connected as");
    }),
    step("create a collection with a schema", async () => {
      await at(`${BUCKET}/collections/create`);
      await field("id").fill("articles");
      await page.locator(".cm-content").first().fill(JSON.stringify(SCHEMA));
      await page.locator(".cm-content").nth(1).fill(
        JSON.stringify({ "ui:order": Object.keys(SCHEMA.properties) })
      );
      await shown("Enable file attachment");
      await press("Create collection");
      await shown("Collection created.");
      const { data } = await api(base, "GET", COLLECTION);
      assert.deepEqual(data.schema, SCHEMA);
    }),
    step("the form of a record is made of the schema", async () => {
      await at(`${COLLECTION}/records/create`);
      await field("title").fill("ab");
      await field("rank").fill("3");
      await expecting(["Form validation failed"], async () => {
        await press("Create record");
        await shown(/must NOT have fewer than 3 characters/);
      });
    }),
    step("create records", async () => {
      await field("title").fill("First article");
      await field("content").fill("With a body: <b>bold</b>, été, 日本");
      await press("Create record");
      await shown("Record created");
      await at(`${COLLECTION}/records/create`);
      await field("title").fill("Second article");
      await press("Create record");
      await shown("Second article");
      await count(2);
    }),
    step("edit a record", async () => {
      await page
        .getByRole("row", { name: "First article" })
        .getByTitle("Edit record")
        .click();
      assert.match(await field("content").inputValue(), /été, 日本/);
      await field("title").fill("First article, again");
      await press("Update record");
      await shown("First article, again");
    }),
    step("a change of somebody else meanwhile is not lost", async () => {
      await page
        .getByRole("row", { name: "Second article" })
        .getByTitle("Edit record")
        .click();
      await field("title").fill("Mine");
      const id = page.url().match(/records\/([^/]+)/)[1];
      await api(base, "PATCH", `${COLLECTION}/records/${id}`, {
        content: "theirs",
      });
      await expecting([412], async () => {
        await press("Update record");
        await shown(/412/);
      });
      const { data } = await api(base, "GET", `${COLLECTION}/records/${id}`);
      assert.equal(data.content, "theirs");
    }),
  ];
}

function looking(base, user) {
  const { page, quiet, step } = user;
  const { at, reopen, shown, count } = screens(base, page);

  return [
    step("history of the collection", async () => {
      await at(`${COLLECTION}/history`);
      await count(5);
      await page.getByTitle("View entry details").nth(1).click();
      await shown("First article, again");
    }),
    step("history, one kind of object only", async () => {
      await reopen(`${COLLECTION}/history?resource_name=collection`);
      await count(1);
    }),
    step("history without somebody", async () => {
      const { user: me } = await api(base, "GET", "/");
      const id = encodeURIComponent(me.id);
      await reopen(`${COLLECTION}/history?exclude_user_id=${id}`);
      await shown("History for");
      await quiet();
      assert.equal(await page.getByTitle("View entry details").count(), 0);
    }),
    step("history of the bucket, without its records", async () => {
      await at(`${BUCKET}/history`);
      await count(2);
    }),
    step("history of a record", async () => {
      await at(`${COLLECTION}/records`);
      await page
        .getByRole("row", { name: "First article" })
        .getByTitle("Edit record")
        .click();
      await page.getByRole("link", { name: "History" }).click();
      await count(2);
    }),
    step("compare with an earlier state", async () => {
      await at(`${COLLECTION}/history`);
      await count(5);
      await page.getByTitle("Compare with this version").last().click();
      await shown("Entire collection");
    }),
    step("sort and search the list", async () => {
      await at(`${COLLECTION}/records`);
      await count(2);
      await page.getByPlaceholder("Quicksearch").fill("again");
      await count(1);
    }),
  ];
}

function sharing(base, user) {
  const { page, step, expecting } = user;
  const { at, press, field, shown } = screens(base, page);

  return [
    step("create a group", async () => {
      await at(`${BUCKET}/groups/create`);
      await field("id").fill("editors");
      await field("members__add").click();
      await field("members_0").fill("account:alice");
      // The console may ask for the group before its own PUT has arrived.
      await expecting([404], async () => {
        await press("Create group");
        await shown("Delete the editors group.");
      });
      await at(`${BUCKET}/groups`);
      await page.getByRole("cell", { name: "editors" }).waitFor();
      const { data } = await api(base, "GET", `${BUCKET}/groups/editors`);
      assert.deepEqual(data.members, ["account:alice"]);
    }),
    step("let the group write into the collection", async () => {
      await at(`${COLLECTION}/permissions`);
      await field("groups").or(field("groups__title")).first().waitFor();
      await page.locator('input[id^="root_groups"][id$="-1"]').check();
      await press("Submit");
      await shown("Collection permissions updated.");
      const { permissions } = await api(base, "GET", COLLECTION);
      assert.ok(permissions.write.includes(`${BUCKET}/groups/editors`));
    }),
    step("let everybody read the bucket", async () => {
      await at(`${BUCKET}/permissions`);
      await field("anonymous-0").check();
      await press("Submit");
      await shown("Bucket permissions updated.");
      const { permissions } = await api(base, "GET", BUCKET);
      assert.deepEqual(permissions.read, ["system.Everyone"]);
    }),
  ];
}

function other(base, user) {
  const { page, step } = user;
  const { at, press, field, shown, count, logIn, logOut } = screens(base, page);

  return [
    step("log in with an account", async () => {
      await logIn("Kinto Account Auth", "alice", "wonderland");
      await shown("account:alice");
      await at(`${COLLECTION}/records`);
      await count(2);
    }),
    step("a member of the group may write a record", async () => {
      await at(`${COLLECTION}/records/create`);
      await field("title").fill("Third article");
      await press("Create record");
      await shown("Third article");
      await count(3);
    }),
    step("but not the bucket", async () => {
      await at(`${BUCKET}/attributes`);
      await shown("You don't have the required permission");
    }),
    step("log out", logOut),
  ];
}

// Through an OpenID provider, which sends everybody back as alice.
function provided(base, user) {
  const { page, step } = user;
  const { at, press, shown, logOut } = screens(base, page);

  return [
    step("log in with an OpenID provider", async () => {
      await page.goto(`${base}/admin/`);
      await page.getByLabel("OpenID Connect (Idp)").check();
      await press(/^Sign in/);
      await shown("Connected as");
      await shown("idp:alice@example.org");
      assert.ok(page.url().startsWith(`${base}/admin/`));
    }),
    step("see what everybody may read", async () => {
      await at(`${COLLECTION}/records`);
      await shown("Third article");
    }),
    step("log out of it", logOut),
  ];
}

// Files of records (docs/attachments.md).
function attaching(base, user) {
  const { page, step } = user;
  const { at, press, field, shown, count } = screens(base, page);
  const choose = (name, mimeType, buffer) =>
    field("__attachment__").setInputFiles({ name, mimeType, buffer });
  const attachment = async () =>
    (await api(base, "GET", `${PICTURES}/records`)).data[0].attachment;
  const edit = async () => {
    await at(`${PICTURES}/records`);
    await page.getByTitle("Edit record").first().click();
  };

  return [
    step("create a collection whose records have files", async () => {
      await at(`${BUCKET}/collections/create`);
      await field("id").fill("pictures");
      await field("attachment_enabled").check();
      await press("Create collection");
      await shown("Collection created.");
      const { data } = await api(base, "GET", PICTURES);
      assert.equal(data.attachment.enabled, true);
    }),
    step("upload a file with a new record", async () => {
      await at(`${PICTURES}/records/create`);
      await choose("dot.png", "image/png", DOT);
      await press("Create record");
      await shown("Record created");
      await count(1);
      const { filename, mimetype, size, location } = await attachment();
      assert.deepEqual(
        [filename, mimetype, size],
        ["dot.png", "image/png", DOT.length]
      );
      const file = Buffer.from(await (await fetch(location)).arrayBuffer());
      assert.ok(file.equals(DOT));
    }),
    step("the picture is shown with its record", async () => {
      await edit();
      await shown("Attachment information");
      const picture = page.locator(".attachment-img img");
      await picture.waitFor();
      await page.waitForFunction(
        () => document.querySelector(".attachment-img img").naturalWidth === 1
      );
    }),
    step("replace it", async () => {
      const { location } = await attachment();
      await choose("words.txt", "text/plain", Buffer.from("some words"));
      await press("Update record");
      await shown("Record updated");
      assert.equal((await attachment()).filename, "words.txt");
      assert.equal((await fetch(location)).status, 404);
    }),
    step("delete it", async () => {
      const { location } = await attachment();
      await edit();
      await press("Delete this attachment");
      await page.locator(".attachment-info").waitFor({ state: "detached" });
      assert.equal(await attachment(), null);
      assert.equal((await fetch(location)).status, 404);
    }),
  ];
}

function deleting(base, user) {
  const { page, step } = user;
  const { at, press, field, shown, gone, count, logOut } = screens(base, page);
  const confirm = async (what, name) => {
    await page.locator("#root").fill(name);
    await press(`Delete ${what}`);
  };

  return [
    step("delete a record", async () => {
      await at(`${COLLECTION}/records`);
      await page
        .getByRole("row", { name: "Third article" })
        .getByTitle("Delete record")
        .click();
      await shown("Record deleted.");
      await gone("Third article");
      await count(2);
    }),
    step("change the bucket's attributes", async () => {
      await at(`${BUCKET}/attributes`);
      await page.locator(".cm-content").first().fill('{"colour": "blue"}');
      await press("Update bucket");
      await shown("Bucket attributes updated.");
      const { data } = await api(base, "GET", BUCKET);
      assert.equal(data.colour, "blue");
    }),
    step("delete the collection", async () => {
      await at(`${COLLECTION}/attributes`);
      await field("id").waitFor();
      await confirm("collection", "articles");
      await page.waitForURL(/#\/buckets\/blog\/collections$/);
      await gone("articles");
    }),
    step("delete the bucket", async () => {
      await at(`${BUCKET}/attributes`);
      await field("id").waitFor();
      await confirm("bucket", "blog");
      await page.waitForURL(/#\/$/);
      const { data } = await api(base, "GET", "/buckets");
      assert.deepEqual(data, []);
      await page.reload();
      await shown("Connected as");
      await gone("Create collection");
    }),
    step("log out", logOut),
  ];
}

module.exports = {
  attaching,
  deleting,
  looking,
  making,
  other,
  provided,
  sharing,
};
