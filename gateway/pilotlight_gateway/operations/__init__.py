"""The Lambda API's operations, a noun a module; `table` says which there are."""
