"""Sessions, signaling and live streams."""
