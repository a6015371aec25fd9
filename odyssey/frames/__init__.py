"""Frames, the queues they are read from, and their counters. Doesn't import av."""
