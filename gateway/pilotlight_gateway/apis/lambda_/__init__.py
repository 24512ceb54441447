"""The Lambda API's form: its model, routes, validation, function references."""
