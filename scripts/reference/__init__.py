"""Pages and examples that are written from the code; `scripts/docs.py` is the command."""
