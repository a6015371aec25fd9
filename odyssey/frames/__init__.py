"""What a reader of frames touches; needs no av."""
