"""The wire protocol without a socket, a thread or a clock: what to send, and what a reply means."""
