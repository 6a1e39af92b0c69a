"""Polls every site's Blazar and publishes the availability of its nodes."""
