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


def split_member(source: str | Path, key: str | None) -> tuple[str, str | None]:
    """Return the place and the member that `FILE#NAME` or a key names; a # in a real name is kept."""
    place, sign, member = str(source).rpartition("#")
    if not sign or os.path.exists(source):
        return str(source), key
    if key is not None and key != member:
        raise UsageError(f"{source} names {member!r} but the key names {key!r}. Give one of them.")
    return place, member


def find_shards(place: str, suffixes: Sequence[str], *, shared: Sequence[str] = ()) -> list[Path]:
    """
    Return the files that a file name, folder or glob stands for, e_2 before e_10.

    In a folder, files with one of the `shared` suffixes are shards only where no other file is one.
    """
    path = Path(place)
    if os.path.isdir(path):
        return _shards_of_folder(path, suffixes, shared)
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
    """
    Return a name for each dump: its own, with as many folders before it as tell apart those that are called alike.

    Files of one folder that differ in their suffix alone keep it. A dump that is named twice has one name.
    """
    parts = [split_member(place, None) for place in places]
    names = [name_of(*part) for part in parts]
    alike = {name for name, times in Counter(names).items() if times > 1}
    for name in alike:
        group = [place for place, its in enumerate(names) if its == name]
        paths = {place: Path(parts[place][0]).absolute() for place in group}
        if len({path.parent for path in paths.values()}) < len(set(paths.values())):
            ends = {place: name.replace(path.stem, path.name, 1) for place, path in paths.items()}
        else:
            ends = dict.fromkeys(group, name)
        different = len(set(paths.values()))
        for depth in range(1, max(len(path.parts) for path in paths.values())):
            for place, path in paths.items():
                names[place] = "/".join([*path.parts[:-1][-depth:], ends[place]])
            if len({names[place] for place in group}) >= different:
                break
    return names


def is_sidecar(path: Path) -> bool:
    """Return whether a file is called like the ids or metadata of another one."""
    return path.stem.lower().endswith((".ids", "_ids", ".meta"))


def natural(path: Path) -> list[tuple[int, int, str]]:
    """Return a sorting key that compares runs of digits as numbers."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", str(path))]


def _shards_of_folder(folder: Path, suffixes: Sequence[str], shared: Sequence[str]) -> list[Path]:
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in suffixes and not is_sidecar(file) and not file.name.startswith((".", "_"))
    ]
    # notes, ids and items lie beside shards: they are none themselves
    files = [file for file in files if file.suffix.lower() not in shared] or files
    kinds = Counter(file.suffix.lower() for file in files)
    if not files:
        raise FormatError(f"{folder} holds no shards: none of its files is a {', '.join(suffixes)}.")
    if len(kinds) > 1:
        counts = " and ".join(f"{count:,} {suffix}" for suffix, count in sorted(kinds.items()))
        raise FormatError(f"{folder} holds {counts} files. Choose by a glob, such as '{folder}/*{min(kinds)}'.")
    return sorted(files, key=natural)
