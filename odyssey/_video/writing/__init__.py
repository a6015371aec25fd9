"""Writing videos: one file for each kind of target, and a thread that writes while frames come."""
