"""What `retrieve` found, as values: hits of each query, figures, and the document that holds them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from relcli.reports.report import Score, json_value

#: major.minor of the JSON documents; an added key is a minor step, anything else a major one.
SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class Hit:
    """One item found: its rank from 1, id, score, whether it is relevant (None: not known), and what is shown of it."""

    rank: int
    id: str
    score: float
    match: bool | None = None
    shown: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class QueryHits:
    """
    What one query found by one method, best first.

    `first` is the rank of its first relevant item over the whole gallery, expected over ties; None where
    there is none, or where the search was approximate and did not meet it. `counted` tells whether the
    query is in the figures.
    """

    query: str
    via: str
    hits: tuple[Hit, ...]
    first: float | None = None
    counted: bool = False


@dataclass(frozen=True)
class Retrieval:
    """
    What `retrieve` found beside the hits.

    `x`, `y`, `anchors`, `settings` and `versions` are plain dictionaries of JSON values, as in a Report;
    `queries` says how many there were, from where, and how many are in the figures.
    """

    x: dict[str, Any]
    y: dict[str, Any]
    queries: dict[str, Any]
    anchors: dict[str, Any]
    scores: tuple[Score, ...]
    settings: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    checks: tuple[dict[str, Any], ...] = ()


def hits_document(found: QueryHits) -> dict[str, Any]:
    """Return what one query found as JSON values."""
    document: dict[str, Any] = {
        "query": found.query,
        "via": found.via,
        "first": found.first,
        "counted": found.counted,
        "hits": [
            {"rank": hit.rank, "id": hit.id, "score": hit.score, "match": hit.match, **_shown(hit)}
            for hit in found.hits
        ],
    }
    values: dict[str, Any] = json_value(document)
    return values


def _shown(hit: Hit) -> dict[str, Any]:
    return {"shown": dict(hit.shown)} if hit.shown else {}


def to_line(found: QueryHits) -> str:
    """Return what one query found as a line of JSON."""
    return json.dumps(hits_document(found), ensure_ascii=False, allow_nan=False) + "\n"


class Document:
    """
    The JSON document of a retrieval, piece by piece: `head`, each `hits`, then `tail` with the rest.

    Keeps nothing of what went before.
    """

    def __init__(self) -> None:
        self._first = True

    def head(self) -> str:
        """Return how the document begins."""
        version = json.dumps(SCHEMA_VERSION)
        return f'{{\n  "schema_version": {version},\n  "command": "retrieve",\n  "hits": ['

    def hits(self, found: Iterable[QueryHits]) -> Iterator[str]:
        """Yield what queries found."""
        for one in found:
            yield ("\n    " if self._first else ",\n    ") + to_line(one).rstrip("\n")
            self._first = False

    def tail(self, retrieval: Retrieval) -> str:
        """Return how the document ends: everything that is not a hit."""
        rest = json_value(asdict(retrieval))
        lines = json.dumps(rest, ensure_ascii=False, indent=2, allow_nan=False)
        return f"{'' if self._first else chr(10) + '  '}],{lines.removeprefix('{')}\n"
