<?php
// A runtime in PHP: it asks the Lambda Runtime API for events and gives them to index.php's function.
declare(strict_types=1);

$api = 'http://' . getenv('AWS_LAMBDA_RUNTIME_API') . '/2018-06-01/runtime/invocation';
$handle = require __DIR__ . '/index.php';

/** Get a body and the request's id, or post a body. */
function ask(string $url, ?string $body = null): array
{
    $http = ['method' => $body === null ? 'GET' : 'POST', 'timeout' => 1e6];
    $http += $body === null ? [] : ['header' => 'Content-Type: application/json', 'content' => $body];
    $answer = file_get_contents($url, false, stream_context_create(['http' => $http]));
    $ids = preg_filter('/^lambda-runtime-aws-request-id: /i', '', $http_response_header);
    return [$answer, trim(current($ids ?: ['']))];
}

while (true) {
    [$event, $id] = ask("$api/next");
    try {
        ask("$api/$id/response", json_encode($handle(json_decode($event, true)), JSON_THROW_ON_ERROR));
    } catch (Throwable $error) {
        fwrite(STDERR, "$error\n");
        $told = ['errorType' => get_class($error), 'errorMessage' => $error->getMessage()];
        ask("$api/$id/error", json_encode($told));
    }
}
