"""The contract between the services: what they say to each other, and how both are run."""

__version__ = "0.1.0"
