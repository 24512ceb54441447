// Errors as Lambda's Node.js runtime reports them: to the caller one document, to the log one line.
//
// Source: AWS Lambda Developer Guide, "Lambda function errors in Node.js", and the documents of AWS's
// own runtime client by observation.

import { types } from "node:util";

// Errors that the runtime itself finds have a name of Lambda's.
class RuntimeError extends Error {
  get name() {
    return `Runtime.${this.constructor.name}`;
  }
}

export class CallbackHandlerDeprecated extends RuntimeError {}
export class HandlerNotFound extends RuntimeError {}
export class ImportModuleError extends RuntimeError {}
export class JSONStringifyError extends RuntimeError {}
export class MalformedHandlerName extends RuntimeError {}
export class NodeJsExit extends RuntimeError {}
export class InvalidStreamingOperation extends RuntimeError {}

export class UserCodeSyntaxError extends RuntimeError {
  constructor(error) {
    super(String(error));
    this.stack = error.stack; // it names the line
  }
}

export class UnhandledPromiseRejection extends RuntimeError {
  constructor(reason, promise) {
    super(toText(reason));
    this.reason = reason;
    this.promise = promise;
  }
}

// What the caller reads.
export function describe(error) {
  try {
    if (isError(error)) {
      const trace = String(error.stack).split("\n");
      return { errorType: error.name, errorMessage: error.message, trace };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    // An object without a form, or with getters that throw.
    return { errorType: "handled", errorMessage: "the error thrown cannot be read", trace: [] };
  }
}

// What stands in a text log behind the title, its own properties and causes included.
export function toLine(error) {
  try {
    return JSON.stringify(error, (_, value) => (isError(value) ? toPlain(value) : value));
  } catch {
    return JSON.stringify(describe(error));
  }
}

export function isError(value) {
  return types.isNativeError(value) || value instanceof Error;
}

export function toText(value) {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function toPlain(error) {
  const { name: errorType, message: errorMessage, code, stack } = error;
  const lines = typeof stack === "string" ? stack.split("\n") : stack;
  return { errorType, errorMessage, code, ...error, stack: lines };
}
