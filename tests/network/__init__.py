"""Real networks with what goes wrong in them, between a client and the emulator. Linux, as root."""
