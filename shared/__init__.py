"""The contract between the services: what they say to each other, and how both are run."""
