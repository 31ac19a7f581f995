"""Which backend answers, and which next."""
