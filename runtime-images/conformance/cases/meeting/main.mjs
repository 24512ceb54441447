import fs from "node:fs";
import { setTimeout } from "node:timers/promises";

export const handler = async ({ folder, name, guests }, context) => {
  fs.writeFileSync(`${folder}/${name}`, "");
  while (fs.readdirSync(folder).length < guests) await setTimeout(10);
  return [context.awsRequestId, process.env.AWS_LAMBDA_MAX_CONCURRENCY];
};
