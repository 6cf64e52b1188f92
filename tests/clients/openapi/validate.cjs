// SPDX-License-Identifier: Apache-2.0
//
// Validates the OpenAPI documents of a folder. Prints TAP.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const SwaggerParser = require("@apidevtools/swagger-parser");

async function main(folder) {
  const names = fs.readdirSync(folder).filter((n) => n.endsWith(".json"));
  let n = 0;

  for (const name of names.sort()) {
    n += 1;
    try {
      const api = await SwaggerParser.validate(path.join(folder, name));
      if (Object.keys(api.paths).length === 0) throw new Error("no paths");
      console.log(`ok ${n} - ${name} is an OpenAPI document`);
    } catch (error) {
      console.log(`not ok ${n} - ${name} is an OpenAPI document`);
      console.log(String(error.message).replace(/^/gm, "# "));
      process.exitCode = 1;
    }
  }
  console.log(`1..${n}`);
  if (n === 0) process.exitCode = 1;
}

main(process.argv[2]);
