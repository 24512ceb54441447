// The AWS SDK for JavaScript, version 3 (lines: tests/clients/driver.py).

import { createInterface } from "node:readline";
import * as sdk from "@aws-sdk/client-lambda";

const BLOBS = new Set(["ZipFile", "Payload", "InvokeArgs"]);
const clients = new Map();

function clientOf(key) {
  if (!clients.has(key)) {
    clients.set(key, new sdk.LambdaClient({
      credentials: { accessKeyId: key, secretAccessKey: "test" },
      maxAttempts: 8,
    }));
  }
  return clients.get(key);
}

function decoded(value) {
  if (Array.isArray(value) || value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) =>
    [name, BLOBS.has(name) ? Buffer.from(member, "base64") : decoded(member)]));
}

function encoded(name, value) {
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
}

async function answer({ do: kind, operation, input, key }) {
  const client = clientOf(key);
  const given = decoded(input);
  if (kind === "wait") {
    const waiter = { client, maxWaitTime: 30, minDelay: 0.1, maxDelay: 1 };
    await sdk[`waitUntil${operation}`](waiter, given);
    return {};
  }
  if (kind === "pages") {
    const { PaginationConfig, ...rest } = given;
    const pages = [];
    const settings = { client, pageSize: PaginationConfig.PageSize };
    for await (const page of sdk[`paginate${operation}`](settings, rest)) pages.push(page);
    return pages;
  }
  const output = await client.send(new sdk[`${operation}Command`](given));
  if (output.EventStream) output.EventStream = await Array.fromAsync(output.EventStream);
  return output;
}

for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = { output: await answer(JSON.parse(line)) };
  } catch (error) {
    said = { error: error.name, status: error.$metadata?.httpStatusCode, message: error.message };
  }
  process.stdout.write(`${JSON.stringify(said, encoded)}\n`);
}
