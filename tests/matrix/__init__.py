"""Every fault against every blocking call: what has to happen, and within which time."""
