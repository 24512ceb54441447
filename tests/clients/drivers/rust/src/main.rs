//! The AWS SDK for Rust (lines: tests/clients/driver.py).
//!
//! Rust cannot look a call up by its name: what is here is what most applications use.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::client::Waiters;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_lambda::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    AliasConfiguration, AliasRoutingConfiguration, Environment, FunctionCode,
    FunctionConfiguration, FunctionUrlAuthType, InvocationType,
    InvokeWithResponseStreamResponseEvent, LogType, Runtime,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

/// What came of a call: its output, or what is told instead.
type Said = Result<Value, Value>;

struct Given(Value);

impl Given {
    fn text(&self, name: &str) -> Option<String> {
        self.0[name].as_str().map(str::to_owned)
    }

    fn number(&self, name: &str) -> Option<i32> {
        self.0[name].as_i64().map(|number| number as i32)
    }

    fn blob(&self, value: &Value) -> Option<Blob> {
        value
            .as_str()
            .map(|text| Blob::new(BASE64_STANDARD.decode(text).expect("base64")))
    }

    fn routing(&self) -> Option<AliasRoutingConfiguration> {
        let weights = self.0["RoutingConfig"]["AdditionalVersionWeights"].as_object()?;
        let weights: HashMap<_, _> = weights
            .iter()
            .map(|(name, one)| (name.clone(), one.as_f64().unwrap()))
            .collect();
        Some(
            AliasRoutingConfiguration::builder()
                .set_additional_version_weights(Some(weights))
                .build(),
        )
    }

    fn environment(&self) -> Option<Environment> {
        Some(
            Environment::builder()
                .set_variables(texts(&self.0["Environment"]["Variables"]))
                .build(),
        )
        .filter(|one| one.variables().is_some())
    }
}

fn texts(map: &Value) -> Option<HashMap<String, String>> {
    let map = map.as_object()?;
    Some(
        map.iter()
            .map(|(name, one)| (name.clone(), one.as_str().unwrap().to_owned()))
            .collect(),
    )
}

fn refusal<E: ProvideErrorMetadata + std::error::Error + 'static>(error: SdkError<E>) -> Value {
    let status = error
        .raw_response()
        .map(|response| response.status().as_u16());
    match error.as_service_error().and_then(|one| one.code()) {
        Some(code) => json!({"error": code, "status": status, "message": error.message()}),
        None => json!({"error": "Rust", "message": DisplayErrorContext(&error).to_string()}),
    }
}

fn configuration(one: &FunctionConfiguration) -> Value {
    json!({
        "FunctionName": one.function_name(), "CodeSha256": one.code_sha256(),
        "Description": one.description(), "Version": one.version(),
        "State": one.state().map(|state| state.as_str()),
    })
}

fn alias(one: &AliasConfiguration) -> Value {
    let weights = one
        .routing_config()
        .and_then(|routing| routing.additional_version_weights());
    json!({
        "Name": one.name(), "FunctionVersion": one.function_version(),
        "RoutingConfig": {"AdditionalVersionWeights": weights},
    })
}

/// Send a call, and make JSON of its output.
macro_rules! sent {
    ($call:expr) => {
        sent!($call, |_output| json!({}))
    };
    ($call:expr, $shown:expr) => {
        $call.send().await.map($shown).map_err(refusal)
    };
}

