"""Recordings: made, kept, and served at presigned addresses."""
