"""Our HTTP/1.1. So far the client end: a keep-alive pool for each upstream."""
