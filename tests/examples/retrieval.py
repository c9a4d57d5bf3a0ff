"""What a search found: hits of each query by each way, and the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from relcli.reports.report import Score
from relcli.reports.retrieval import Hit, QueryHits, Retrieval
from tests.examples.parts import ANCHORS, GREEK, HOSTILE, HOSTILE_NOTE, LONG, PLAIN, URGENT, VERSIONS, X, Y, score

VIAS = ("relative", "translate:ortho", "product:relative+center,translate:ridge+csls")

#: Texts by column and id: what --show tells of a hit.
SHOWN = {
    "title": {PLAIN: "A title\nof two lines", GREEK: "日本語の題名", LONG: "A title that is long. " * 9, HOSTILE: ""},
    "lang": {PLAIN: "de", GREEK: "el", LONG: "en", HOSTILE: "|<b>"},
}


@dataclass(frozen=True)
class Lists:
    """What a search hands over: the queries' hits by one way."""

    via: str
    queries: tuple[QueryHits, ...]

    def rows(self, shown: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[QueryHits]:
        """Yield what each query found, with the texts to show."""
        for query in self.queries:
            hits = (
                replace(hit, shown=tuple((name, texts.get(hit.id, "")) for name, texts in (shown or {}).items()))
                for hit in query.hits
            )
            yield replace(query, hits=tuple(hits))


def _lists(via: str, place: int) -> Lists:
    best = 0.9 - place / 7
    queries = (
        QueryHits(
            PLAIN,
            via,
            (Hit(1, PLAIN, best, True), Hit(2, GREEK, 1.3e-13, False), Hit(3, LONG, -0.0, False)),
            1.0,
            True,
        ),
        QueryHits(GREEK, via, (Hit(1, LONG, best, False), Hit(2, HOSTILE, -0.25, False)), 1234.5 + place, True),
        # nothing tells what is right of this one, and a way found nothing at all
        QueryHits(LONG, via, () if place == 1 else (Hit(1, HOSTILE, best), Hit(2, PLAIN, best / 3)), None, False),
        *(
            QueryHits(f"query-{number:02}", via, (Hit(1, f"doc-{number:04}", best, number % 2 == 0),), None, True)
            for number in range(9)
        ),
    )
    return Lists(via, queries)


LISTS = tuple(_lists(via, place) for place, via in enumerate(VIAS))
ONE_LIST = (_lists(VIAS[0], 0),)


def _figures(via: str, place: int) -> Iterator[Score]:
    def of(measure: str, value: float | None, *ends: float, chance: float | None, **more: object) -> Score:
        about = {"pairs": 11, "gallery": 9_900, "section": "Retrieval", "definition": "as <it> says", "cite": "a | b"}
        return score(measure, via, value, *ends, chance=chance, **{"range": (0, 1), **about, **more})  # type: ignore[arg-type]

    part = 1 / (1 + place)
    yield of("recall@1", 0.5 * part, 0.5 * part - 0.1, 0.5 * part + 0.1, chance=1.01e-4)
    yield of("recall@10", 1.0, 0.9286, 1.0, chance=1.01e-3)
    yield of("mrr@10", 0.0, 0.0, 0.0, chance=2.9e-4)
    yield of("ndcg@10", None, chance=None, undefined_because="only one item is relevant to each query")
    yield of(
        "median-rank",
        *((1204.5, 1200.0, 1209.0) if place else (None,)),  # type: ignore[misc]
        chance=4950.5,
        range=(1, None),
        higher_is_closer=False,
        undefined_because="an approximate index gives no ranks beyond its hits",
    )
    yield score(
        "recall-of-exact", via, 0.875, 0.75, 1.0, section="Index", range=(0, 1), pairs=11, gallery=9_900, chance=None
    )


RETRIEVAL = Retrieval(
    x=X,
    y=Y,
    queries={"count": 1_012, "source": "ids of queries.txt", "counted": 11},
    anchors=ANCHORS,
    scores=tuple(figure for place, via in enumerate(VIAS) for figure in _figures(via, place)),
    settings={
        "via": [*VIAS],
        "k": 3,
        "scores": "CSLS",
        "center": True,
        "include_anchors": False,
        "truth": "qrels.tsv",
        "index": "faiss:hnsw",
        "seed": 0,
    },
    versions=VERSIONS,
    notes=("11 of 1,012 queries have a right answer", HOSTILE_NOTE, URGENT),
)

#: One way, and nothing that tells what is right.
PLAIN_RETRIEVAL = replace(
    RETRIEVAL,
    x=X | {"notes": []},
    y=X,
    queries={"count": 1, "source": "given ids", "counted": 0},
    anchors={},
    scores=(),
    settings=RETRIEVAL.settings
    | {"via": ["relative"], "scores": "cosine", "center": False, "truth": None, "index": "exact"},
    notes=(),
)
PLAIN_LISTS = (replace(ONE_LIST[0], queries=ONE_LIST[0].queries[2:3]),)
