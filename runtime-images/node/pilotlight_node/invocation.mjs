// One run of the handler, and every way in which it may end.
//
// A handler returns a promise, or, until Node.js 22, calls back or uses `context.done` and its kin;
// the first of all these counts. A callback's answer waits until the event loop is empty, unless
// `context.callbackWaitsForEmptyEventLoop` is false.
// Source: AWS Lambda Developer Guide, "Define Lambda function handler in Node.js".

import { setImmediate } from "node:timers"; // a function may put false timers in its place

import { contextOf } from "./context.mjs";
import { JSONStringifyError, NodeJsExit } from "./fault.mjs";
import { HAS_CALLBACKS, TAKES_SEVERAL } from "./features.mjs";
import { isStreaming, ResponseStream } from "./stream.mjs";

const NEVER_SETTLED =
  "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly " +
  "caused by a Promise that was never settled. For more information, see " +
  "https://nodejs.org/docs/latest/api/process.html#exit-codes";

export class Invocation {
  #event;
  #channel;
  #log;
  #decided = false; // how it ends
  #answered = false;
  #atEmptyLoop = () => this.#succeed(null);

  constructor(event, channel, log) {
    this.#event = event;
    this.#channel = channel;
    this.#log = log;
  }

  run(handler) {
    setTrace(this.#event.traceId);
    try {
      if (isStreaming(handler)) {
        this.#stream(handler);
        return;
      }
      const context = contextOf(this.#event);
      const result = this.#call(handler, JSON.parse(this.#event.body), context);
      if (!HAS_CALLBACKS || handler.constructor?.name === "AsyncFunction") {
        this.#atEmptyLoop = () => this.#fail(new NodeJsExit(NEVER_SETTLED));
      }
      if (!HAS_CALLBACKS || typeof result?.then === "function") {
        settle(result).then(this.#once(this.#succeed), this.#once(this.#fail));
      }
    } catch (error) {
      this.#once(this.#fail)(error);
    }
  }

  // Nothing that the function began can call back any more.
  endWithEmptyLoop() {
    if (!this.#answered) this.#atEmptyLoop();
  }

  // Answer with an error that nobody caught; an answer that was given before stands.
  breakOff(error, sent) {
    if (this.#answered) {
      sent();
    } else {
      this.#answered = true;
      this.#channel.sendError(this.#event.requestId, error, sent);
    }
  }

  // Let the handler write its answer; it ends when the stream has and the handler has.
  #stream(handler) {
    const { requestId, body } = this.#event;
    const stream = new ResponseStream(handler, (contentType, piece, sent) => {
      if (this.#answered) sent();
      else this.#channel.sendChunk(requestId, contentType, piece, sent);
    });
    const fail = this.#once(this.#fail);
    stream.on("error", fail); // also of what is written too late
    this.#atEmptyLoop = () => fail(new NodeJsExit(NEVER_SETTLED));
    const result = handler(JSON.parse(body), stream, contextOf(this.#event));
    if (typeof result?.then !== "function") {
      throw new Error("Streaming does not support non-async handlers.");
    }
    const succeed = this.#once(() => this.#endStream(stream));
    settle(result).then((value) => whenClosed(stream, value, succeed, fail), fail);
  }

  #endStream(stream) {
    this.#answered = true;
    this.#channel.sendAnswer(this.#event.requestId, Buffer.alloc(0), stream.contentType);
  }

  #call(handler, event, context) {
    if (!HAS_CALLBACKS) return handler(event, context);
    const callback = this.#once((error, result) => this.#callBack(error, result, context));
    return handler(event, this.#withCallbacks(context), callback);
  }

  #withCallbacks(context) {
    const fail = (error) => this.#fail(error ?? "handled");
    return Object.assign(context, {
      callbackWaitsForEmptyEventLoop: true,
      succeed: this.#once(this.#succeed),
      fail: this.#once(fail),
      done: this.#once((error, result) => {
        if (isGiven(error)) this.#fail(error);
        else this.#succeed(result);
      }),
    });
  }

  #callBack(error, result, context) {
    if (isGiven(error)) {
      this.#fail(error);
    } else if (context.callbackWaitsForEmptyEventLoop && !TAKES_SEVERAL) {
      this.#atEmptyLoop = () => this.#succeed(result);
    } else {
      this.#succeed(result);
    }
  }

  #once(decide) {
    return (...values) => {
      if (this.#decided) return;
      this.#decided = true;
      decide.apply(this, values);
    };
  }

  #succeed(result) {
    if (this.#answered) return;
    let body;
    try {
      body = Buffer.from(JSON.stringify(result) ?? "null");
    } catch {
      this.#fail(new JSONStringifyError("Unable to stringify response body"));
      return;
    }
    this.#answered = true;
    this.#channel.sendAnswer(this.#event.requestId, body);
  }

  #fail(error) {
    if (this.#answered) return;
    this.#answered = true;
    this.#log.writeError("Invoke Error", error);
    this.#channel.sendError(this.#event.requestId, error);
  }
}

function whenClosed(stream, value, succeed, fail) {
  if (value !== undefined) console.warn("Streaming handlers ignore return values.");
  const decide = () => {
    if (stream.writableFinished) succeed();
    else fail(new Error("Response stream is not finished."));
  };
  if (stream.closed) decide();
  else stream.once("close", decide);
}

// Since Node.js 24 an answer lets a rejection of the same moment go first, which nobody handles.
async function settle(result) {
  try {
    return await result;
  } finally {
    if (!HAS_CALLBACKS) await new Promise((resolve) => setImmediate(resolve));
  }
}

function isGiven(error) {
  return error !== undefined && error !== null;
}

// Several calls share the variable, and find their own trace in the context.
function setTrace(traceId) {
  if (TAKES_SEVERAL) return;
  if (traceId) process.env._X_AMZN_TRACE_ID = traceId;
  else delete process.env._X_AMZN_TRACE_ID;
}