async fn call(client: &Client, operation: &str, given: &Given) -> Said {
    let function = given.text("FunctionName");
    let qualifier = given.text("Qualifier");
    match operation {
        "CreateFunction" => {
            let code = FunctionCode::builder()
                .set_zip_file(given.blob(&given.0["Code"]["ZipFile"]))
                .build();
            sent!(
                client
                    .create_function()
                    .set_function_name(function)
                    .code(code)
                    .runtime(Runtime::from(given.text("Runtime").unwrap().as_str()))
                    .set_role(given.text("Role"))
                    .set_handler(given.text("Handler"))
                    .set_description(given.text("Description"))
                    .set_environment(given.environment()),
                |one| json!({"CodeSha256": one.code_sha256(), "FunctionArn": one.function_arn()})
            )
        }
        "GetFunction" => sent!(
            client
                .get_function()
                .set_function_name(function)
                .set_qualifier(qualifier),
            |one| json!({
                "Configuration": one.configuration().map(configuration), "Tags": one.tags(),
                "Code": {"Location": one.code().and_then(|code| code.location())},
            })
        ),
        "GetFunctionConfiguration" => sent!(
            client
                .get_function_configuration()
                .set_function_name(function),
            |one| json!({"Description": one.description()})
        ),
        "ListFunctions" => sent!(
            client.list_functions(),
            |one| json!({"Functions": one.functions().iter().map(configuration).collect::<Vec<_>>()})
        ),
        "Invoke" => sent!(
            client
                .invoke()
                .set_function_name(function)
                .set_qualifier(qualifier)
                .set_invocation_type(
                    given
                        .text("InvocationType")
                        .as_deref()
                        .map(InvocationType::from)
                )
                .set_log_type(given.text("LogType").as_deref().map(LogType::from))
                .set_payload(given.blob(&given.0["Payload"])),
            |one| {
                let payload = one.payload().map(|blob| BASE64_STANDARD.encode(blob));
                json!({
                    "StatusCode": one.status_code(), "ExecutedVersion": one.executed_version(),
                    "FunctionError": one.function_error(), "LogResult": one.log_result(),
                    "Payload": payload,
                })
            }
        ),
        "InvokeWithResponseStream" => stream(client, given).await,
        "UpdateFunctionCode" => sent!(
            client
                .update_function_code()
                .set_function_name(function)
                .set_zip_file(given.blob(&given.0["ZipFile"]))
        ),
        "UpdateFunctionConfiguration" => sent!(
            client
                .update_function_configuration()
                .set_function_name(function)
                .set_environment(given.environment())
                .set_timeout(given.number("Timeout"))
                .set_revision_id(given.text("RevisionId"))
        ),
        "PublishVersion" => sent!(
            client
                .publish_version()
                .set_function_name(function)
                .set_description(given.text("Description"))
                .set_code_sha256(given.text("CodeSha256")),
            |one| json!({"Version": one.version()})
        ),
        "ListVersionsByFunction" => sent!(
            client
                .list_versions_by_function()
                .set_function_name(function),
            |one| json!({"Versions": one.versions().iter().map(configuration).collect::<Vec<_>>()})
        ),
        "CreateAlias" => sent!(
            client
                .create_alias()
                .set_function_name(function)
                .set_name(given.text("Name"))
                .set_function_version(given.text("FunctionVersion"))
        ),
        "UpdateAlias" => sent!(
            client
                .update_alias()
                .set_function_name(function)
                .set_name(given.text("Name"))
                .set_function_version(given.text("FunctionVersion"))
                .set_routing_config(given.routing())
        ),
        "GetAlias" => sent!(
            client
                .get_alias()
                .set_function_name(function)
                .set_name(given.text("Name")),
            |one| {
                let routing = one
                    .routing_config()
                    .and_then(|one| one.additional_version_weights());
                json!({"RoutingConfig": {"AdditionalVersionWeights": routing}})
            }
        ),
        "ListAliases" => sent!(
            client.list_aliases().set_function_name(function),
            |one| json!({"Aliases": one.aliases().iter().map(alias).collect::<Vec<_>>()})
        ),
        "DeleteAlias" => sent!(
            client
                .delete_alias()
                .set_function_name(function)
                .set_name(given.text("Name"))
        ),
        "DeleteFunction" => sent!(
            client
                .delete_function()
                .set_function_name(function)
                .set_qualifier(qualifier)
        ),
        "AddPermission" => sent!(
            client
                .add_permission()
                .set_function_name(function)
                .set_statement_id(given.text("StatementId"))
                .set_action(given.text("Action"))
                .set_principal(given.text("Principal"))
                .set_function_url_auth_type(
                    given
                        .text("FunctionUrlAuthType")
                        .as_deref()
                        .map(FunctionUrlAuthType::from)
                )
                .set_invoked_via_function_url(given.0["InvokedViaFunctionUrl"].as_bool())
        ),
        "GetPolicy" => sent!(
            client.get_policy().set_function_name(function),
            |one| json!({"Policy": one.policy()})
        ),
        "RemovePermission" => sent!(
            client
                .remove_permission()
                .set_function_name(function)
                .set_statement_id(given.text("StatementId"))
        ),
        "PutFunctionConcurrency" => sent!(
            client
                .put_function_concurrency()
                .set_function_name(function)
                .set_reserved_concurrent_executions(given.number("ReservedConcurrentExecutions"))
        ),
        "GetFunctionConcurrency" => sent!(
            client
                .get_function_concurrency()
                .set_function_name(function),
            |one| json!({"ReservedConcurrentExecutions": one.reserved_concurrent_executions()})
        ),
        "DeleteFunctionConcurrency" => sent!(
            client
                .delete_function_concurrency()
                .set_function_name(function)
        ),
        "GetAccountSettings" => sent!(client.get_account_settings(), |one| {
            let free = one
                .account_limit()
                .and_then(|one| one.unreserved_concurrent_executions());
            json!({"AccountLimit": {"UnreservedConcurrentExecutions": free}})
        }),
        "TagResource" => sent!(
            client
                .tag_resource()
                .set_resource(given.text("Resource"))
                .set_tags(texts(&given.0["Tags"]))
        ),
        "UntagResource" => sent!(
            client
                .untag_resource()
                .set_resource(given.text("Resource"))
                .tag_keys(given.0["TagKeys"][0].as_str().unwrap())
        ),
        "ListTags" => sent!(
            client.list_tags().set_resource(given.text("Resource")),
            |one| json!({"Tags": one.tags()})
        ),
        "ListCapacityProviders" => sent!(client.list_capacity_providers()),
        _ => Err(json!({"missing": format!("its driver has no {operation}")})),
    }
}

