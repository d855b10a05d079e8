"""Logs of searches as a test wants them: their format, written without the package."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Return the header and the paths of a log, without their checksums."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "checksum"} for line in lines]


def write_log(log: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write a log of these lines: each ends with the checksum of itself and of all before it."""
    checksum, whole = "", b""
    for line in lines:
        text = json.dumps(line, separators=(",", ":")).encode()
        checksum = hashlib.blake2b(checksum.encode() + text, digest_size=16).hexdigest()
        whole += text[:-1] + f',"checksum":"{checksum}"}}\n'.encode()
    log.write_bytes(whole)
