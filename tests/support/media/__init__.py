"""Pictures, videos and data sets that the tests make."""
