"""The recordings of an account."""
