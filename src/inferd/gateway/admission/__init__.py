"""Who asks, what they may, how much is left."""
