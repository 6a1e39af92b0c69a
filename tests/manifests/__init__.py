"""What `deploy/k8s` says, held to the rules of Kubernetes and to the code."""
