"""One codec a protocol, both ends: pure functions from bytes to core types and back."""
