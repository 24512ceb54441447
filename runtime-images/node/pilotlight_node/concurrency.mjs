// Several calls at once in one process.
//
// They share the event loop and everything in memory. Which call runs, an asynchronous context says.
// Source: AWS Lambda Developer Guide, "Node.js runtime for Lambda Managed Instances".

import { TAKES_SEVERAL } from "./features.mjs";

// Return what runs a function with its call as context, and what tells the call of the moment.
// What is needed for that is loaded only where several calls run.
export async function contextOfCalls() {
  if (!TAKES_SEVERAL) return { run: (_call, work) => work(), current: () => undefined };
  const { AsyncLocalStorage } = await import("node:async_hooks");
  const calls = new AsyncLocalStorage();
  return { run: (call, work) => calls.run(call, work), current: () => calls.getStore() };
}
