"""A web page at a function URL: greets ?name=… and counts visits in a cookie."""

from html import escape


def handler(event, _context):
    """Return the page, and a cookie with one visit more."""
    name = event.get("queryStringParameters", {}).get("name", "world")
    cookies = dict(cookie.partition("=")[::2] for cookie in event.get("cookies", []))
    visits = int(cookies.get("visits", "0")) + 1
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "text/html; charset=utf-8"},
        "cookies": [f"visits={visits}; Path=/; HttpOnly"],
        "body": f"<h1>Hello, {escape(name)}!</h1><p>Visit {visits}</p>",
    }
