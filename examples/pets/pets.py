"""An API behind a route: GET /pets/{id} of host pets.localhost."""

PETS = {"1": {"name": "Laika", "kind": "dog"}, "2": {"name": "Félicette", "kind": "cat"}}


def handler(event, _context):
    """Return the pet that the path names; a plain object is a 200 of JSON."""
    pet = PETS.get(event["pathParameters"]["id"])
    if pet is None:
        return {"statusCode": 404, "body": "no such pet"}
    return pet
