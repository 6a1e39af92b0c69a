"""What runs in the environment that Keystone and Blazar are installed in."""
