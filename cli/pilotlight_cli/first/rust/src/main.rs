//! A first function: it greets whom its event names.

use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Request {
    name: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    greeting: String,
}

async fn handle(event: LambdaEvent<Request>) -> Result<Answer, Error> {
    println!("called as {}", event.context.env_config.function_name);
    let name = event.payload.name.unwrap_or_else(|| "world".into());
    Ok(Answer { greeting: format!("Hello, {name}!") })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}
