//! Every case of the contract in one bootstrap: the handler's name says which it is.

use lambda_runtime::{run, service_fn, Context, Diagnostic, LambdaEvent};
use serde_json::{json, Value};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, process, time::Duration};

static CALLS: AtomicU64 = AtomicU64::new(0);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let case = env::var("_HANDLER")?;
    if case == "recovers" {
        let mark = env::temp_dir().join("tried");
        if !mark.exists() {
            fs::write(mark, "")?;
            return Err("the first time".into());
        }
    }
    let case = case.as_str();
    run(service_fn(|event: LambdaEvent<Value>| async move {
        answer(case, event.payload, event.context).await
    }))
    .await
}

async fn answer(case: &str, event: Value, context: Context) -> Result<Value, Diagnostic> {
    let text = event.as_str().unwrap_or_default();
    Ok(match case {
        "hello" => json!({"greeting": format!("Hello, {}!", event["name"].as_str().unwrap())}),
        "echo" => event,
        "length" => json!(text.chars().count()),
        "size" => json!("x".repeat(event.as_u64().unwrap() as usize)),
        "recovers" => json!("recovered"),
        "context" => told(context),
        "environment" => surroundings(),
        "temporary" => json!(append()),
        "memory" => fill(),
        "sleep" => {
            println!("going to sleep");
            tokio::time::sleep(Duration::from_secs(event.as_u64().unwrap())).await;
            json!("awake")
        }
        "exit" => {
            let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
            if let Some(status) = event.as_i64() {
                println!("last words");
                process::exit(status as i32);
            }
            json!(calls)
        }
        "error" => {
            println!("called with {text}");
            if !event.is_null() {
                eprintln!("ERROR ShopError {text}"); // the client logs nothing by itself
                return Err(Diagnostic {
                    error_type: "ShopError".into(),
                    error_message: text.into(),
                });
            }
            json!("fine")
        }
        _ => panic!("no case of the name {case}"),
    })
}

fn told(context: Context) -> Value {
    let config = &context.env_config;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    json!({
        "requestId": context.request_id,
        "name": config.function_name,
        "version": config.version,
        "arn": context.invoked_function_arn,
        "memory": config.memory.to_string(),
        "logGroup": config.log_group,
        "logStream": config.log_stream,
        "remaining": context.deadline - now.as_millis() as u64,
        "custom": context.client_context.map(|client| client.custom),
        "identity": context.identity.map(|identity| identity.identity_id),
        "trace": context.xray_trace_id,
    })
}

fn surroundings() -> Value {
    let listed = process::Command::new("/bin/ls").arg("/proc/self/fd").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    json!({
        "variables": env::vars().collect::<std::collections::HashMap<_, _>>(),
        "folder": env::current_dir().unwrap(),
        "inherited": listed.split_whitespace().collect::<Vec<_>>(),
    })
}

fn append() -> u64 {
    let path = env::temp_dir().join("kept");
    let mut file = fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
    file.write_all(b"x").unwrap();
    fs::metadata(path).unwrap().len()
}

fn fill() -> Value {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![b'x'; 4_000_000]);
    }
}
