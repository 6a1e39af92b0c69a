"""`make run`: both services on this machine, with whatever they need and was not given."""