async fn stream(client: &Client, given: &Given) -> Said {
    let mut output = client
        .invoke_with_response_stream()
        .set_function_name(given.text("FunctionName"))
        .set_payload(given.blob(&given.0["Payload"]))
        .send()
        .await
        .map_err(refusal)?;
    let mut events = Vec::new();
    while let Some(event) = output
        .event_stream
        .recv()
        .await
        .map_err(|error| json!({"error": "Rust", "message": error.to_string()}))?
    {
        events.push(match event {
            InvokeWithResponseStreamResponseEvent::PayloadChunk(chunk) => {
                let piece = chunk.payload().map(|blob| BASE64_STANDARD.encode(blob));
                json!({"PayloadChunk": {"Payload": piece}})
            }
            _ => json!({"InvokeComplete": {}}),
        });
    }
    Ok(json!({"EventStream": events}))
}

async fn wait(client: &Client, waiter: &str, given: &Given) -> Said {
    let name = given.text("FunctionName");
    let failed = |error: String| json!({"error": "Waiter", "message": error});
    if waiter == "FunctionActiveV2" {
        client
            .wait_until_function_active_v2()
            .set_function_name(name)
            .wait(PATIENCE)
            .await
            .map_err(|error| failed(error.to_string()))?;
    } else {
        client
            .wait_until_function_updated_v2()
            .set_function_name(name)
            .wait(PATIENCE)
            .await
            .map_err(|error| failed(error.to_string()))?;
    }
    Ok(json!({}))
}

async fn pages(client: &Client, operation: &str, given: &Given) -> Said {
    let size = given.0["PaginationConfig"]["PageSize"].as_i64().unwrap() as i32;
    let name = given.text("FunctionName");
    let mut found = Vec::new();
    if operation == "ListAliases" {
        let mut pages = client
            .list_aliases()
            .set_function_name(name)
            .into_paginator()
            .page_size(size)
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(refusal)?;
            found.push(json!({"Aliases": page.aliases().iter().map(alias).collect::<Vec<_>>()}));
        }
    } else {
        let mut pages = client
            .list_versions_by_function()
            .set_function_name(name)
            .into_paginator()
            .page_size(size)
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(refusal)?;
            let versions = page
                .versions()
                .iter()
                .map(configuration)
                .collect::<Vec<_>>();
            found.push(json!({"Versions": versions}));
        }
    }
    Ok(Value::Array(found))
}

fn client_of(key: &str) -> Client {
    let variable = |name| std::env::var(name).expect(name);
    Client::from_conf(
        aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(variable("AWS_REGION")))
            .endpoint_url(variable("AWS_ENDPOINT_URL"))
            .credentials_provider(Credentials::new(key, "test", None, None, "driver"))
            .retry_config(RetryConfig::standard().with_max_attempts(8))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build(),
    )
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut clients: HashMap<String, Client> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let key = asked["key"].as_str().expect("a key").to_owned();
        let client = clients
            .entry(key.clone())
            .or_insert_with(|| client_of(&key))
            .clone();
        let operation = asked["operation"].as_str().expect("an operation");
        let given = Given(asked["input"].clone());
        let said = match asked["do"].as_str() {
            Some("wait") => wait(&client, operation, &given).await,
            Some("pages") => pages(&client, operation, &given).await,
            _ => call(&client, operation, &given).await,
        };
        println!(
            "{}",
            said.map_or_else(|error| error, |output| json!({"output": output}))
        );
        std::io::stdout().flush().expect("standard output");
    }
}
