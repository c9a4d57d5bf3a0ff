"""Every format gives back what was written, with the right ids, in the right order."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from relcli.arrays import to_float64
from relcli.errors import OutputError
from relcli.files import atomic_path, sha256_of
from relcli.formats import rows as rows_module
from relcli.formats.format import formats, open_ids, open_labels, open_pairs, open_space, save_space

N, D = 7, 3
VECTORS = np.random.default_rng(0).standard_normal((N, D)).astype(np.float32)
IDS = [f"doc-{i}" for i in range(N)]
SAVED = [suffix for format in formats() if format.save for suffix in format.suffixes]


def lists(vectors=VECTORS, kind="fixed"):
    flat = pa.array(np.ascontiguousarray(vectors).ravel())
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    maker = {"list": pa.ListArray, "large_list": pa.LargeListArray}[kind]
    return maker.from_arrays(np.arange(0, vectors.size + 1, vectors.shape[1]), flat)


def write_parquet(path, columns, **kwargs):
    try:
        pq.write_table(pa.table(columns), path, **kwargs)
    except pa.ArrowNotImplementedError as error:
        pytest.skip(f"pyarrow {pa.__version__} cannot write the file: {error}")
    return path


def write_arrow(path, table, maker=pa.ipc.new_file):
    with maker(str(path), table.schema) as writer:
        writer.write_table(table)
    return path


def write_npy(path, vectors=VECTORS):
    np.save(path, vectors)
    return path


@pytest.fixture
def place(tmp_path):
    return tmp_path


# --- save and open ---


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("suffix", SAVED)
def test_a_saved_space_opens_the_same(place, suffix, dtype):
    path = place / f"e{suffix}"
    save_space(path, IDS, iter([VECTORS[:4], VECTORS[4:]]), D, dtype, {"made": "here"})
    space = open_space(path)

    assert space.ids.tolist() == IDS
    assert space.origin.dtype == dtype
    assert space.origin.ids_given
    np.testing.assert_array_equal(space.read(slice(None)), VECTORS.astype(dtype))


@pytest.mark.parametrize("suffix", SAVED)
def test_a_failed_save_leaves_the_old_file(place, suffix):
    def broken():
        yield VECTORS[:4]
        raise KeyboardInterrupt

    path = place / f"e{suffix}"
    save_space(path, IDS, VECTORS, D)
    before = sha256_of(sorted(place.iterdir()))
    with pytest.raises(KeyboardInterrupt):
        save_space(path, IDS[::-1], broken(), D)

    assert sha256_of(sorted(place.iterdir())) == before


def test_saved_metadata_is_kept(place):
    save_space(place / "e.parquet", IDS, VECTORS, D, metadata={"made": "here"})
    save_space(place / "e.safetensors", IDS, VECTORS, D, metadata={"made": "here"})
    header = (place / "e.safetensors").read_bytes()[8:]

    assert pq.read_schema(place / "e.parquet").metadata[b"made"] == b"here"
    assert b'"made": "here"' in header


def test_parquet_is_saved_as_lists_of_one_size(place):
    save_space(place / "e.parquet", IDS, VECTORS, D)

    assert pq.read_schema(place / "e.parquet").field("vector").type == pa.list_(pa.float32(), D)


def test_the_wrong_number_of_rows_is_never_saved(place):
    with pytest.raises(ValueError, match="7 ids"):
        save_space(place / "e.npy", IDS, VECTORS[:5], D)

    assert list(place.iterdir()) == []


def test_a_device_is_written_not_replaced():
    with atomic_path("/dev/null") as path:
        path.write_text("x")

    assert not Path("/dev/null").is_file()


def test_a_missing_folder_is_an_output_error(place):
    with pytest.raises(OutputError, match="cannot be written"):
        save_space(place / "none" / "e.parquet", IDS, VECTORS, D)


# --- number formats and layouts ---


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
def test_npy_reads_any_byte_and_memory_order(place, dtype, order):
    space = open_space(write_npy(place / "e.npy", np.asarray(VECTORS, dtype, order=order)))

    assert space.vectors[:].dtype.isnative
    assert space.origin.dtype == np.dtype(dtype).name
    np.testing.assert_array_equal(space.read([5, 2, 5]), VECTORS.astype(dtype)[[5, 2, 5]])


def as_bfloat16(vectors):
    return (vectors.view(np.uint32) >> 16).astype(np.uint16)


def test_npy_reads_bfloat16(place):
    bits = as_bfloat16(VECTORS)
    space = open_space(write_npy(place / "e.npy", bits.view("V2")))

    assert space.origin.dtype == "bfloat16"
    np.testing.assert_array_equal(space.read(slice(None)), to_float64(bits.view("V2")))
    np.testing.assert_allclose(space.read(slice(None)), VECTORS, rtol=2**-7)


def test_safetensors_reads_bfloat16(place):
    bits = as_bfloat16(VECTORS)
    header = {"e": {"dtype": "BF16", "shape": [N, D], "data_offsets": [0, bits.nbytes]}}
    text = json.dumps(header).encode()
    (place / "e.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bits.tobytes())
    space = open_space(place / "e.safetensors")

    assert space.origin.dtype == "bfloat16"
    np.testing.assert_array_equal(space.read([6, 0]), to_float64(bits.view("V2"))[[6, 0]])


def test_quantised_vectors_are_read_with_a_note(place):
    space = open_space(write_npy(place / "e.npy", np.arange(6, dtype=np.int8).reshape(2, 3)))

    assert space.read([1]).tolist() == [[3, 4, 5]]
    assert "int8" in space.origin.notes[0]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("kind", ["fixed", "list", "large_list"])
def test_parquet_reads_every_kind_of_list(place, kind, dtype):
    vectors = VECTORS.astype(dtype)
    space = open_space(write_parquet(place / "e.parquet", {"id": IDS, "v": lists(vectors, kind)}, row_group_size=2))

    assert space.origin.dtype == dtype
    np.testing.assert_array_equal(space.vectors[:], vectors)


def test_parquet_reads_fixed_shape_tensors(place):
    kind = pa.fixed_shape_tensor(pa.float32(), [D])
    column = pa.ExtensionArray.from_storage(kind, lists())

    np.testing.assert_array_equal(open_space(write_parquet(place / "e.parquet", {"v": column})).vectors[:], VECTORS)


@pytest.mark.parametrize("kind", ["fixed", "list", "large_list"])
@pytest.mark.parametrize("stream", [False, True])
def test_arrow_reads_chunked_and_sliced_columns(place, kind, stream):
    table = pa.table({"id": IDS, "v": pa.chunked_array([lists(kind=kind)[:4], lists(kind=kind)[4:]])})[1:6]
    write_arrow(place / "e.arrow", table, pa.ipc.new_stream if stream else pa.ipc.new_file)
    space = open_space(place / "e.arrow")

    assert space.ids.tolist() == IDS[1:6]
    np.testing.assert_array_equal(space.vectors[:], VECTORS[1:6])


def test_decoded_rows_over_the_budget_go_to_a_file(place, monkeypatch):
    monkeypatch.setattr(rows_module, "MEMORY_BUDGET", 0)
    space = open_space(write_parquet(place / "e.parquet", {"v": lists(VECTORS.astype("f2"))}))

    assert isinstance(space.vectors[:], np.memmap)
    np.testing.assert_array_equal(space.vectors[:], VECTORS.astype("f2"))


def test_a_null_number_is_nan(place):
    column = pa.array([[1.0, None], [2.0, 3.0]], pa.list_(pa.float32()))
    space = open_space(write_parquet(place / "e.parquet", {"v": column}))

    assert np.isnan(space.read(slice(None))).tolist() == [[False, True], [False, False]]


def test_the_first_bytes_win_over_the_suffix(place):
    path = write_parquet(place / "e.npy", {"id": IDS, "v": lists()})

    assert open_space(path).origin.format == "parquet"


# --- which vectors ---


def test_a_name_chooses_among_columns(place):
    path = write_parquet(place / "e.parquet", {"a": lists(), "b": lists(-VECTORS)})
    space = open_space(f"{path}#b")

    assert (space.name, space.origin.member, space.origin.path) == ("e#b", "b", str(path))
    assert open_space(path, key="b").name == "e#b"
    np.testing.assert_array_equal(space.vectors[:], -VECTORS)


def test_a_column_called_embedding_is_taken(place):
    path = write_parquet(place / "e.parquet", {"other": lists(-VECTORS), "Embedding": lists()})

    assert open_space(path).origin.member == "Embedding"


def test_a_file_may_have_a_hash_in_its_name(place):
    assert open_space(write_npy(place / "e#1.npy")).name == "e#1"


def test_npz_takes_its_only_2d_array_and_its_ids(place):
    np.savez_compressed(place / "e.npz", e=VECTORS, ids=np.array(IDS), labels=np.arange(N))
    space = open_space(place / "e.npz")

    assert space.ids.tolist() == IDS
    assert space.origin.id_source == "array 'ids'"
    np.testing.assert_array_equal(space.vectors[:], VECTORS)


# --- which ids ---


@pytest.mark.parametrize(
    ("columns", "source"),
    [
        ({"key": IDS, "ID": IDS, "url": IDS}, "column 'ID'"),
        ({"text": IDS, "url": IDS, "docid": IDS}, "column 'docid'"),
        ({"text": IDS, "url": IDS}, "column 'url'"),
        ({"id": pa.array(IDS).dictionary_encode()}, "column 'id'"),
        ({"id": pa.array(IDS, pa.large_string())}, "column 'id'"),
        ({"id": pa.array(IDS, pa.string_view())}, "column 'id'"),
    ],
)
def test_ids_come_from_the_best_column(place, columns, source):
    space = open_space(write_parquet(place / "e.parquet", {**columns, "v": lists()}))

    assert space.origin.id_source == source
    assert space.ids.tolist() == IDS


def test_a_text_is_never_an_id(place):
    space = open_space(write_parquet(place / "e.parquet", {"text": IDS, "v": lists()}))

    assert space.ids.tolist() == [str(i) for i in range(N)]
    assert (space.origin.id_source, space.origin.ids_given) == ("row numbers", False)


def test_a_stored_pandas_index_holds_the_ids(place):
    table = pa.table({"url": ["u"] * N, "v": lists(), "__index_level_0__": IDS})
    notes = json.dumps({"index_columns": ["__index_level_0__"]}).encode()
    pq.write_table(table.replace_schema_metadata({b"pandas": notes}), place / "e.parquet")

    assert open_space(place / "e.parquet").origin.id_source == "column '__index_level_0__'"


def test_a_pandas_range_index_is_no_id(place):
    notes = json.dumps({"index_columns": [{"kind": "range", "start": 0, "stop": N, "step": 1}]}).encode()
    pq.write_table(pa.table({"v": lists()}).replace_schema_metadata({b"pandas": notes}), place / "e.parquet")

    assert not open_space(place / "e.parquet").origin.ids_given


@pytest.mark.parametrize("values", [np.arange(N), np.arange(N, dtype=np.float64), np.arange(N, dtype=np.uint8)])
def test_whole_numbers_are_ids_without_a_point(place, values):
    space = open_space(write_parquet(place / "e.parquet", {"id": values, "v": lists()}))

    assert space.ids.tolist() == [str(i) for i in range(N)]


def test_an_id_column_can_be_named(place):
    path = write_parquet(place / "e.parquet", {"id": ["x"] * N, "sku": IDS, "v": lists()})

    assert open_space(path, id_column="sku").ids.tolist() == IDS


def test_a_file_of_ids_wins_over_columns(place):
    path = write_parquet(place / "e.parquet", {"id": ["x"] * N, "v": lists()})
    (place / "names.txt").write_text("\n".join(IDS))
    space = open_space(path, ids=place / "names.txt")

    assert space.ids.tolist() == IDS
    assert space.origin.id_source == "file names.txt"


@pytest.mark.parametrize("ids", [np.arange(N), np.array([list(f"doc-{i}".encode()) for i in range(N)], dtype=np.uint8)])
def test_safetensors_takes_ids_from_a_tensor(place, ids):
    save_file({"e": VECTORS, "ids": ids}, place / "e.safetensors")
    space = open_space(place / "e.safetensors")

    assert space.origin.id_source == "tensor 'ids'"
    assert space.ids.tolist() == (IDS if ids.ndim == 2 else [str(i) for i in range(N)])


def test_safetensors_takes_ids_from_the_metadata(place):
    save_file({"e": VECTORS}, place / "e.safetensors", {"ids": json.dumps(IDS)})

    assert open_space(place / "e.safetensors").origin.id_source == "metadata 'ids'"
    assert open_space(place / "e.safetensors").ids.tolist() == IDS


def test_safetensors_with_a_tensor_a_row_is_named_by_its_keys(place):
    save_file(dict(zip(IDS, VECTORS, strict=True)), place / "e.safetensors")
    space = open_space(place / "e.safetensors")
    order = [IDS.index(name) for name in space.ids]

    assert sorted(space.ids) == IDS
    np.testing.assert_array_equal(space.vectors[:], VECTORS[order])


@pytest.mark.parametrize("mark", [".ids", "_ids"])
@pytest.mark.parametrize("suffix", [".txt", ".json", ".npy", ".parquet"])
def test_ids_come_from_a_sidecar(place, mark, suffix):
    path = write_npy(place / "e.1.npy")
    beside = place / f"e.1{mark}{suffix}"
    write = {
        ".txt": lambda: beside.write_bytes(("\ufeff" + "\r\n".join(IDS) + "\r\n").encode()),
        ".json": lambda: beside.write_text(json.dumps(IDS)),
        ".npy": lambda: np.save(beside, np.array(IDS)),
        ".parquet": lambda: write_parquet(beside, {"name": IDS}),
    }
    write[suffix]()
    space = open_space(path)

    assert space.ids.tolist() == IDS
    assert space.origin.id_source == f"sidecar {beside.name}"


def test_ids_come_from_the_metadata_of_the_shard(place):
    path = write_npy(place / "e.npy")
    write_parquet(place / "e.meta.parquet", {"caption": ["x"] * N, "key": IDS, "sku": IDS[::-1]})

    assert open_space(path).ids.tolist() == IDS
    assert open_space(path, id_column="sku").ids.tolist() == IDS[::-1]


# --- shards ---


def write_shards(folder, count=11):
    folder.mkdir()
    for i in range(count):
        np.save(folder / f"e_{i}.npy", np.full((2, D), i, np.float32))
        (folder / f"e_{i}.ids.txt").write_text(f"a{i}\nb{i}\n")
    return folder


@pytest.mark.parametrize("pattern", ["", "*.npy"])
def test_shards_are_read_in_natural_order(place, pattern):
    space = open_space(str(write_shards(place / "shards") / pattern))

    assert space.name == "shards"
    assert space.read(slice(None))[:, 0].tolist() == [i // 2 for i in range(22)]
    assert space.ids[[0, 5, 20]].tolist() == ["a0", "b2", "a10"]
    assert space.origin.id_source == "sidecar e_0.ids.txt and 10 more"
    assert len(space.origin.files) == 11


def test_only_touched_shards_are_decoded(place):
    for i in range(3):
        write_parquet(place / f"e_{i}.parquet", {"v": lists()})
    rows = open_space(place).vectors
    rows[[N, N + 2]]

    assert [part._decoded is not None for part in rows.parts] == [False, True, False]


# --- rows ---


KINDS = ["npy", "npz", "safetensors", "parquet", "arrow", "shards"]


def write_as(kind, place):
    path = place / f"e.{kind}"
    if kind == "shards":
        path.mkdir()
        for i, part in enumerate(np.split(VECTORS, [1, 4])):
            np.save(path / f"e_{i}.npy", part)
    elif kind == "npz":
        np.savez(path, VECTORS)
    elif kind == "arrow":
        write_arrow(path, pa.table({"v": lists()}))
    else:
        save_space(path, IDS, VECTORS, D)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_any_rows_equal_those_of_the_array(tmp_path_factory, kind):
    rows = open_space(write_as(kind, tmp_path_factory.mktemp("rows"))).vectors

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.integers(-N, N - 1)), st.slices(N), st.integers(0, N), st.integers(0, N))
    def check(index, part, start, stop):
        index = np.array(index, dtype=np.int64)
        np.testing.assert_array_equal(rows[index], VECTORS[index])
        np.testing.assert_array_equal(rows[part], VECTORS[part])
        np.testing.assert_array_equal(rows[np.arange(start, stop)], VECTORS[start:stop])

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_behind_the_last_is_no_row(place, kind):
    with pytest.raises(IndexError):
        open_space(write_as(kind, place)).vectors[np.arange(N - 1, N + 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_pickle_without_their_data(place, kind):
    rows = open_space(write_as(kind, place)).vectors
    rows[:]
    packed = pickle.dumps(rows)

    assert VECTORS[:1].tobytes() not in packed
    np.testing.assert_array_equal(pickle.loads(packed)[:], VECTORS)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_may_read_at_once(place, kind):
    rows = open_space(write_as(kind, place)).vectors
    with ThreadPoolExecutor(8) as pool:
        blocks = list(pool.map(lambda i: rows[[i % N]], range(64)))

    np.testing.assert_array_equal(np.concatenate(blocks), VECTORS[np.arange(64) % N])


# --- lists of ids, pairs and labels ---


def test_ids_may_hold_any_character_but_a_line_break(place):
    (place / "ids.txt").write_bytes("a\u2028b\nc d\r\ne\x0cf\n".encode())

    assert open_ids(place / "ids.txt").tolist() == ["a\u2028b", "c d", "e\x0cf"]


@pytest.mark.parametrize("suffix", [".tsv", ".json", ".npy", ".parquet"])
def test_pairs_keep_their_sides(place, suffix):
    path = place / f"pairs{suffix}"
    pairs = [["dog", "chien"], ["cat", "chat"]]
    write = {
        ".tsv": lambda: path.write_text("".join("\t".join(pair) + "\n" for pair in pairs)),
        ".json": lambda: path.write_text(json.dumps(pairs)),
        ".npy": lambda: np.save(path, np.array(pairs)),
        ".parquet": lambda: write_parquet(path, {"y_id": ["chien", "chat"], "x_id": ["dog", "cat"]}),
    }
    write[suffix]()
    x, y = open_pairs(path)

    assert (x.tolist(), y.tolist()) == (["dog", "cat"], ["chien", "chat"])


def test_single_ids_are_pairs_of_themselves(place):
    (place / "ids.txt").write_text("a\nb\n")
    x, y = open_pairs(place / "ids.txt")

    assert (x.tolist(), y.tolist()) == (["a", "b"], ["a", "b"])


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_labels_are_read_by_column(place, suffix):
    path = place / f"labels{suffix}"
    columns = {"id": ["1", "2"], "label": ["x", "y, z"], "split": ["a", "b"]}
    if suffix == ".parquet":
        write_parquet(path, columns)
    elif suffix == ".csv":
        path.write_text('id,label,split\n1,x,a\n2,"y, z",b\n')
    else:
        path.write_text("id\tlabel\tsplit\n1\tx\ta\n2\ty, z\tb\n")

    assert [part.tolist() for part in open_labels(path)] == [["1", "2"], ["x", "y, z"]]
    assert open_labels(path, "split")[1].tolist() == ["a", "b"]
