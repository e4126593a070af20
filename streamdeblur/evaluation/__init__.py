"""Benchmark deblurring methods: image quality, landmarks, identity."""
