// SPDX-License-Identifier: Apache-2.0
//
// Every public method of an HTTP client (CLQ_CLIENT: kinto or kinto-http), and
// of the offline-first one of `kinto`, against CLQ_BASE_URL. The last case
// fails if a method has none. Prints TAP.
"use strict";

require("fake-indexeddb/auto");

const assert = require("node:assert/strict");

const { done, group } = require("../kinto-js/tap.cjs");
const { client, packageName } = require("./context.cjs");
const reflect = require("./reflect.cjs");

async function main() {
  await group(`${packageName} client`, require("./client.cjs"));
  await group(`${packageName} bucket`, require("./bucket.cjs"));
  await group(`${packageName} groups`, require("./groups.cjs"));
  await group(`${packageName} collection`, require("./collection.cjs"));
  await group(`${packageName} lists`, require("./lists.cjs"));
  await group(`${packageName} history`, require("./history.cjs"));
  await group(`${packageName} attachments`, require("./attachments.cjs"));
  await group(`${packageName} signals`, require("./signals.cjs"));
  if (packageName === "kinto") {
    await group("offline first", require("./offline.cjs"));
  }
  const capabilities = await client("alice").fetchServerCapabilities();
  await group(`${packageName} methods`, [
    [
      `each of ${reflect.all().length} was called`,
      () => {
        const missing = reflect
          .missing()
          .filter(
            (name) => "attachments" in capabilities || !/Attachment/.test(name)
          );
        assert.deepEqual(missing, []);
      },
    ],
  ]);
  done();
}

main().catch((error) => {
  console.log(`Bail out! ${error.stack}`);
  process.exitCode = 1;
});
