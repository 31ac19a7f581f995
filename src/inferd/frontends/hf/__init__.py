"""The Hugging Face task API: /inference, /models, /run, /healthz."""
