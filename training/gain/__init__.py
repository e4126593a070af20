"""The estimate of the gain to be expected from restoring a face (`streamdeblur.faces.gain`): how it is made.

`populations` says which faces there are, `measurement` makes them and measures what the networks gain, `fitting` fits the
estimate (the only part that imports torch), `report` shows how it decides on other people.
"""
