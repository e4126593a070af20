"""The page in the browser: webcam, pictures and clips through the deblurrer of this machine."""
