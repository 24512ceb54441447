"""Functions behind plain HTTP: function URLs and routes; `endpoint` shows a request's whole way."""
