"""The tasks in torch: products and topk, compare and sum, and latentis' way to relative vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.child import note, working
from benchmarks.contenders.contender import K, call

#: Rows of a block of full width, and rows and columns of a tile that stays in the caches.
_BLOCK, _TILE = 1024, (512, 2048)


@torch.inference_mode()
def neighbors(x: str, out: str) -> None:
    """Write the rows [n, k] that are nearest to each unit row of a file: blocks of products, and topk of each."""
    with working():
        rows = torch.from_numpy(np.load(x))
        found = []
        for start in range(0, len(rows), _BLOCK):
            scores = rows[start : start + _BLOCK] @ rows.T
            scores.diagonal(start).fill_(-torch.inf)
            found.append(scores.topk(K).indices)
        lists = torch.cat(found).numpy()
    np.save(out, lists)


@torch.inference_mode()
def ranks(x: str, y: str) -> None:
    """Note the mean reciprocal rank of each row's own pair, both ways: a block of products, compared and summed."""
    with working():
        queries, gallery = (torch.from_numpy(np.load(path)) for path in (x, y))
        own = (queries * gallery).sum(dim=1)
        forward, backward = (torch.ones(len(own), dtype=torch.int64) for _ in "xy")
        for start in range(0, len(own), _BLOCK):
            rows = slice(start, start + _BLOCK)
            scores = queries[rows] @ gallery.T
            scores.diagonal(start).fill_(-torch.inf)
            forward[rows] += (scores > own[rows, None]).sum(dim=1)
            backward += (scores > own).sum(dim=0)
        _note_ranks(forward, backward)


@torch.inference_mode()
def ranks_by_tiles(x: str, y: str) -> None:
    """Note the same, by tiles that stay in the caches, written where the last one was."""
    with working():
        queries, gallery = (torch.from_numpy(np.load(path)) for path in (x, y))
        own = (queries * gallery).sum(dim=1)
        forward, backward = (torch.ones(len(own), dtype=torch.int64) for _ in "xy")
        tile, mask = torch.empty(_TILE), torch.empty(_TILE, dtype=torch.bool)
        for top in range(0, len(own), _TILE[0]):
            rows = slice(top, min(top + _TILE[0], len(own)))
            for left in range(0, len(own), _TILE[1]):
                columns = slice(left, min(left + _TILE[1], len(own)))
                shape = rows.stop - top, columns.stop - left
                scores, above = (kept.view(-1)[: shape[0] * shape[1]].view(shape) for kept in (tile, mask))
                torch.mm(queries[rows], gallery[columns].T, out=scores)
                if -shape[0] < top - left < shape[1]:
                    scores.diagonal(top - left).fill_(-torch.inf)
                forward[rows] += torch.gt(scores, own[rows, None], out=above).sum(dim=1)
                backward[columns] += torch.gt(scores, own[columns], out=above).sum(dim=0)
        _note_ranks(forward, backward)


def _note_ranks(forward: torch.Tensor, backward: torch.Tensor) -> None:
    note(xy=float((1 / forward.double()).mean()), yx=float((1 / backward.double()).mean()))


@torch.inference_mode()
def project(x: str, anchors: str, out: str) -> None:
    """Write relative vectors as latentis 0.0.8 (cosine_proj): all in memory, both normalised, one product."""
    with working():
        ids = Path(x).with_suffix(".ids.txt").read_text(encoding="utf-8").split()
        row = {name: number for number, name in enumerate(ids)}
        vectors = torch.from_numpy(np.load(x)).float()
        frame = vectors[[row[name] for name in Path(anchors).read_text(encoding="utf-8").split()]]
        relative = F.normalize(vectors, p=2, dim=-1) @ F.normalize(frame, p=2, dim=-1).mT
        np.save(out, relative.numpy())
        Path(out).with_suffix(".ids.txt").write_text("\n".join(ids), encoding="utf-8")


if __name__ == "__main__":
    call({"neighbors": neighbors, "ranks": ranks, "ranks-by-tiles": ranks_by_tiles, "project": project})
