"""Streams that do not wait: cameras, network streams, pipes."""
