"""HTTP/1.1 as both servers of the agent speak it: `gateway_api`, and Lambda's Runtime API."""
