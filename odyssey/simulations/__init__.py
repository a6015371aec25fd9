"""The simulations of an account."""
