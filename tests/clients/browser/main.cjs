// SPDX-License-Identifier: Apache-2.0
//
// Sessions in a real browser, against CLQ_BASE_URL; with CLQ_GUIDE, the page
// that this file describes, and CLQ_BUSY_URL, which sends Backoff. Prints TAP.
"use strict";

const { launch } = require("./browser.cjs");
const { group, done } = require("./tap.cjs");
const session = require("./console.cjs");
const sync = require("./sync.cjs");
const guide = require("./guide.cjs");

const base = process.env.CLQ_BASE_URL;
const name = process.env.CLQ_BACKEND;

async function consoleSession(browser) {
  const maker = await browser.user("maker");
  const alice = await browser.user("alice");

  await group(`${name}: console`, [
    ...session.making(base, maker),
    ...session.looking(base, maker),
    ...session.sharing(base, maker),
    ...session.other(base, alice),
    ...session.provided(base, await browser.user("provided")),
    ...session.attaching(base, maker),
    ...session.deleting(base, maker),
  ]);
}

async function syncSession(browser) {
  const server = await sync.serve();
  const origin = `http://127.0.0.1:${server.address().port}`;

  try {
    const phone = await browser.user("phone");
    const laptop = await browser.user("laptop");
    await group(
      `${name}: offline-first page`,
      sync.steps(base, origin, phone, laptop)
    );
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

async function guideSession(browser) {
  const { CLQ_GUIDE, CLQ_BUSY_URL } = process.env;
  const server = await guide.serve(CLQ_GUIDE, base, CLQ_BUSY_URL);

  try {
    const phone = await browser.user("phone");
    const laptop = await browser.user("laptop");
    await group(`${name}: page`, guide.steps(server, base, phone, laptop));
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

(async () => {
  const browser = await launch();
  try {
    if (process.env.CLQ_GUIDE) {
      await guideSession(browser);
    } else {
      await consoleSession(browser);
      await syncSession(browser);
    }
  } finally {
    await browser.close();
  }
  done();
})().catch((error) => {
  console.log(`Bail out! ${error.stack}`);
  process.exitCode = 1;
});
