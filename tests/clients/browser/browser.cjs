// SPDX-License-Identifier: Apache-2.0
//
// A browser whose complaints are failures: errors and warnings on the console,
// violations of a content security policy, requests that fail or are answered
// with an error. With CLQ_SCREENSHOTS, a folder, pictures of each step go there.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");

const { chromium } = require("playwright-core");

const pictures = process.env.CLQ_SCREENSHOTS;

// What is the console's own, with any server: it asks for an icon that its
// build does not hold, and for history before it has logged in.
const ICON = /\/images\/favicon\.png$/;
const OWN_ERRORS = [/^Client not configured\.$/];

async function launch() {
  const browser = await chromium.launch({
    executablePath: process.env.CLQ_CHROMIUM,
    // Chromium's sandbox refuses to run as root.
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });

  // A user with a profile of his own: cookies, storage, cache.
  async function user(name) {
    const context = await browser.newContext({
      viewport: { width: 1300, height: 900 },
    });
    const page = await context.newPage();
    page.setDefaultTimeout(60000);
    let complaints = [];
    let expected = [];
    let taken = 0;
    const complain = (text) => complaints.push(text);
    const isExpected = (status) => expected.includes(status);

    page.on("console", (message) => {
      const { url } = message.location();
      if (!["error", "warning"].includes(message.type()) || ICON.test(url)) {
        return;
      }
      if (expected.some((status) => message.text().includes(`${status}`))) {
        return;
      }
      complain(`console: ${message.text()} (${url})`);
    });
    page.on("pageerror", (error) => {
      if (!OWN_ERRORS.some((own) => own.test(error.message))) {
        complain(`page: ${error.message}`);
      }
    });
    page.on("response", (response) => {
      const status = response.status();
      if (status >= 400 && !ICON.test(response.url()) && !isExpected(status)) {
        complain(`${status} for ${response.request().method()} ${response.url()}`);
      }
    });
    // Nothing is under way, nor begins for a moment.
    let open = 0;
    page.on("request", () => (open += 1));
    page.on("requestfinished", () => (open -= 1));
    async function quiet() {
      let still = 0;
      for (let i = 0; i < 1200 && still < 3; i++) {
        await page.waitForTimeout(50);
        still = open > 0 ? 0 : still + 1;
      }
    }

    page.on("requestfailed", (request) => {
      open -= 1;
      const { errorText } = request.failure();
      // A page that is left lets go of its requests.
      if (errorText !== "net::ERR_ABORTED" && !isExpected(errorText)) {
        complain(`${errorText} for ${request.method()} ${request.url()}`);
      }
    });
    page.on("dialog", (dialog) => dialog.accept());

    return {
      context,
      page,
      quiet,
      // During fn, answers with that status, or failures of that name, are
      // what is wanted.
      async expecting(list, fn) {
        expected = list;
        try {
          await fn();
          await quiet();
        } finally {
          expected = [];
        }
      },
      // A test step: fn, then a picture, then what the browser said.
      step(title, fn) {
        return [
          title,
          async () => {
            try {
              await fn();
              await quiet();
            } finally {
              taken += 1;
              if (pictures) {
                const number = String(taken).padStart(2, "0");
                const file = `${name}-${number}-${title.replace(/\W+/g, "-")}.png`;
                fs.mkdirSync(pictures, { recursive: true });
                await page.screenshot({ path: path.join(pictures, file) });
              }
            }
            const said = complaints;
            complaints = [];
            assert.deepEqual(said, [], "the browser complains");
          },
        ];
      },
    };
  }

  return { user, close: () => browser.close() };
}

module.exports = { launch };
