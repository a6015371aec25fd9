"""`odyssey demo`."""
