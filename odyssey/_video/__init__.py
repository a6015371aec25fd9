"""Video through PyAV, without a network: decoded pictures, conversion, and video files."""
