"""Commands that train the two steps of the method."""
