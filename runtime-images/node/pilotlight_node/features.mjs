// What the function's variables say of how it is run. They are read once, when they are there: a
// process may have been started before its function was known (`waiting.mjs`).

// Several calls at once in one process, where the function asks for that.
export let TAKES_SEVERAL;

// Whether handlers may answer by a callback or by the context: until Node.js 22.
export let HAS_CALLBACKS;

export function readFeatures(environment) {
  TAKES_SEVERAL = Number(environment.AWS_LAMBDA_MAX_CONCURRENCY ?? 1) > 1;
  HAS_CALLBACKS = /nodejs(20|22)\.x$/.test(environment.AWS_EXECUTION_ENV);
}
