"""Live streams: cameras, network streams, files in real time."""
