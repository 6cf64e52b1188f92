// SPDX-License-Identifier: Apache-2.0
//
// The npm package `kinto` as it is served to browsers (dist/kinto.min.js),
// with an IndexedDB in memory, against CLQ_BASE_URL. With CLQ_MASTER_PID the
// server is disturbed in the middle. Prints TAP.
"use strict";

require("fake-indexeddb/auto");

const { done, group } = require("./tap.cjs");
const offline = require("./offline.cjs");
const online = require("./online.cjs");
const server = require("./server.cjs");

async function main() {
  await group("http client", online.steps);
  if (server.disturbed) {
    await group("disturbed server", online.disturbedSteps);
    await group("offline first, disturbed", offline.steps(server));
  } else {
    await group("offline first", offline.steps(null));
  }
  done();
}

main().catch((error) => {
  console.log(`Bail out! ${error.stack}`);
  process.exitCode = 1;
});
