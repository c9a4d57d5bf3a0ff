"""Approximate indexes on disk: a folder with one faiss file a method and a JSON that tells what they are of."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relcli.errors import FormatError, OutputError, UsageError
from relcli.files import reading
from relcli.spaces.index import ApproximateIndex, need_faiss

_META = "index.json"
_SCHEMA = "1.0"


class IndexFolder:
    """
    Where the indexes of one search are kept: read if they are of the same things, else refused.

    `facts` say what an index is of: gallery, anchors, method, settings. The folder is written whole, beside
    its place, and never over another.
    """

    def __init__(self, place: str | Path, *, must_exist: bool) -> None:
        self.place = Path(place)
        self._made: dict[str, tuple[ApproximateIndex, dict[str, Any]]] = {}
        self._stored: dict[str, Any] | None = None
        if (self.place / _META).is_file():
            self._stored = self._read()
        elif must_exist:
            raise FormatError(
                f"{place} holds no index of relcli: it has no {_META}. Make one with --save-index {place}."
            )
        elif self.place.exists() and (not self.place.is_dir() or any(self.place.iterdir())):
            raise OutputError(f"{place} is taken by something that is no index of relcli. Name a new folder.")
        elif not self.place.parent.is_dir() or not os.access(self.place.parent, os.W_OK):
            raise OutputError(f"{place} cannot be written: {self.place.parent} is no folder that may be written in.")

    def _read(self) -> dict[str, Any]:
        path = self.place / _META
        with reading(path, "the description of an index"):
            stored = json.loads(path.read_text("utf-8"))
            if str(stored["schema_version"]).partition(".")[0] != _SCHEMA.partition(".")[0]:
                raise FormatError(f"{path} is of schema {stored['schema_version']}, and this relcli reads {_SCHEMA}.")
            indexes = dict(stored["indexes"])
            for entry in indexes.values():
                if not isinstance(entry["facts"], dict) or Path(str(entry["file"])).name != entry["file"]:
                    raise FormatError(f"{path} is damaged: an index needs its facts and the plain name of its file.")
            return indexes

    @property
    def exists(self) -> bool:
        """Whether there is an index to read."""
        return self._stored is not None

    def find(self, name: str, facts: Mapping[str, Any]) -> ApproximateIndex:
        """Return the stored index of a method; UsageError where it is of something else."""
        assert self._stored is not None
        if name not in self._stored:
            raise UsageError(
                f"{self.place} holds an index for {', '.join(self._stored)}, not for {name}. "
                "Ask for that, or save this one in another folder."
            )
        entry = self._stored[name]
        other = {key for key in (*facts, *entry["facts"]) if facts.get(key) != entry["facts"].get(key)}
        if other:
            told = "; ".join(
                f"{key} {_short(entry['facts'].get(key))} there, {_short(facts.get(key))} here" for key in sorted(other)
            )
            raise UsageError(f"{self.place} is an index of something else: {told}. Save this one in another folder.")
        path = self.place / str(entry["file"])
        with reading(path, "a faiss index"):
            inner = need_faiss().read_index(str(path))
        if (inner.ntotal, inner.d) != (facts["rows"], facts["width"]):
            raise FormatError(
                f"{path} holds {inner.ntotal:,} rows of {inner.d} numbers instead of {facts['rows']:,} of "
                f"{facts['width']}. Save the index anew in another folder."
            )
        return ApproximateIndex(str(facts["kind"]), inner)

    def keep(self, name: str, index: ApproximateIndex, facts: Mapping[str, Any]) -> None:
        """Remember an index to be written by `commit`."""
        self._made[name] = index, dict(facts)

    def commit(self) -> None:
        """Write what was kept, in one folder that comes into place whole."""
        if not self._made:
            return
        faiss = need_faiss()
        temporary = self.place.with_name(f".{self.place.name}.{secrets.token_hex(4)}.tmp")
        try:
            temporary.mkdir()
            entries = {}
            for number, (name, (index, facts)) in enumerate(self._made.items()):
                file = f"{number}.faiss"
                faiss.write_index(index.inner, str(temporary / file))
                entries[name] = {"file": file, "facts": facts}
            document = {"schema_version": _SCHEMA, "faiss": faiss.__version__, "indexes": entries}
            (temporary / _META).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
            os.replace(temporary, self.place)
        except (OSError, RuntimeError) as error:
            raise OutputError(f"{self.place} cannot be written: {error}.") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:12]}…" if len(text) == 64 else text
