"""Making and measuring the networks: installed as ``streamdeblur.training``, the only part that may import torch."""
