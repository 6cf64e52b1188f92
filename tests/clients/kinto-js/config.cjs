// SPDX-License-Identifier: Apache-2.0
//
// CLQ_BASE_URL is the server under test, with its version prefix.
"use strict";

const base = (process.env.CLQ_BASE_URL || "http://127.0.0.1:8888/v1").replace(
  /\/$/,
  ""
);

// Names of this run, so that it may be repeated on the same data.
const run = Date.now().toString(36) + process.pid.toString(36);

module.exports = {
  base,
  unique: (name) => `${name}-${run}`,
  authorization: (user) =>
    `Basic ${Buffer.from(`${user}:secret-${user}`).toString("base64")}`,
};
