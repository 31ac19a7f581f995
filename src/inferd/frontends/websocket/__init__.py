"""WebSockets: inferences, cancelled at a word, and what happens on the node, on one line."""
