"""What the node says about its APIs, to tools: /openapi.json."""
