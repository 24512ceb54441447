"""The platform's own endpoints, under `/-/` (design, section 9)."""
