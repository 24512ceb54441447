import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const file = path.join(os.tmpdir(), "kept");

export const handler = async () => {
  fs.appendFileSync(file, "x");
  return fs.statSync(file).size;
};
