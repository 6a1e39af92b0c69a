"""How the services are run: on one machine, and on Kubernetes."""
