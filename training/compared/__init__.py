"""How the learned methods that the paper compares with are trained: one module of objectives for each, and one loop."""
