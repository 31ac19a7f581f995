"""GET /events: what happens on the node, as it happens."""
