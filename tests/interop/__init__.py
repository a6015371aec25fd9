"""The service's own web SDK, in a real browser, against the emulator."""
