// SPDX-License-Identifier: Apache-2.0
//
// Tests in order, one TAP line each. A later step needs what an earlier one
// made, so the first failure of a group skips the rest of it. skip(REASON)
// ends a step without one.
"use strict";

let n = 0;
let failed = 0;

class Skipped extends Error {}

function skip(reason) {
  throw new Skipped(reason);
}

async function group(title, steps) {
  let broken = false;
  console.log(`# ${title}`);
  for (const [name, fn] of steps) {
    n += 1;
    if (broken) {
      console.log(`not ok ${n} - ${title}: ${name} (an earlier step failed)`);
      failed += 1;
      continue;
    }
    try {
      await fn();
      console.log(`ok ${n} - ${title}: ${name}`);
    } catch (error) {
      if (error instanceof Skipped) {
        console.log(`ok ${n} - ${title}: ${name} # SKIP ${error.message}`);
        continue;
      }
      broken = true;
      failed += 1;
      console.log(`not ok ${n} - ${title}: ${name}`);
      console.log(`# ${error.stack}`.replace(/\n/g, "\n# "));
    }
  }
}

function done() {
  console.log(`1..${n}`);
  process.exitCode = failed === 0 && n > 0 ? 0 : 1;
}

module.exports = { group, done, skip };
