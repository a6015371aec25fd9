"""How a scene is painted: sky, land, figures, weather, caption; `Scene` puts them together."""
