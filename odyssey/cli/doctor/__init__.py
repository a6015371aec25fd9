"""`odyssey doctor`."""
