"""streamdeblur inside other programs. Each plugin imports its framework only when it is used."""
