"""Bodies as they were before they were compressed."""

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DECODED: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "identity": bytes,
    "gzip": lambda body: zlib.decompress(body, 31),
    "zstd": zstd.decompress,
}
"""By the name of a coding."""
