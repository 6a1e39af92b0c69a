"""The outside world of the sync service: Blazar and the broker."""
