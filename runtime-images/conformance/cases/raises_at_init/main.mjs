const error = new Error("no table");
error.name = "KeyError";
throw error;
