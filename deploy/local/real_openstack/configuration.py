"""The configuration files of Keystone and Blazar."""

from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.real_openstack.identity import SERVICE_USER

POLICY = """\
# Chameleon's rules for hosts: any role of a project may read them. Upstream lets administrators alone.
"admin_or_owner": "rule:admin or project_id:%(project_id)s"
"blazar:oshosts:get": "rule:admin_or_owner"
"blazar:oshosts:get_allocations": "rule:admin_or_owner"
"blazar:oshosts:get_resource_properties": "@"
"""


def write_keystone(folder: Path) -> Path:
    """Keystone on SQLite in `folder`."""
    (folder / "fernet-keys").mkdir(parents=True)
    (folder / "credential-keys").mkdir()
    file = folder / "keystone.conf"
    file.write_text(f"""\
[DEFAULT]
use_stderr = true
[database]
connection = sqlite:///{folder}/keystone.sqlite
[token]
provider = fernet
[fernet_tokens]
key_repository = {folder}/fernet-keys
[credential]
key_repository = {folder}/credential-keys
[cache]
enabled = true
backend = oslo_cache.dict
[identity]
password_hash_rounds = 4
""")
    return file


def write_blazar(folder: Path, *, site_id: str, port: int, keystone_url: str, password: str, broker_url: str) -> Path:
    """A site's Blazar on SQLite in `folder`, API and manager alike; `password` is that of Blazar's own user."""
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text(POLICY)
    keystone = urlsplit(keystone_url)
    prefix = keystone.path.strip("/").removesuffix("/v3")
    file = folder / "blazar.conf"
    file.touch(mode=0o600)
    file.write_text(f"""\
[DEFAULT]
host = 127.0.0.1
port = {port}
os_region_name = {site_id}
os_auth_protocol = http
os_auth_host = {keystone.hostname}
os_auth_port = {keystone.port}
os_auth_prefix = {prefix}
os_auth_version = v3
os_admin_username = {SERVICE_USER}
os_admin_password = {password}
os_admin_project_name = service
transport_url = {broker_url}
rpc_response_timeout = 60
use_stderr = true
[database]
connection = sqlite:///{folder}/blazar.sqlite?timeout=30
[manager]
plugins = physical.host.plugin
minutes_before_end_lease = 60
[api]
api_v2_controllers = oshosts,leases
[nova]
endpoint_type = internal
[oslo_policy]
policy_file = {folder}/policy.yaml
[keystone_authtoken]
www_authenticate_uri = {keystone_url.removesuffix("/v3")}
auth_url = {keystone_url}
auth_type = password
project_domain_id = default
user_domain_id = default
project_name = service
username = {SERVICE_USER}
password = {password}
region_name = {site_id}
service_type = reservation
""")
    return file
