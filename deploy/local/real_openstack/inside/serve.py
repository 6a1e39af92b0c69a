"""`python -m … serve keystone|blazar PORT`: a WSGI application on loopback."""

import importlib
import sys
from typing import Final

import waitress

PATHS: Final = {"keystone": "/identity", "blazar": ""}


def application(service: str) -> object:
    """The service's WSGI application."""
    sys.argv = [service]  # both read the command line as soon as they are imported
    if service == "keystone":
        return importlib.import_module("keystone.wsgi.api").application
    chameleon = importlib.import_module("deploy.local.real_openstack.inside.chameleon")
    chameleon.add_columns()
    chameleon.add_flavor_availability()
    return importlib.import_module("blazar.api.wsgi_app").init_app()


def main(service: str, port: str) -> None:
    """Runs until it is ended."""
    waitress.serve(
        application(service),
        host="127.0.0.1",
        port=int(port),
        threads=4,
        url_prefix=PATHS[service],
        channel_timeout=120,
        ident=service,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
