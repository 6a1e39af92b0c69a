"""The outside world of the API service: the repository and the broker."""
