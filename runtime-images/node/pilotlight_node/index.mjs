// The managed Node.js runtime: `node … index.mjs [--wait FROM] DESCRIPTOR`, with cwd at the task root.
//
// Load the handler, then run it for one event after the other. `channel` is how the agent is spoken
// with, `handler` finds the function's code, `invocation` runs it once, `log` is what console does
// here, and `fault` words errors. Nothing but Node itself is needed, and of that little: `node:http`
// alone would take longer to load than all of this.

import { Channel } from "./channel.mjs";
import { contextOfCalls } from "./concurrency.mjs";
import { UnhandledPromiseRejection } from "./fault.mjs";
import { readFeatures, TAKES_SEVERAL } from "./features.mjs";
import { load } from "./handler.mjs";
import { Invocation } from "./invocation.mjs";
import { FunctionLog } from "./log.mjs";
import { waitForFunction } from "./waiting.mjs";

// Lambda's own, which functions and their watchers know from the log.
const UNCAUGHT_EXCEPTION_STATUS = 129;
const UNHANDLED_REJECTION_STATUS = 128;

const descriptor = Number(process.argv.at(-1));
if (process.argv[2] === "--wait") waitForFunction(Number(process.argv[3]));
readFeatures(process.env);

const channel = new Channel(descriptor, TAKES_SEVERAL);
const calls = await contextOfCalls();
const log = new FunctionLog(process.env, calls.current);
let invocation = null; // where one runs at a time
let handler;

process.argv.length = 2;
log.replaceConsole();
process.on("uncaughtException", (error) => {
  end("Uncaught Exception", error, UNCAUGHT_EXCEPTION_STATUS);
});
process.on("unhandledRejection", (reason, promise) => {
  const error = new UnhandledPromiseRejection(reason, promise);
  end("Unhandled Promise Rejection", error, UNHANDLED_REJECTION_STATUS);
});
process.on("beforeExit", () => invocation?.endWithEmptyLoop());

try {
  handler = await load(process.cwd(), process.env._HANDLER);
} catch (error) {
  end("Uncaught Exception", error, UNCAUGHT_EXCEPTION_STATUS);
}
if (handler !== undefined) {
  channel.listen((event) => {
    const call = new Invocation(event, channel, log);
    if (TAKES_SEVERAL) {
      calls.run(event, () => call.run(handler));
    } else {
      log.enter(event.requestId, event.tenantId);
      invocation = call;
      call.run(handler);
    }
  });
  channel.sendReady();
}

// Report what nobody caught to whom it concerns, and end: the process's state is anybody's guess.
// Of several calls nobody knows whose it is; the agent tells them all that the process has ended.
function end(title, error, status) {
  log.writeError(title, error);
  const exit = () => process.exit(status);
  if (invocation !== null) {
    invocation.breakOff(error, exit);
  } else if (handler !== undefined) {
    exit();
  } else {
    channel.sendInitError(error, exit);
  }
}
