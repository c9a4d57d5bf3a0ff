"""Plain writers and readers of the formats of nearest-neighbour benchmarks and word vectors: one number at a time."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

CODES = {".fvecs": "f", ".bvecs": "B", ".fbin": "f", ".u8bin": "B", ".i8bin": "b"}


def write_vecs(path: Path, vectors: np.ndarray) -> Path:
    with open(path, "wb") as file:
        for row in vectors.tolist():
            file.write(struct.pack("<i", len(row)) + struct.pack(f"<{len(row)}{CODES[path.suffix]}", *row))
    return path


def write_fbin(path: Path, vectors: np.ndarray) -> Path:
    with open(path, "wb") as file:
        file.write(struct.pack("<II", *vectors.shape))
        for row in vectors.tolist():
            file.write(struct.pack(f"<{len(row)}{CODES[path.suffix]}", *row))
    return path


def write_words(
    path: Path, words: list[str], vectors: np.ndarray, *, header: bool = True, end: str = "\n", gap: str = " "
) -> Path:
    lines = [f"{len(words)} {vectors.shape[1]}"] if header else []
    # a float32 written with nine digits is read back the same
    lines += [gap.join([word, *(f"{number:.9g}" for number in row)]) for word, row in zip(words, vectors, strict=True)]
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def write_word2vec(path: Path, words: list[str], vectors: np.ndarray, *, end: bytes = b"\n") -> Path:
    with open(path, "wb") as file:
        file.write(f"{len(words)} {vectors.shape[1]}\n".encode())
        for word, row in zip(words, vectors.tolist(), strict=True):
            file.write(word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + end)
    return path


def write_jsonl(path: Path, ids: list[str] | None, vectors: np.ndarray, *, end: str = "\n") -> Path:
    with open(path, "w", encoding="utf-8", newline="") as file:
        for row, vector in enumerate(vectors.tolist()):
            named = {} if ids is None else {"id": ids[row]}
            file.write(json.dumps({**named, "text": f"text {row}", "embedding": vector}) + end)
    return path


def read_words(path: Path, d: int, *, header: bool) -> tuple[list[str], np.ndarray]:
    """Return the words and vectors of a text, whose width is given, by splitting each line from the right."""
    lines = path.read_bytes().decode().removesuffix("\n").split("\n")[1 if header else 0 :]
    parts = [line.rsplit(" ", d) for line in lines]
    return [part[0] for part in parts], np.array([[float(number) for number in part[1:]] for part in parts], np.float32)
