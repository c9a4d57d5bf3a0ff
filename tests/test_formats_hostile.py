"""Broken, foreign and ambiguous files are refused with the right error and the numbers that prove it."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import save_file

from relcli.errors import FormatError, IdError, OutputError, UsageError, VectorError
from relcli.formats.format import open_ids, open_labels, open_pairs, open_space, save_space
from tests.test_formats import IDS, SAVED, VECTORS, D, N, lists, write_npy, write_parquet


def refused(error, *parts, source, **options):
    with pytest.raises(error) as caught:
        open_space(source, **options).read(slice(None))
    for part in parts:
        assert part in str(caught.value)


# --- files ---


def test_a_missing_file_names_its_neighbour(tmp_path):
    write_npy(tmp_path / "vectors.npy")

    refused(FormatError, "does not exist", "'vectors.npy'", source=tmp_path / "vector.npy")
    refused(FormatError, "no folder", source=tmp_path / "none" / "e.npy")
    refused(FormatError, "matches no files", source=str(tmp_path / "x*.npy"))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".parquet", ".arrow"])
def test_an_empty_file_is_refused(tmp_path, suffix):
    (tmp_path / f"e{suffix}").touch()

    refused(FormatError, "is empty", "0 bytes", source=tmp_path / f"e{suffix}")


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("suffix", [*SAVED, ".npz", ".arrow"])
def test_a_truncated_file_is_refused(tmp_path, suffix, keep):
    path = tmp_path / f"e{suffix}"
    ids, vectors = [str(i) for i in range(400)], np.zeros((400, 8), np.float32)
    if suffix == ".npz":
        np.savez(path, vectors)
    elif suffix == ".arrow":
        table = pa.table({"id": ids, "v": lists(vectors)})
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    else:
        save_space(path, ids, vectors, 8)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])

    refused(FormatError, str(path), "truncated", source=path)


@pytest.mark.parametrize("suffix", [*SAVED, ".npz", ".arrow", ".csv"])
def test_noise_is_refused(tmp_path, suffix):
    path = tmp_path / f"e{suffix}"
    path.write_bytes(np.random.default_rng(1).bytes(500))

    refused(FormatError, str(path), source=path)


def test_pickles_are_refused_with_a_recipe(tmp_path):
    objects = np.array([{"a": 1}], dtype=object)
    np.save(tmp_path / "e.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "e.npz", e=objects)
    (tmp_path / "e.dat").write_bytes(pickle.dumps([1.0]))
    (tmp_path / "e.pt").write_bytes(b"PK\x03\x04")

    for name in ("e.npy", "e.npz", "e.dat"):
        refused(FormatError, "pickled", "allow_pickle=True", "numpy.save", source=tmp_path / name)
    refused(FormatError, "pickled", "torch.load", "weights_only", source=tmp_path / "e.pt")


def test_a_pickle_is_refused_even_when_asked_for_as_ids(tmp_path):
    np.savez(tmp_path / "e.npz", e=VECTORS, id=np.array(IDS, dtype=object))

    refused(FormatError, "pickled", source=tmp_path / "e.npz")


@pytest.mark.parametrize("shape", [(4,), (2, 2, 2), (0, 3), (3, 0)])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_arrays_that_are_no_matrix_are_refused_by_shape(tmp_path, suffix, shape):
    path, vectors = tmp_path / f"e{suffix}", np.zeros(shape, np.float32)
    {
        ".npy": lambda: np.save(path, vectors),
        ".npz": lambda: np.savez(path, e=vectors),
        ".safetensors": lambda: save_file({"e": vectors}, path),
    }[suffix]()

    told = str(list(shape)) if 0 not in shape else f"{shape[0]} rows of {shape[1]} dimensions"
    refused(FormatError, told, source=path)


def test_integers_are_no_vectors(tmp_path):
    refused(FormatError, "int64", source=write_npy(tmp_path / "e.npy", np.zeros((2, 2), np.int64)))


def test_a_header_that_lies_about_its_size_is_refused(tmp_path):
    path = write_npy(tmp_path / "e.npy")
    path.write_bytes(path.read_bytes().replace(b"(7, 3), }" + b" " * 6, b"(7000000, 3), }"))

    refused(FormatError, "truncated", "84,000,000 bytes", "holds 84", source=path)


def test_parquet_without_rows_is_refused(tmp_path):
    path = write_parquet(tmp_path / "e.parquet", {"v": pa.array([], pa.list_(pa.float32()))})

    refused(FormatError, "0 rows", source=path)


def test_a_damaged_archive_is_refused_when_it_is_read(tmp_path):
    np.savez(tmp_path / "e.npz", e=VECTORS)
    held = (tmp_path / "e.npz").read_bytes()
    (tmp_path / "e.npz").write_bytes(held.replace(VECTORS[3].tobytes(), bytes(4 * D)))

    refused(FormatError, "e.npz", "CRC", source=tmp_path / "e.npz")


def test_what_torch_saves_is_refused_under_any_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.bin", "w") as archive:
        archive.writestr("model/data.pkl", b"")

    refused(FormatError, "model.bin", "torch.load('model.bin'", source=tmp_path / "model.bin")


# --- columns ---


def test_several_candidates_are_listed(tmp_path):
    path = write_parquet(tmp_path / "e.parquet", {"a": lists(), "b": lists()})

    refused(FormatError, "'a', 'b'", "e.parquet#a", source=path)


def test_no_candidate_is_said(tmp_path):
    refused(FormatError, "no column of float lists", source=write_parquet(tmp_path / "e.parquet", {"id": IDS}))


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".safetensors"])
def test_a_wrong_name_gets_the_nearest(tmp_path, suffix):
    path = tmp_path / f"e{suffix}"
    {
        ".parquet": lambda: write_parquet(path, {"title": lists(), "body": lists()}),
        ".npz": lambda: np.savez(path, title=VECTORS, body=VECTORS),
        ".safetensors": lambda: save_file({"title": VECTORS, "body": VECTORS}, path),
    }[suffix]()

    refused(UsageError, "'titel'", "Did you mean 'title'?", source=f"{path}#titel")
    refused(UsageError, "'titel'", "Did you mean 'title'?", source=f"{path}#body", id_column="titel")


def test_two_names_that_differ_are_refused(tmp_path):
    refused(UsageError, "'a'", "'b'", source=f"{tmp_path}/e.parquet#a", key="b")


def test_a_name_in_a_npy_is_refused(tmp_path):
    refused(UsageError, "without a name", source=write_npy(tmp_path / "e.npy"), key="b")


def test_a_named_column_of_text_is_no_vector(tmp_path):
    path = write_parquet(tmp_path / "e.parquet", {"v": lists(), "text": IDS})

    refused(UsageError, "'text' holds string", "'v'", source=f"{path}#text")


# --- vectors ---


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 2)])
def test_null_rows_are_named(tmp_path, kind):
    column = pa.array([[1, 2], None, [3, 4], None], kind)
    path = write_parquet(tmp_path / "e.parquet", {"id": list("abcd"), "v": column})

    refused(VectorError, "2 of 4 rows", "'b', 'd'", source=path)


def test_ragged_lists_name_the_row(tmp_path):
    path = write_parquet(tmp_path / "e.parquet", {"v": [[1.0, 2.0], [3.0, 4.0], [5.0]]})

    refused(FormatError, "row 2 has 1 numbers", "first has 2", source=path)


def test_tensors_of_two_widths_are_named(tmp_path):
    save_file({"a": np.zeros(3, np.float32), "b": np.zeros(2, np.float32)}, tmp_path / "e.safetensors")

    refused(FormatError, "'b'", "[2]", "[3]", source=tmp_path / "e.safetensors")


def test_shards_must_be_alike(tmp_path):
    write_npy(tmp_path / "e_1.npy")
    write_npy(tmp_path / "e_2.npy", VECTORS[:, :2])

    refused(FormatError, "e_2.npy has 2 dimensions", "e_1.npy has 3", source=tmp_path)
    write_npy(tmp_path / "e_2.npy", VECTORS.astype(np.float16))
    refused(FormatError, "e_2.npy holds float16", source=tmp_path)
    write_parquet(tmp_path / "e_2.parquet", {"v": lists()})
    refused(FormatError, "2 .npy and 1 .parquet", "glob", source=tmp_path)


def test_a_folder_without_shards_is_refused(tmp_path):
    refused(FormatError, "holds no shards", source=tmp_path)


# --- ids ---


def test_another_number_of_ids_is_refused(tmp_path):
    path = write_npy(tmp_path / "e.npy")
    (tmp_path / "e.ids.txt").write_text("a\nb\n")

    refused(IdError, "7 rows", "2 ids", "e.ids.txt", source=path)
    refused(IdError, "7 rows", "2 ids", source=path, ids=tmp_path / "e.ids.txt")


def test_null_ids_are_refused(tmp_path):
    path = write_parquet(tmp_path / "e.parquet", {"id": [None, *IDS[1:]], "v": lists()})

    refused(IdError, "1 null id,", "'0'", source=path)


@pytest.mark.parametrize("odd", [0.5, np.nan, 2.0**60])
def test_ids_that_are_no_whole_numbers_are_refused(tmp_path, odd):
    path = write_parquet(tmp_path / "e.parquet", {"id": [odd, *map(float, range(1, N))], "v": lists()})

    refused(IdError, "column 'id'", "Store", source=path)


def test_a_named_id_column_must_hold_ids(tmp_path):
    path = write_parquet(tmp_path / "e.parquet", {"at": [[i] for i in range(N)], "v": lists()})

    refused(IdError, "column 'at'", source=path, id_column="at")
    refused(UsageError, "no columns", "'at'", source=write_npy(tmp_path / "e.npy"), id_column="at")


def test_some_shards_without_ids_are_named(tmp_path):
    write_npy(tmp_path / "e_1.npy")
    write_npy(tmp_path / "e_2.npy")
    (tmp_path / "e_1.ids.txt").write_text("\n".join(IDS))

    refused(IdError, "1 of 2 shards", "'e_2.npy'", source=tmp_path)


def test_ids_in_metadata_must_be_a_list(tmp_path):
    save_file({"e": VECTORS}, tmp_path / "a.safetensors", {"ids": json.dumps({"a": 1})})
    save_file({"e": VECTORS}, tmp_path / "b.safetensors", {"ids": "a,b"})

    refused(IdError, "metadata 'ids'", "list", source=tmp_path / "a.safetensors")
    refused(FormatError, "b.safetensors", source=tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    ("name", "text", "error", "part"),
    [
        ("a.txt", "a\n\nb\n", IdError, "line 2"),
        ("a.txt", b"\xff\xfe", FormatError, "UTF-8"),
        ("a.json", '{"a": 1}', IdError, "list"),
        ("a.json", '["a", null]', IdError, "place 1"),
        ("a.json", "[", FormatError, "JSON"),
        ("a.npy", b"nonsense", FormatError, "a.npy"),
        ("a.xml", "<id>a</id>", UsageError, ".txt"),
    ],
)
def test_broken_lists_of_ids_are_refused(tmp_path, name, text, error, part):
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(error, match=part):
        open_ids(tmp_path / name)


@pytest.mark.parametrize("text", ["a\tb\nc\n", "a\tb\tc\n"])
def test_lines_that_are_no_pairs_are_refused(tmp_path, text):
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(IdError, match=r"pairs\.txt"):
        open_pairs(tmp_path / "pairs.txt")


def test_ids_of_a_table_must_be_clear(tmp_path):
    write_parquet(tmp_path / "a.parquet", {"a": IDS, "b": IDS})
    with pytest.raises(IdError, match="'a', 'b'"):
        open_ids(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("text", "column", "error", "part"),
    [
        ("one,two,label\na,b,c\n", None, FormatError, "no column 'id'"),
        ("id,one,two\na,b,c\n", None, FormatError, "no column 'label'"),
        ("id,label\na,b,c\n", None, FormatError, "line 2 has 3 cells under 2"),
        ("id,label\na,b\n", "lable", UsageError, "Did you mean 'label'"),
    ],
)
def test_unclear_labels_are_refused(tmp_path, text, column, error, part):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(error, match=part):
        open_labels(tmp_path / "labels.csv", column)


# --- saving ---


def test_ids_that_break_lines_are_not_saved_in_text(tmp_path):
    with pytest.raises(OutputError, match="parquet"):
        save_space(tmp_path / "e.npy", ["a\nb"], VECTORS[:1], D)


def test_unknown_targets_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\.npy"):
        save_space(tmp_path / "e.h5", IDS, VECTORS, D)
    with pytest.raises(UsageError, match="float32"):
        save_space(tmp_path / "e.npy", IDS, VECTORS, D, "bfloat16")
    (tmp_path / "e.parquet").mkdir()
    with pytest.raises(OutputError, match="folder"):
        save_space(tmp_path / "e.parquet", IDS, VECTORS, D)
