"""Serves the inventory and the availability of its nodes over HTTP."""
