// SPDX-License-Identifier: Apache-2.0
//
// What happens to the server while clients use it: a worker killed, the
// configuration reloaded. Only with CLQ_MASTER_PID, the pid of cliquetd.
"use strict";

const fs = require("node:fs");

const master = Number(process.env.CLQ_MASTER_PID || 0);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Direct children of the master, without the keepers of old workers, which end
// some time later. The name in stat is in parentheses and may hold blanks; what
// follows the last one is state and parent.
function workers() {
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
        const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
        const [state, ppid] = stat
          .slice(stat.lastIndexOf(")") + 2)
          .split(" ");
        return (
          Number(ppid) === master && state !== "Z" && name !== "cliquetd-keeper"
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function until(what, condition) {
  for (let i = 0; i < 1200; i++) {
    if (condition()) {
      return;
    }
    await sleep(50);
  }
  throw new Error(`${what}: not within a minute`);
}

// kill -9 of one worker. The others serve on; the master replaces it.
function killWorker() {
  const [victim] = workers();
  if (victim === undefined) {
    throw new Error("the master has no worker to kill");
  }
  process.kill(victim, "SIGKILL");
  return victim;
}

// Wait until as many workers run as before, without the killed one.
async function replaced(victim, count) {
  await until("a new worker", () => {
    const now = workers();
    return now.length >= count && !now.includes(victim);
  });
}

// SIGHUP, and wait until no old worker is left.
async function reload() {
  const old = workers();
  process.kill(master, "SIGHUP");
  await until("new workers after SIGHUP", () => {
    const now = workers();
    return now.length > 0 && !now.some((pid) => old.includes(pid));
  });
}

module.exports = { disturbed: master > 0, killWorker, reload, replaced, workers };
