"""The server end of our HTTP/1.1: every request of every connection is read here."""
