//! Says which words two texts have in common.

use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Texts {
    one: String,
    other: String,
}

#[derive(Serialize)]
struct Common {
    words: BTreeSet<String>,
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

async fn handle(event: LambdaEvent<Texts>) -> Result<Common, Error> {
    let (one, other) = (words(&event.payload.one), words(&event.payload.other));
    Ok(Common { words: one.intersection(&other).cloned().collect() })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}
