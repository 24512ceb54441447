// An Express application that knows nothing of Lambda.
import express from "express";

const app = express();
app.use(express.json());

app.get("/", (request, response) => {
  response.json({ hello: request.query.name ?? "world" });
});

app.post("/orders", (request, response) => {
  response.status(201).json({ order: request.body, for: request.get("X-Customer") });
});

app.get("/countdown", async (request, response) => {
  response.type("text/plain");
  for (let number = 3; number > 0; number -= 1) {
    response.write(`${number}\n`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  response.end("lift-off\n");
});

app.listen(process.env.PORT, "127.0.0.1");
