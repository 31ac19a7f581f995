"""The ways in. Each folder speaks one API and knows the gateway, never another or a backend."""
