// The function's code: from a handler such as `folder/file.handler` to the function itself.
//
// Source: AWS Lambda Developer Guide, "Define Lambda function handler in Node.js"; the order in which
// files are looked for is that of AWS's own runtime client.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import {
  CallbackHandlerDeprecated,
  HandlerNotFound,
  ImportModuleError,
  MalformedHandlerName,
  UserCodeSyntaxError,
} from "./fault.mjs";
import { HAS_CALLBACKS } from "./features.mjs";
import { isStreaming, offerStreaming } from "./stream.mjs";

// Where Lambda's own runtime lies: a module that is not found is said to be required from there.
const require = createRequire("/var/runtime/index.mjs");
const EXTENSIONS = ["", ".js", ".mjs", ".cjs"];
const CALLBACK_ARGUMENTS = 3;
const NO_CALLBACKS =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with " +
  "Node.js 24. You need to modify this function to use a supported handler signature to use " +
  "Node.js 24 or later. For more information see " +
  "https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";

// Return the handler; throws what the function's code throws, and Lambda's own errors.
export async function load(taskRoot, name) {
  const { folder, file, names } = split(name);
  offerStreaming();
  const module = await loadModule(taskRoot, folder, file);
  const handler = findIn(module, names) ?? findIn(module?.default, names);
  if (handler === undefined || handler === null) {
    throw new HandlerNotFound(`${name} is undefined or not exported`);
  }
  if (typeof handler !== "function") throw new HandlerNotFound(`${name} is not a function`);
  if (!HAS_CALLBACKS && handler.length >= CALLBACK_ARGUMENTS && !isStreaming(handler)) {
    throw new CallbackHandlerDeprecated(NO_CALLBACKS);
  }
  return handler;
}

// Of `folder/file.object.handler`, the folder, the file and the names in the module.
function split(name) {
  if (name.includes("..")) {
    throw new MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root ` +
        "directories in handler names.",
    );
  }
  const last = path.posix.basename(name);
  const dot = last.indexOf(".");
  if (dot < 0) throw new MalformedHandlerName("Bad handler");
  const folder = path.posix.dirname(name);
  return { folder, file: last.slice(0, dot), names: last.slice(dot + 1).split(".") };
}

async function loadModule(taskRoot, folder, file) {
  const root = path.resolve(taskRoot, folder);
  const found = EXTENSIONS.map((extension) => path.join(root, file + extension)).find(isFile);
  try {
    if (found === undefined) return require(require.resolve(file, { paths: [taskRoot, root] }));
    return isRequired(found) ? require(found) : await import(pathToFileURL(found));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserCodeSyntaxError(error);
    if (error?.code === "MODULE_NOT_FOUND") throw new ImportModuleError(String(error));
    throw error;
  }
}

function isFile(name) {
  return fs.statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;
}

// Until Node.js 22 CommonJS is required as it always was; from 24 on `import` takes either.
function isRequired(file) {
  if (!HAS_CALLBACKS || file.endsWith(".mjs")) return false;
  return !file.endsWith(".js") || !isOfModules(path.dirname(file));
}

// Whether the nearest package.json makes ES modules of .js files.
function isOfModules(folder) {
  if (folder.endsWith("/node_modules")) return false;
  const description = path.join(folder, "package.json");
  if (isFile(description)) {
    try {
      return JSON.parse(fs.readFileSync(description, "utf8"))?.type === "module";
    } catch (error) {
      console.warn(`${description} cannot be read and is ignored:`, error);
      return false;
    }
  }
  return folder !== "/" && isOfModules(path.dirname(folder));
}

function findIn(module, names) {
  return names.reduce((value, name) => value?.[name], module);
}
