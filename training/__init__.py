"""Training the networks: installed as ``streamdeblur.training``. Only its networks and loops import torch."""
