"""How either service is served, as processes."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("module", "prog", "variable"),
    [
        ("api_service", "reference-api", "REFERENCE_API"),
        ("sync_service", "reference-sync", "REFERENCE_SYNC"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_told_in_one_line(
    module: str, prog: str, variable: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[log]\nformat = "json"\n[reference]\nref_dir = "{tmp_path}"\n')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", module, "--config", str(config)],
            cwd=ROOT,
            env={
                f"{variable}_HOST": "127.0.0.1",
                f"{variable}_PORT": port,
                "REFERENCE_API_BROKER_URL": "amqp://[::1]:1/",
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith(f"{prog}: error: cannot listen on port {port} of 127.0.0.1: ")
