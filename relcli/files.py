"""Files as such: found or explained, read with clear errors, written whole or not at all, hashed."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from relcli.errors import FormatError, OutputError, RelcliError, did_you_mean

_CHUNK = 1 << 20


def existing(path: str | Path) -> Path:
    """Return `path` if something is there, otherwise say which sibling may have been meant."""
    path = Path(path)
    if os.path.exists(path):
        return path
    folder = path.parent
    if not os.path.isdir(folder):
        raise FormatError(f"{path} does not exist: there is no folder {folder}.")
    siblings = os.listdir(folder) if os.access(folder, os.R_OK) else []
    raise FormatError(f"{path} does not exist.{did_you_mean(path.name, siblings) or ' Check its name.'}")


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a library raises on a broken file into a FormatError that names the file."""
    try:
        yield
    except (RelcliError, MemoryError):
        raise
    except PermissionError as error:
        raise FormatError(f"{path} cannot be opened: permission denied.") from error
    # BadZipFile, SafetensorError and their like descend from nothing narrower
    except Exception as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise FormatError(
            f"{path} cannot be read as {kind}: it is damaged, truncated or something else ({reason})."
        ) from error


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """
    Give a temporary path beside `path`, which takes its place when the block ends well.

    A killed or failed run leaves the old file, or none. Devices and pipes (/dev/stdout) are
    written directly: renaming over them would replace the device itself.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} cannot be written: it is a folder. Name a file in it.")
    if path.exists() and not path.is_file():
        yield path
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        # made by open rather than tempfile, so that the file gets the user's usual permissions
        temporary.open("xb").close()
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def sha256_of(paths: Iterable[str | Path]) -> str:
    """Return the SHA-256 of the files' bytes, one file after another: for one, what sha256sum prints."""
    digest = hashlib.sha256()
    for path in paths:
        with reading(existing(path), "bytes"), open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
