// A process that is started before its function is known waits here, with everything loaded.
//
// The agent's end is its `runtimes/prepared`.

import fs from "node:fs";

const STANDARD_OUTPUT = 1;
const READY = "waiting\n";

// Become the function's, with its variables and in its folder, which come by a descriptor. Ends where
// none will come.
export function waitForFunction(descriptor) {
  fs.writeSync(STANDARD_OUTPUT, READY);
  const document = fs.readFileSync(descriptor, "utf8");
  fs.closeSync(descriptor);
  if (document === "") process.exit(0);
  const [folder, ...entries] = document.split("\0");
  const variables = Object.fromEntries(entries.map(splitEntry));
  for (const name of Object.keys(process.env)) {
    if (!(name in variables)) delete process.env[name];
  }
  Object.assign(process.env, variables);
  process.chdir(folder);
}

function splitEntry(entry) {
  const end = entry.indexOf("=");
  return [entry.slice(0, end), entry.slice(end + 1)];
}
