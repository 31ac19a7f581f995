"""The Hugging Face Hub: what it lists, asked sparingly and remembered."""
