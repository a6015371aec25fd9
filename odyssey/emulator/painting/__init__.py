"""Paints scenes: sky, land, figures, weather, caption; `Scene` puts them together."""
