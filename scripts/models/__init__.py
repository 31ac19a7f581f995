"""What `build_models.py` is made of: one file for each thing it builds."""
