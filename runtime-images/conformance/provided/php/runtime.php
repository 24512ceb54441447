<?php
// Every case of the contract in one bootstrap: the handler's name says which it is.
declare(strict_types=1);

final class ShopError extends Exception {}

$api = 'http://' . getenv('AWS_LAMBDA_RUNTIME_API') . '/2018-06-01/runtime';
$calls = 0;

/** Ask the Runtime API; returns the body and the headers by lower-case name. */
function ask(string $url, ?string $body = null, string $type = ''): array
{
    $header = "Content-Type: application/json\r\n";
    $header .= $type === '' ? '' : "Lambda-Runtime-Function-Error-Type: $type\r\n";
    $http = ['method' => $body === null ? 'GET' : 'POST', 'ignore_errors' => true, 'timeout' => 1e6];
    $http += $body === null ? [] : ['header' => $header, 'content' => $body];
    $answer = file_get_contents($url, false, stream_context_create(['http' => $http]));
    $headers = [];
    foreach ($http_response_header as $line) {
        [$name, $value] = array_pad(explode(':', $line, 2), 2, '');
        $headers[strtolower($name)] = trim($value);
    }
    return [$answer, $headers];
}

function describe(Throwable $error): string
{
    return json_encode([
        'errorType' => get_class($error),
        'errorMessage' => $error->getMessage(),
        'stackTrace' => ['main.php:' . $error->getLine(), ...explode("\n", $error->getTraceAsString())],
    ]);
}

function answer(mixed $event, array $headers): mixed
{
    global $calls;
    $calls += 1;
    switch (getenv('_HANDLER')) {
        case 'hello':
            return ['greeting' => "Hello, {$event->name}!"];
        case 'echo':
            return $event;
        case 'length':
            return strlen(preg_replace('/[\x80-\xbf]/', '', $event));
        case 'size':
            return str_repeat('x', $event);
        case 'recovers':
            return 'recovered';
        case 'no_json':
            return NAN;
        case 'context':
            return told($headers);
        case 'environment':
            $listed = preg_split('/\s+/', trim(shell_exec('/bin/ls /proc/self/fd')));
            return ['variables' => getenv(), 'folder' => getcwd(), 'inherited' => $listed];
        case 'temporary':
            file_put_contents(sys_get_temp_dir() . '/kept', 'x', FILE_APPEND);
            clearstatcache();
            return filesize(sys_get_temp_dir() . '/kept');
        case 'memory':
            ini_set('memory_limit', '-1');
            for ($kept = []; ; $kept[] = str_repeat('x', 4_000_000));
        case 'sleep':
            echo "going to sleep\n";
            sleep($event);
            return 'awake';
        case 'exit':
            if ($event === null) {
                return $calls;
            }
            echo "last words\n";
            exit($event);
        case 'error':
            echo 'called with ', $event, "\n";
            return $event === null ? 'fine' : throw new ShopError($event);
    }
}

function told(array $headers): array
{
    $client = json_decode($headers['lambda-runtime-client-context'] ?? 'null');
    $identity = json_decode($headers['lambda-runtime-cognito-identity'] ?? 'null');
    return [
        'requestId' => $headers['lambda-runtime-aws-request-id'],
        'name' => getenv('AWS_LAMBDA_FUNCTION_NAME'),
        'version' => getenv('AWS_LAMBDA_FUNCTION_VERSION'),
        'arn' => $headers['lambda-runtime-invoked-function-arn'],
        'memory' => getenv('AWS_LAMBDA_FUNCTION_MEMORY_SIZE'),
        'logGroup' => getenv('AWS_LAMBDA_LOG_GROUP_NAME'),
        'logStream' => getenv('AWS_LAMBDA_LOG_STREAM_NAME'),
        'remaining' => (int) $headers['lambda-runtime-deadline-ms'] - (int) (microtime(true) * 1000),
        'custom' => $client->custom ?? null,
        'identity' => $identity->cognitoIdentityId ?? null,
        'trace' => $headers['lambda-runtime-trace-id'] ?? null,
    ];
}

try {
    $mark = sys_get_temp_dir() . '/tried';
    if (getenv('_HANDLER') === 'recovers' && !file_exists($mark)) {
        touch($mark);
        throw new RuntimeException('the first time');
    }
} catch (Throwable $error) {
    ask("$api/init/error", describe($error), get_class($error));
    exit(1);
}
while (true) {
    [$event, $headers] = ask("$api/invocation/next");
    $call = "$api/invocation/{$headers['lambda-runtime-aws-request-id']}";
    try {
        $flags = JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION;
        ask("$call/response", json_encode(answer(json_decode($event), $headers), $flags));
    } catch (Throwable $error) {
        fwrite(STDERR, 'ERROR ' . $error . "\n");
        ask("$call/error", describe($error), get_class($error));
    }
}
