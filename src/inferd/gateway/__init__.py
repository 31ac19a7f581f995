"""The middle: admit, route, run, account. It knows backends only as core.backend.Backend."""
