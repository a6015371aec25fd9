"""A client's live connection, and what hangs on it."""
