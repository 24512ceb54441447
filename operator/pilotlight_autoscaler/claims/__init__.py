"""The door for gateways: claims come in, leases go out, in one process or over a wire."""
