"""Where the vectors lie: FILE#NAME taken apart, folders and globs as files in their natural order."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from relcli.errors import FormatError, UsageError
from relcli.files import existing
from relcli.formats.ids import is_sidecar


def split_member(source: str | Path, key: str | None) -> tuple[str, str | None]:
    """Return the place and the member that `FILE#NAME` or a key names; a # in a real name is kept."""
    place, sign, member = str(source).rpartition("#")
    if not sign or os.path.exists(source):
        return str(source), key
    if key is not None and key != member:
        raise UsageError(f"{source} names {member!r} but the key names {key!r}. Give one of them.")
    return place, member


def find_shards(place: str, suffixes: Sequence[str]) -> list[Path]:
    """Return the files that a file name, folder or glob stands for, e_2 before e_10."""
    path = Path(place)
    if os.path.isdir(path):
        return _shards_of_folder(path, suffixes)
    if os.path.exists(path) or not glob.has_magic(place):
        return [existing(path)]
    files = [Path(match) for match in glob.glob(place, recursive=True)]
    files = [file for file in files if file.is_file() and not is_sidecar(file)]
    if not files:
        raise FormatError(f"{place} matches no files. Quote it, and check the folder.")
    return sorted(files, key=natural)


def name_of(place: str, member: str | None) -> str:
    """Return the name of a space: the file's stem, or the folder of a glob, and the member asked for."""
    path = Path(place)
    stem = path.parent.name if glob.has_magic(path.name) and not os.path.exists(path) else path.stem
    # two models may sit in one file: the member tells them apart
    return (f"{stem}#{member}" if member else stem) or place


def find_dumps(places: Sequence[str | Path]) -> list[str]:
    """Return the dumps that names and globs stand for, each file of a glob by itself, e_2 before e_10."""
    found: list[str] = []
    for place in map(str, places):
        if os.path.exists(place) or not glob.has_magic(place) or "#" in place:
            found.append(place)
        else:
            found += map(str, find_shards(place, ()))
    return found


def distinct_names(places: Sequence[str]) -> list[str]:
    """Return a name for each dump: its own, with the folder before it where several are called alike."""
    names = [name_of(*split_member(place, None)) for place in places]
    return [
        f"{Path(split_member(place, None)[0]).parent.name}/{name}" if names.count(name) > 1 else name
        for place, name in zip(places, names, strict=True)
    ]


def natural(path: Path) -> list[tuple[int, int, str]]:
    """Return a sorting key that compares runs of digits as numbers."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", str(path))]


def _shards_of_folder(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in suffixes and not is_sidecar(file) and not file.name.startswith((".", "_"))
    ]
    kinds = Counter(file.suffix.lower() for file in files)
    if not files:
        raise FormatError(f"{folder} holds no shards: none of its files is a {', '.join(suffixes)}.")
    if len(kinds) > 1:
        counts = " and ".join(f"{count:,} {suffix}" for suffix, count in sorted(kinds.items()))
        raise FormatError(f"{folder} holds {counts} files. Choose by a glob, such as '{folder}/*{min(kinds)}'.")
    return sorted(files, key=natural)
