"""Whether the node serves: /health for people and balancers, /ready for who starts it."""
