"""`python -m … manager --config-file FILE`: Blazar's manager with Chameleon's forms."""

import contextlib
import importlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

from deploy.local.real_openstack.inside import chameleon


def one_writer_at_a_time() -> None:
    """SQLite refuses a second writer, which Blazar takes for a broken database."""
    facade: Any = importlib.import_module("blazar.db.sqlalchemy.facade_wrapper")
    lock, plain = threading.RLock(), facade.session_for_write

    @contextlib.contextmanager
    def session_for_write(sqlite_fk: bool = False) -> Iterator[Any]:  # noqa: FBT001, FBT002 - Blazar's own signature
        with lock, plain(sqlite_fk) as session:
            yield session

    facade.session_for_write = session_for_write


def main() -> None:
    """Runs until it is ended."""
    one_writer_at_a_time()
    chameleon.add_columns()
    chameleon.add_people()
    sys.argv[0] = "blazar-manager"
    importlib.import_module("blazar.cmd.manager").main()


if __name__ == "__main__":
    main()
