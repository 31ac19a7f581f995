"""Our HTTP/1.1, both ends, and the one sweep that enforces their deadlines."""
