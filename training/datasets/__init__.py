"""What the networks learn from: blur, degradations, and the clips and stills that they are made of."""
