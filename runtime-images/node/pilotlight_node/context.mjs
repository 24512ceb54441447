// The context object that a handler gets as its second argument.
//
// Source: AWS Lambda Developer Guide, "Using the Lambda context object to retrieve Node.js function
// information".

import { HAS_CALLBACKS, TAKES_SEVERAL } from "./features.mjs";

const W3C_FIELDS = ["traceparent", "tracestate", "baggage"];

// Return the context of an event; throws where what the caller sent with it is no JSON.
export function contextOf(event) {
  const clientContext = parse(event.clientContext, "ClientContext");
  const context = {
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext,
    identity: parse(event.cognitoIdentity, "CognitoIdentity"),
    invokedFunctionArn: event.functionArn,
    awsRequestId: event.requestId,
    tenantId: event.tenantId || undefined,
    getRemainingTimeInMillis: () => event.deadline - Date.now(),
  };
  if (!HAS_CALLBACKS) return { ...context, ...traceOf(event, clientContext) };
  return TAKES_SEVERAL ? { ...context, xRayTraceId: event.traceId || undefined } : context;
}

// What the context says of traces since Node.js 24: the fields leave the client context.
function traceOf(event, clientContext) {
  const { w3c } = clientContext ?? {};
  if (w3c !== undefined) delete clientContext.w3c;
  const named = W3C_FIELDS.filter((name) => typeof w3c?.[name] === "string");
  const fields = Object.freeze(Object.fromEntries(named.map((name) => [name, w3c[name]])));
  return { xRayTraceId: event.traceId || undefined, w3c: () => fields };
}

function parse(text, name) {
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}
