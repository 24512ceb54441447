<?php
// A first function: it greets whom its event names.
return function (array $event): array {
    return ['greeting' => 'Hello, ' . ($event['name'] ?? 'world') . '!'];
};
