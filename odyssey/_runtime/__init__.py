"""Time, threads and the process: what everything else stands on."""
