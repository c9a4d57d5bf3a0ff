"""Trained heads on disk: one .skops archive without a pickle, and in it relcli.json, which says what they are."""

from __future__ import annotations

import copy
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from relcli.arrays import row_norms
from relcli.errors import FormatError, MissingExtraError, UsageError, first_few
from relcli.files import atomic_path, existing, reading
from relcli.spaces.heads import KnownSpace, TrainedHeads
from relcli.spaces.similarity import parse_similarity
from relcli.spaces.translation import SCALINGS

#: major.minor of what a file of heads says of itself; an added key is a minor step.
HEADS_VERSION = "1.0"

KIND = "relcli-heads"
SUFFIX = ".skops"

#: The member of the archive that tells, as JSON, what its heads are and how they were made.
ABOUT = "relcli.json"

#: What a pipeline may consist of; anything else was not written by relcli.
_STEPS = ("StandardScaler", "LinearSVC", "LogisticRegression", "RidgeClassifier", "MLPClassifier", "Ridge")

#: What training left behind, and no prediction reads.
_LEFT_OVER = ("_optimizer", "_random_state")

#: What a step has learnt, where it has it: numbers, all finite.
_LEARNT = ("coef_", "intercept_", "coefs_", "intercepts_", "mean_", "scale_")

#: Bytes that the JSON of an archive, and all its arrays, take up unpacked at most.
_TEXT_LIMIT, _ARRAY_LIMIT = 64 << 20, 4 << 30

#: Arrays are written as they are: an archive that unpacks to many times its size is none of ours.
_UNPACKED = 20

_AGAIN = "Give what relcli stitch --save-head wrote."


def check_heads_path(path: str | Path) -> None:
    """Raise UsageError unless the name of a file of heads ends as it must, MissingExtraError without skops."""
    if Path(path).suffix.lower() != SUFFIX:
        raise UsageError(
            f"{path} names no file of heads: they are written as {SUFFIX}. Call it {Path(path).stem}.skops."
        )
    _skops()


def save_heads(path: str | Path, heads: TrainedHeads) -> None:
    """Write heads, whole or not at all. `load_heads` gives them back bit for bit."""
    check_heads_path(path)
    document = {
        "kind": KIND,
        "schema_version": HEADS_VERSION,
        "source": heads.source,
        "ways": list(heads.heads),
        "classes": list(heads.classes),
        "scaling": heads.scaling,
        "spaces": [{"name": s.name, "dim": s.dim, "sha256": s.sha256, "member": s.member} for s in heads.spaces],
        **heads.about,
    }
    values = {
        "heads": {way: _bare(pipeline) for way, pipeline in heads.heads.items()},
        "anchor_ids": heads.anchor_ids,
        "anchors": [space.anchors for space in heads.spaces],
        "means": [space.mean for space in heads.spaces],
    }
    io = _skops()
    with atomic_path(path) as target:
        # its door for paths looks at the suffix
        with open(target, "wb") as file:
            file.write(io.dumps(values))
        with zipfile.ZipFile(target, "a") as archive:
            archive.writestr(ABOUT, json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False))


def _bare(pipeline: Any) -> Any:
    """Return a pipeline without what only its training needed."""
    pipeline = copy.deepcopy(pipeline)
    for name in _LEFT_OVER:
        vars(pipeline[-1]).pop(name, None)
    return pipeline


def load_heads(path: str | Path) -> TrainedHeads:
    """
    Return the heads that `save_heads` wrote, bit for bit.

    Nothing in the file can run: pickles are refused, and so are types that skops does not trust by itself.
    """
    path = existing(path)
    document = _about(path)
    io = _skops()
    with reading(path, "heads in skops"), warnings.catch_warnings():
        # another version of scikit-learn is told by the task, in one sentence
        warnings.simplefilter("ignore")
        odd = io.get_untrusted_types(file=path)
        if odd:
            raise FormatError(f"{path} holds types that relcli does not trust: {first_few(odd)}. {_AGAIN}")
        values = io.load(path, trusted=[])
        return _checked(path, document, values)


