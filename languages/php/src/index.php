<?php
// The function: a page's title into what its address ends with.
return function (array $event): array {
    $title = preg_replace('/[^\pL\pN]+/u', '-', strtolower($event['title']));
    return ['slug' => trim($title, '-')];
};
