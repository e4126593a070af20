"""The web page: camera, pictures and clips in the browser, restored by this machine."""
