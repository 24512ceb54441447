// What a function has that answers piece by piece: the stream, and the global that asks for it.
//
// Source: AWS Lambda Developer Guide, "Response streaming for Lambda functions"; texts and the order
// of checks are those of AWS's own runtime client.

import { Writable } from "node:stream";

import { InvalidStreamingOperation } from "./fault.mjs";

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");
const DEFAULT_TYPE = "application/octet-stream";
const PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response";
const PRELUDE_END = new Uint8Array(8); // bytes of zero between the prelude and the body

// Let the function's code mark its handler.
export function offerStreaming() {
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[STREAMING] = "response";
      if (typeof options?.highWaterMark === "number") {
        handler[HIGH_WATER_MARK] = options.highWaterMark;
      }
      return handler;
    },
    HttpResponseStream: { from: withPrelude },
  };
}

export function isStreaming(handler) {
  return handler[STREAMING] === "response";
}

// Have a stream begin with status, headers and cookies, for who asks by HTTP.
function withPrelude(stream, prelude) {
  stream.setContentType(PRELUDE_TYPE);
  const text = JSON.stringify(prelude);
  stream._onBeforeFirstWrite = (write) => {
    write(text);
    write(PRELUDE_END);
  };
  return stream;
}

// Hands each piece to `send`, which calls back once there is room for more.
export class ResponseStream extends Writable {
  contentType = DEFAULT_TYPE;
  #send;
  #begun = false;

  constructor(handler, send) {
    super({ highWaterMark: handler[HIGH_WATER_MARK] });
    this.#send = send;
  }

  setContentType(contentType) {
    if (this.#begun) throw new InvalidStreamingOperation("Cannot set content-type, too late.");
    this.contentType = contentType;
  }

  write(piece, ...rest) {
    if (!this.#begun) {
      this.#begun = true;
      this._onBeforeFirstWrite?.((first) => super.write(first));
    }
    const isRaw = typeof piece === "string" || piece instanceof Uint8Array;
    return super.write(isRaw ? piece : JSON.stringify(piece), ...rest);
  }

  // As `write` does: the first piece may be the last, and there may be none.
  end(piece, ...rest) {
    if (typeof piece === "function") return super.end(piece);
    if (piece === undefined || piece === null) return super.end(piece, ...rest);
    this.write(piece, typeof rest[0] === "string" ? rest[0] : undefined);
    return super.end(...rest.filter((value) => typeof value === "function"));
  }

  _write(piece, _encoding, done) {
    this.#send(this.contentType, piece, done);
  }

  // What came while a piece was on its way goes as one.
  _writev(pieces, done) {
    this.#send(this.contentType, Buffer.concat(pieces.map(({ chunk }) => chunk)), done);
  }
}
