// SPDX-License-Identifier: Apache-2.0
//
// Sessions in a real browser, against CLQ_BASE_URL. Prints TAP.
"use strict";

const { launch } = require("./browser.cjs");
const { group, done } = require("./tap.cjs");
const session = require("./console.cjs");
const sync = require("./sync.cjs");

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

(async () => {
  const browser = await launch();
  try {
    await consoleSession(browser);
    await syncSession(browser);
  } finally {
    await browser.close();
  }
  done();
})().catch((error) => {
  console.log(`Bail out! ${error.stack}`);
  process.exitCode = 1;
});
