// The function's log: what console does here, in Lambda's two formats.
//
// Source: AWS Lambda Developer Guide, "Log and monitor Node.js Lambda functions". Everything goes to
// standard output, which the agent reads line by line; a line end inside an entry becomes a carriage
// return, so that it stays one.

import fs from "node:fs";
import { format } from "node:util";

import { isError, toLine, toText } from "./fault.mjs";

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const REQUEST_ID = Symbol.for("aws.lambda.runtime.requestId"); // libraries look for it
const STANDARD_OUTPUT = 1;
const FULL_MILLISECONDS = 1;

export class FunctionLog {
  #json;
  #lowest;
  #requestId = undefined;
  #tenantId = undefined;
  #current;

  // `current` returns the call of the moment where several run at once.
  constructor(environment, current = () => undefined) {
    this.#current = current;
    this.#json = environment.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON";
    this.#lowest = LEVELS.indexOf(environment.AWS_LAMBDA_LOG_LEVEL?.toUpperCase());
  }

  // Begin a request: its id is in every entry from now on, and whose it is in JSON.
  enter(requestId, tenantId) {
    this.#requestId = requestId;
    this.#tenantId = tenantId || undefined;
    globalThis[REQUEST_ID] = requestId;
  }

  replaceConsole() {
    for (const [priority, level] of LEVELS.entries()) {
      const write = (...values) => this.#write(level, values);
      console[level.toLowerCase()] = priority < this.#lowest ? () => {} : write;
    }
    console.log = console.info;
  }

  // Write an error under a title such as `Invoke Error`, whatever console is by now.
  writeError(title, error) {
    const thrown = isError(error) ? error : new Error(toText(error));
    this.#write("ERROR", this.#json ? [thrown] : [title, `\t${toLine(thrown)}`]);
  }

  #write(level, values) {
    const timestamp = new Date().toISOString();
    const call = this.#current();
    const requestId = call?.requestId ?? this.#requestId;
    const tenantId = call?.tenantId || this.#tenantId;
    const entry = this.#json
      ? toJson({ timestamp, level, requestId, tenantId }, values)
      : `${timestamp}\t${requestId}\t${level}\t${format(...values)}`;
    writeOut(`${entry.replaceAll("\n", "\r")}\n`);
  }
}

// One value is the message as it is; of several, formatted to text, the first error has fields.
function toJson(fields, values) {
  if (values.length === 1) {
    try {
      return JSON.stringify({ ...fields, message: values[0] }, (_, value) =>
        isError(value) ? { ...describeError(value), ...value } : value,
      );
    } catch {
      return JSON.stringify({ ...fields, message: format(values[0]) });
    }
  }
  const error = values.find(isError);
  const described = error === undefined ? {} : describeError(error);
  return JSON.stringify({ ...fields, message: format(...values), ...described });
}

function describeError(error) {
  return {
    errorType: error.constructor?.name ?? "UnknownError",
    errorMessage: error.message,
    stackTrace: typeof error.stack === "string" ? error.stack.split("\n") : [],
  };
}

// Write all of it before anything else happens: the process may end at any moment.
function writeOut(text) {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(STANDARD_OUTPUT, rest));
    } catch (error) {
      if (error.code !== "EAGAIN") return; // nobody reads any more
      // The function has made the pipe non-blocking, and it is full.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_MILLISECONDS);
    }
  }
}
