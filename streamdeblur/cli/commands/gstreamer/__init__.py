"""Commands for the GStreamer element."""
