"""The operator's API: /status, /admin/explain, /admin/usage."""
