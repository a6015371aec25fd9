"""Video with av, without a network: decoded pictures, conversion, reading and writing files."""
