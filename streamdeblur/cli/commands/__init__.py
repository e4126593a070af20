"""One module per command, one package per group; each is imported when its command is called."""
