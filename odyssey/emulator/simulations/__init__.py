"""Simulation jobs and their rendering."""
