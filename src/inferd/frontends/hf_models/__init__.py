"""A URL for each model, as Hugging Face's own clients ask it: `/models/ID`, `/pipeline/TASK`."""
