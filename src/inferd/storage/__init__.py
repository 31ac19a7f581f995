"""What the node keeps on disk. Nothing here is waited for by a request."""
