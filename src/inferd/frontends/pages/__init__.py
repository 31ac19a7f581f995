"""What the node says about itself: the page at / and /openapi.json."""