def _about(path: Path) -> dict[str, Any]:
    """Return what the file says of itself, once it is known to be one that this relcli reads."""
    if path.is_dir():
        raise FormatError(f"{path} is a folder, no file of heads. {_AGAIN}")
    with reading(path, "heads in skops"):
        with open(path, "rb") as file:
            start = file.read(4)
        if start[:1] == b"\x80" or path.suffix.lower() in (".pkl", ".pickle", ".joblib"):
            raise FormatError(f"{path} is a pickle, which could run any code when it is opened: it was not. {_AGAIN}")
        if not zipfile.is_zipfile(path):
            raise FormatError(f"{path} is no .skops archive: it is damaged, truncated or something else. {_AGAIN}")
        with zipfile.ZipFile(path) as archive:
            _check_sizes(path, archive.infolist())
            if ABOUT not in archive.namelist():
                raise FormatError(f"{path} is an archive without {ABOUT}: relcli did not write it. {_AGAIN}")
            document = json.loads(archive.read(ABOUT))
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise FormatError(f"{path} is an archive that does not say that it holds heads. {_AGAIN}")
    written = str(document.get("schema_version", ""))
    if written.partition(".")[0] != HEADS_VERSION.partition(".")[0]:
        raise UsageError(
            f"{path} holds heads of schema {written or 'unknown'}, and this relcli reads "
            f"{HEADS_VERSION.partition('.')[0]}.x. Install the relcli that wrote it, or train them again."
        )
    for name, (what, fits) in _TOLD.items():
        if name in _NEEDED and name not in document:
            raise _damaged(path, f"{ABOUT} has no {name!r}")
        if name in document and not fits(document[name]):
            said = json.dumps(document[name])
            raise _damaged(path, f"{name!r} in {ABOUT} is no {what}: {said if len(said) < 60 else said[:60] + '…'}")
    return document


