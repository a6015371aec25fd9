"""Blocking Python SDK for Odyssey: live generated video, steered by prompts, as numpy arrays."""
