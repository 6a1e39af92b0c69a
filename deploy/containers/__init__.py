"""A Docker engine and what containers are made of here, for the tests of the images and of compose.yaml."""
