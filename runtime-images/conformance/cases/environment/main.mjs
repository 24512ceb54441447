import { execFileSync } from "node:child_process";

export const handler = async () => ({
  variables: process.env,
  folder: process.cwd(),
  inherited: execFileSync("/bin/ls", ["/proc/self/fd"]).toString().split(/\s+/).filter(Boolean),
});
