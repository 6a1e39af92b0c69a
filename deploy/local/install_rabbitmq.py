"""`python -m deploy.local.install_rabbitmq`: RabbitMQ from Debian's packages, where it is missing and root asks."""

import sys
from typing import Final

from deploy.local.debian_packages import CannotInstallError, Machine, install
from deploy.local.rabbitmq_server import find_server

THIS_MACHINE: Final = Machine(find_server)


def install_rabbitmq(machine: Machine = THIS_MACHINE) -> None:
    """Returns once RabbitMQ is there; the packaged service is not started.

    Raises:
        CannotInstallError: it is neither there nor to be had.
    """
    install("rabbitmq-server", "RabbitMQ", machine)


def main() -> None:
    """Says nothing if there is nothing to do."""
    try:
        install_rabbitmq()
    except CannotInstallError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
