"""Frames and recordings as the data sets of other libraries; each module needs its own extra."""
