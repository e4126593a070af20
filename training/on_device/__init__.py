"""Pairs and sequences drawn by a GPU: what `PairMaker` and `SequenceMaker` plan, many at a time, as PyTorch operations.

The CPU samples what is random, from the same numbers as for its own pairs, and the device reads, blurs, degrades and compresses.
So pair n is the same pair wherever it is drawn, but for rounding: within one code value, noise included. JPEG is like libjpeg's,
not equal to it. H.264 has no counterpart here: the few pairs that need it are drawn by the CPU.
"""
