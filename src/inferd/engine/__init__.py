"""Models that run here. Knows nothing of requests, principals, backends or wires."""
