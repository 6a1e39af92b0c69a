"""A real Keystone and Blazar from PyPI, on loopback, for the tests that the simulated cloud is held to."""
