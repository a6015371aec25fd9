"""The emulator's REST API."""
