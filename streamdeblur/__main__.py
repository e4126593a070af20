"""``python -m streamdeblur``: the command line."""

from streamdeblur.cli import main

main()
