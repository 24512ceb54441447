// The runtime's end of the socket pair to the agent; the agent's end is its `runtimes/frames`.
//
// A frame is two unsigned 32-bit lengths in network order, a JSON header and a body.

import { Socket } from "node:net";
import { setImmediate } from "node:timers"; // a function may put false timers in its place

import { describe } from "./fault.mjs";

export const RESPONSE_LIMIT = 6_291_556; // bytes; AWS Lambda Developer Guide, quotas
const LARGEST_CHUNK = 262_144; // bytes
const LENGTHS_SIZE = 8;
const JSON_TYPE = "application/json";

export class Channel {
  #socket;
  #pieces = [];
  #size = 0;
  #onEvent;
  #takesSeveral;
  #paused = new Map(); // of calls whose answers are read slowly: what is to be called then

  // `takesSeveral`: events come before the last one is answered, and each is said to be taken.
  constructor(descriptor, takesSeveral) {
    this.#takesSeveral = takesSeveral;
    this.#socket = new Socket({ fd: descriptor });
    this.#socket.unref();
  }

  // Call `onEvent` with each event. Where one runs at a time: while none runs the channel keeps the
  // process alive; while one does, only what the function has begun, so that the event loop can
  // become empty.
  listen(onEvent) {
    this.#onEvent = onEvent;
    this.#socket.on("data", (piece) => this.#read(piece));
    // The agent has gone, or is about to kill this process.
    this.#socket.on("error", () => process.exit(0)).on("end", () => process.exit(0));
    this.#socket.ref();
  }

  sendReady() {
    this.#send({ type: "ready" });
  }

  // Say why the function's code cannot be loaded; `sent` is called when that is written.
  sendInitError(error, sent) {
    const document = describe(error);
    this.#send({ type: "init-error", errorType: document.errorType }, toBody(document), sent);
  }

  // Send a piece of an answer; `sent` is called once there is room for the next one.
  sendChunk(requestId, contentType, piece, sent) {
    const header = { type: "chunk", requestId, contentType };
    let start = 0;
    for (; piece.length - start > LARGEST_CHUNK; start += LARGEST_CHUNK) {
      this.#send(header, piece.subarray(start, start + LARGEST_CHUNK));
    }
    this.#send(header, piece.subarray(start), () => {
      if (this.#takesSeveral) setImmediate(() => this.#goOn(requestId, sent));
      else sent();
    });
  }

  // Call `sent` once the answer is not paused: what the agent said meanwhile has been read by now.
  #goOn(requestId, sent) {
    if (this.#paused.has(requestId)) this.#paused.get(requestId).push(sent);
    else sent();
  }

  // Answer an event; one over Lambda's limit is only reported.
  sendAnswer(requestId, body, contentType = JSON_TYPE) {
    const fits = body.length <= RESPONSE_LIMIT;
    const header = fits ? { type: "response", contentType } : { type: "too-large" };
    this.#answer(requestId, header, fits ? body : undefined);
  }

  // Answer an event with the function's error; where the process ends once that is `sent`, the agent
  // is told, and gives it no other event.
  sendError(requestId, error, sent) {
    const document = describe(error);
    const header = { type: "error", errorType: document.errorType, last: sent !== undefined };
    this.#answer(requestId, header, toBody(document), sent);
  }

  #answer(requestId, header, body, sent) {
    const peakKilobytes = process.resourceUsage().maxRSS;
    this.#socket.ref();
    this.#send({ ...header, requestId, peakKilobytes }, body, sent);
  }

  #send(header, body = Buffer.alloc(0), sent = undefined) {
    const head = Buffer.from(JSON.stringify(header));
    const lengths = Buffer.allocUnsafe(LENGTHS_SIZE);
    lengths.writeUInt32BE(head.length, 0);
    lengths.writeUInt32BE(body.length, 4);
    this.#socket.write(Buffer.concat([lengths, head, body]), sent);
  }

  // Most events come in one piece.
  #read(piece) {
    this.#pieces.push(piece);
    this.#size += piece.length;
    let data = this.#pieces.length > 1 && this.#isWhole() ? this.#join() : this.#pieces[0];
    while (data.length >= LENGTHS_SIZE && data.length >= sizeOf(data)) {
      const frame = data.subarray(0, sizeOf(data));
      data = data.subarray(frame.length);
      this.#size = data.length;
      this.#pieces = data.length > 0 ? [data] : [];
      this.#take(parse(frame));
    }
  }

  #take(event) {
    if (event.type === "pause") {
      if (!this.#paused.has(event.requestId)) this.#paused.set(event.requestId, []);
      return;
    }
    if (event.type === "resume") {
      const waiting = this.#paused.get(event.requestId) ?? [];
      this.#paused.delete(event.requestId);
      for (const sent of waiting) sent();
      return;
    }
    if (this.#takesSeveral) this.#send({ type: "taken", requestId: event.requestId });
    else this.#socket.unref();
    this.#onEvent(event);
  }

  #isWhole() {
    const first = this.#pieces[0];
    return first.length < LENGTHS_SIZE || this.#size >= sizeOf(first);
  }

  #join() {
    this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0];
  }
}

function sizeOf(frame) {
  return LENGTHS_SIZE + frame.readUInt32BE(0) + frame.readUInt32BE(4);
}

// An event: the header's fields (`requestId`, `functionArn`, `deadline` in epoch milliseconds,
// `traceId`, `tenantId`, `clientContext`, `cognitoIdentity`, the last four empty where there is none)
// and the `body`.
function parse(frame) {
  const start = LENGTHS_SIZE + frame.readUInt32BE(0);
  const header = JSON.parse(frame.toString("utf8", LENGTHS_SIZE, start));
  return { ...header, body: frame.toString("utf8", start) };
}

function toBody(document) {
  return Buffer.from(JSON.stringify(document)).subarray(0, RESPONSE_LIMIT);
}