def _check_sizes(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raise FormatError where an archive would unpack to more than heads take up; nothing is unpacked for it."""
    unpacked = 0
    for member in members:
        array = member.filename.endswith((".npy", ".npz"))
        if not array and member.filename not in (ABOUT, "schema.json"):
            raise FormatError(f"{path} holds {member.filename!r}, which no file of heads does. {_AGAIN}")
        unpacked += member.file_size
        whole = unpacked if array else member.file_size
        limit = _ARRAY_LIMIT if array else _TEXT_LIMIT
        if whole > limit or unpacked > max(_TEXT_LIMIT, _UNPACKED * path.stat().st_size):
            raise FormatError(
                f"{path} is {path.stat().st_size:,} bytes and would unpack to {unpacked:,} or more with "
                f"{member.filename!r}: no heads are like that, and it was not unpacked. {_AGAIN}"
            )


def _is_text(value: Any) -> bool:
    # a lone half of a surrogate pair can be read from JSON, and not be written anywhere
    return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _maybe_text(value: Any) -> bool:
    return value is None or _is_text(value)


def _are(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return what tells lists of values that all fit."""
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _different_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _has(**fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return what tells objects with these keys, whose values fit."""
    return lambda value: (
        isinstance(value, dict) and all(name in value and fit(value[name]) for name, fit in fits.items())
    )


_ORIGIN = {"name": _is_text, "sha256": _maybe_text, "member": _maybe_text}

#: What relcli.json says under each key: in words, and as a test of the value.
_TOLD: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "source": ("text", _is_text),
    "ways": ("list of different texts", lambda value: _different_texts(value) and value),
    "classes": ("list of different texts", _different_texts),
    "scaling": (f"one of {', '.join(SCALINGS)}", lambda value: _is_text(value) and value in SCALINGS),
    "spaces": (
        "list of spaces with name, dim, sha256 and member",
        _are(_has(dim=lambda value: _is_count(value) and value > 0, **_ORIGIN)),
    ),
    "head": ("text", _is_text),
    "dim": ("whole number above 0", lambda value: _is_count(value) and value > 0),
    "seed": ("whole number", lambda value: type(value) is int),
    "labels": ("object with source and sha256", _has(source=_is_text, sha256=_maybe_text)),
    "train": ("object with rows and sha256", _has(rows=_is_count, sha256=_maybe_text)),
    "anchors": ("object with count, source and sha256", _has(count=_is_count, source=_is_text, sha256=_maybe_text)),
    "sources": ("list of files with name, path, sha256 and member", _are(_has(**_ORIGIN))),
    "settings": ("object", lambda value: isinstance(value, dict)),
    "versions": (
        "object of texts",
        lambda value: isinstance(value, dict) and all(_is_text(one) for item in value.items() for one in item),
    ),
}

#: The keys without which heads cannot be applied.
_NEEDED = ("source", "ways", "classes", "scaling", "spaces")


def _damaged(path: Path, why: str) -> FormatError:
    return FormatError(f"{path} holds heads that do not fit what it says of them: {why}. Train them again.")


def _checked(path: Path, document: dict[str, Any], values: Any) -> TrainedHeads:
    """Return the heads, or say what in the file does not fit together."""
    about = {name: value for name, value in document.items() if name not in (*_NEEDED, "kind", "schema_version")}
    spaces = tuple(
        KnownSpace(space["name"], anchors, mean, space["sha256"], space["member"])
        for space, anchors, mean in zip(document["spaces"], values["anchors"], values["means"], strict=True)
    )
    heads, ids = values["heads"], values["anchor_ids"]
    if list(heads) != document["ways"] or document["source"] not in {space.name for space in spaces}:
        raise _damaged(path, "the names of its heads or of their space are others")
    if ids.dtype.kind != "U" or ids.ndim != 1 or len(ids) < 2 or len(np.unique(ids)) < len(ids):
        raise _damaged(path, "its anchors' ids are no two or more different texts")
    for space, said in zip(spaces, document["spaces"], strict=True):
        whole = space.mean.shape == (said["dim"],) and space.anchors.shape == (len(ids), said["dim"])
        floats = space.mean.dtype == space.anchors.dtype == np.float64
        if not (whole and floats and np.isfinite(space.mean).all()):
            raise _damaged(path, f"the anchors or the mean of {space.name} are none of {said['dim']} finite numbers")
        lengths = row_norms(space.anchors)
        if not (np.isfinite(lengths).all() and lengths.all()):
            raise _damaged(path, f"anchors of {space.name} are zero or not finite")
    for pipeline in heads.values():
        steps = [type(step).__name__ for _, step in getattr(pipeline, "steps", [])]
        if not steps or not set(steps) <= set(_STEPS):
            raise FormatError(
                f"{path} holds {', '.join(steps) or type(pipeline).__name__}, no head of stitch. {_AGAIN}"
            )
    found = TrainedHeads(document["source"], heads, tuple(document["classes"]), ids, spaces, document["scaling"], about)
    for way, pipeline in heads.items():
        try:
            wrong = _wrong(found, way, pipeline)
        # whatever scikit-learn raises on arrays of other shapes and types
        except Exception as error:
            wrong = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        if wrong:
            raise _damaged(path, f"the head {way!r} cannot be used ({wrong})")
    return found


def _wrong(heads: TrainedHeads, way: str, pipeline: Any) -> str:
    """Return what is wrong with a head, "" where nothing is: what it has learnt, and what it makes of two rows."""
    for _, step in pipeline.steps:
        for name in _LEARNT:
            held = vars(step).get(name)
            for array in held if isinstance(held, list) else [] if held is None else [held]:
                values = np.asarray(array)
                if values.dtype.kind != "f" or not np.isfinite(values).all():
                    return f"{name} holds what is no finite number"
    kind, _, similarity = way.partition("+")[0].partition(":")
    times = len(parse_similarity(similarity or "cosine")) if kind == "relative" else 0
    width = times * len(heads.anchor_ids) or heads.own.dim
    if any(step.n_features_in_ != width for _, step in pipeline.steps):
        return f"it takes other than {width} numbers a row"
    last = pipeline[-1]
    if not heads.classes:
        if hasattr(last, "classes_") or "dim" not in heads.about:
            return "it tells classes, and none are named"
        outputs = heads.about["dim"]
    else:
        # classes without train rows are named too: their places are left out
        places = np.asarray(last.classes_)
        named = places.dtype.kind in "iu" and places.ndim == 1 and len(places) > 1 and (np.diff(places) > 0).all()
        if not named or places[0] < 0 or places[-1] >= len(heads.classes):
            return f"its classes are not among the {len(heads.classes)} that are named"
        binarizer = vars(last).get("_label_binarizer")
        if binarizer is not None and not np.array_equal(binarizer.classes_, places):
            return "its label binarizer knows other classes"
        outputs = 1 if len(places) == 2 else len(places)
    count = np.size(vars(last).get("intercept_", np.zeros(outputs)))
    if count != outputs:
        return f"intercept_ holds {count} numbers for {outputs}"
    rows = np.vstack([np.zeros(width), np.ones(width)])
    if hasattr(last, "decision_function"):
        values = np.asarray(pipeline.decision_function(rows))
    elif hasattr(last, "predict_proba"):
        values, outputs = np.asarray(pipeline.predict_proba(rows)), len(last.classes_)
    else:
        values = np.asarray(pipeline.predict(rows))
    if values.dtype.kind != "f" or values.reshape(2, -1).shape[1] != outputs:
        return f"it gives {values.size // 2} numbers a row, not {outputs}"
    return "" if np.isfinite(values).all() else "it gives what is no finite number"


def _skops() -> Any:
    """Return the module skops.io, or say how to install it."""
    try:
        import skops.io
    except ImportError as error:
        raise MissingExtraError(
            'Heads are kept in files by skops, which is not installed. Install it: pip install "relcli[skops]".'
        ) from error
    return skops.io
