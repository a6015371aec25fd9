"""Broadcasts: WHEP and HLS."""
