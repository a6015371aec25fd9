"""What the receive path costs: `make bench`."""
