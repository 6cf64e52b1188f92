// SPDX-License-Identifier: Apache-2.0
//
// What the cases of an HTTP client share: the client under test (the npm
// package `kinto` as served to browsers, or `kinto-http` as Node loads it),
// users, and expectations.
//
// CLQ_BASE_URL is the server; CLQ_SOFT_URL, CLQ_HARD_URL and CLQ_BARE_URL are
// servers with the settings of soft.ini, hard.ini and bare.ini; CLQ_OUTAGE is
// a command that takes the storage away (stop) and brings it back (start).
"use strict";

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");

const { authorization, base, unique } = require("../kinto-js/config.cjs");
const { skip } = require("../kinto-js/tap.cjs");
const reflect = require("./reflect.cjs");

const packageName = process.env.CLQ_CLIENT || "kinto";
const KintoClient =
  packageName === "kinto"
    ? require("kinto/dist/kinto.min.js").KintoClient
    : require("kinto-http").default;

// The build of browsers, with the FormData of Node.
const BrowserClient =
  packageName === "kinto"
    ? KintoClient
    : require("kinto-http/dist/kinto-http.min.js");

// Clients that upload files. kinto-http makes forms of the package form-data,
// which node-fetch understands; the fetch of Node sends "[object FormData]".
const uploaders =
  packageName === "kinto"
    ? [["fetch of Node", {}]]
    : [
        ["node-fetch", { fetchFunc: require("node-fetch") }],
        ["build of browsers", { browser: true }],
      ];

const example = new KintoClient(base);
reflect.watch("KintoClient", example);
reflect.watch("HTTP", example.http);
reflect.watch("Bucket", example.bucket("b"));
reflect.watch("Collection", example.bucket("b").collection("c"));

if (BrowserClient !== KintoClient) {
  const browser = new BrowserClient(base);
  reflect.watch("Collection", browser.bucket("b").collection("c"));
}

// The packages say what they were warned of on the console.
console.warn = () => {};

const client = (user, options = {}) =>
  new (options.browser ? BrowserClient : KintoClient)(options.base || base, {
    events: new EventEmitter(),
    ...options,
    headers: {
      ...(user ? { Authorization: authorization(user) } : {}),
      ...options.headers,
    },
  });

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("should have failed");
}

async function fails(promise, status, errno) {
  const error = await refused(promise);
  assert.ok(error.response, error.stack);
  assert.equal(error.response.status, status, error.message);
  assert.match(error.message, new RegExp(`HTTP ${status} \\w`));
  if (errno !== undefined) {
    assert.equal(error.data.errno, errno, error.message);
  }
  return error;
}

const ids = (list) => list.map(({ id }) => id);
const sorted = (list) => [...list].sort();
const userId = async (user) => (await client(user).fetchUser()).id;

// needs CAPABILITY: else the case is skipped.
async function needs(capability) {
  if (!(capability in (await client("alice").fetchServerCapabilities()))) {
    skip(`the server has no ${capability}`);
  }
}

function urlOf(kind) {
  return process.env[`CLQ_${kind}_URL`] || skip(`no CLQ_${kind}_URL`);
}

module.exports = {
  KintoClient,
  base,
  client,
  fails,
  ids,
  needs,
  packageName,
  refused,
  sorted,
  unique,
  uploaders,
  urlOf,
  userId,
};
