"""What every HTTP frontend stands on: the guard at the edge, one exchange, forms, answers."""
