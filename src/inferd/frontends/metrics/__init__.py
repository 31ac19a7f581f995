"""Numbers for monitoring: GET /metrics."""
