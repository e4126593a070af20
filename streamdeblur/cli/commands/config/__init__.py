"""streamdeblur config: files of settings."""
