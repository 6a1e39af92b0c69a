"""A simulated OpenStack: Keystone, Blazar and Nova in the real ones' forms, driven by the real ones' clients."""

from deploy.local.openstack.cloud import SimulatedCloud

__all__ = ["SimulatedCloud"]
