"""Results folders as they might come from elsewhere: any value or any bytes in any file."""

import hashlib
import io
import json
import os
import stat
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet

# The name of an array in slices.npz.
LINE = "trained/lines/random/risk"
# Values of right and of wrong types, for every field of every record.
VALUES = (
    None,
    True,
    -1,
    0,
    10**400,
    1e308,
    float("nan"),
    "NaN",
    "",
    "text",
    "=1+1",
    "\x1b[2J\x07",
    "a\x00b",
    "[x](javascript:alert(1))",
    "<script>alert(1)</script>",
    "$\\input{secret}$ |",
    "../../outside",
    "x" * 100_000,
    [],
    {},
    [[1]],
    [float("nan"), "text"],
    {"": {"a": []}},
    [0] * 1000,
)
ALIAS_BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML_TEXTS = (
    ALIAS_BOMB,
    "a: &a [*a]\n",
    "&a {*a : *a}\n",
    "[" * 5000,
    "a: !!python/object/apply:os.system [true]\n",
    "- 1\n",
    "a: 1\na: 2\n",
    "\t\n",
    "1e999999\n",
)


def leaves(value, path=()):
    """Yields the path of every value in plain JSON, containers included."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, item in list(items)[:20]:
        yield from leaves(item, (*path, key))


def replaced(value, path, new):
    """Returns plain JSON with the value at a path replaced."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def mutate_json(file, number, new):
    """Replaces one value of a JSON file; `number` selects it."""
    content = json.loads(file.read_text())
    paths = [*leaves(content)]
    file.write_text(json.dumps(replaced(content, paths[number % len(paths)], new)))


def mutate_yaml(file, number, new):
    """Replaces the text after a colon of one line, or the whole file if `new` is None."""
    lines = file.read_text().splitlines()
    index = number % len(lines)
    if new is None:
        file.write_text(YAML_TEXTS[number % len(YAML_TEXTS)])
    else:
        head = lines[index].split(": ")[0]
        file.write_text(
            "\n".join([*lines[:index], f"{head}: {json.dumps(new)}", *lines[index + 1 :]])
        )


def _npz(arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _huge_array():
    """Returns a small zip archive with an array of 2 GiB; its checksum is wrong."""
    header = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (2**28,)}
    np.lib.format.write_array_header_1_0(header, shape)
    compressor = zlib.compressobj(1, zlib.DEFLATED, -15)
    start = compressor.compress(header.getvalue()) + compressor.flush(zlib.Z_FULL_FLUSH)
    chunk = compressor.compress(bytes(2**26)) + compressor.flush(zlib.Z_FULL_FLUSH)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{LINE}.npy", start + chunk * 32 + compressor.flush())
        entry = archive.getinfo(f"{LINE}.npy")
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.file_size = len(header.getvalue()) + 2**31
    return buffer.getvalue()


def _huge_header():
    """Returns a zip archive with an array that declares 10^12 values and has none."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open(f"{LINE}.npy", "w") as member:
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
        )
    return buffer.getvalue()


def _table(columns):
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _tensors(header):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text


def _arrays(name, array):
    """Returns the content of slices.npz with another array."""
    return lambda: _npz({name: array})


CONTENTS = {
    "slices.npz": (
        _huge_array,
        _huge_header,
        _arrays(LINE, np.array(["a", "b"])),
        _arrays(LINE, np.ones((2, 5), complex)),
        _arrays(LINE, np.float64(1.0)),
        _arrays(LINE, np.full((2, 5), np.nan)),
        _arrays(LINE, np.ones((0, 0))),
        _arrays(LINE, np.ones((2, 5), "datetime64[s]")),
        _arrays("../outside", np.ones(3)),
        _arrays("trained/planes/\x1b[2J/risk", np.ones((1, 3, 3))),
    ),
    "trace.parquet": (
        lambda: _table({"step": ["a", "b"], "risk/evaluation": ["c", "d"]}),
        lambda: _table({"step": [[1], [2]], "risk/evaluation": [{"a": 1}, {"a": 2}]}),
        lambda: _table({"step": pa.array(np.zeros(60_000_000, np.int8))}),
        lambda: _table({"step": []}),
        lambda: _table({"other": [1.0]}),
        lambda: _table({"step": [0, 3], "risk/evaluation": [None, None], "accuracy": [True, None]}),
    ),
    "params.safetensors": (
        lambda: (2**62).to_bytes(8, "little") + b"{}",
        lambda: _tensors({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}),
        lambda: _tensors({"a": {"dtype": "F99", "shape": [-1], "data_offsets": [4, 0]}}),
        lambda: _tensors({}),
    ),
}
CONTENTS["checkpoints.safetensors"] = CONTENTS["params.safetensors"]


def mutate_content(file, number):
    """Replaces the file by content of its format that no run writes, or by random bytes."""
    contents = CONTENTS.get(file.name, ())
    if number % (len(contents) + 1) < len(contents):
        file.write_bytes(contents[number % (len(contents) + 1)]())
    else:
        content = np.random.default_rng(number).bytes(number % 5000)
        file.write_bytes(content if number % 2 else file.read_bytes()[: number % 500])


def mutate_kind(file, number, secret):
    """Replaces the file by something that is not a regular file, or a huge one."""
    file.unlink()
    match number % 5:
        case 0:
            os.mkfifo(file)
        case 1:
            file.symlink_to(secret)
        case 2:
            file.symlink_to("/dev/zero")
        case 3:
            file.mkdir()
        case 4:
            with file.open("wb") as opened:
                opened.truncate(2**40)


def seal(folder):
    """Writes digests of the mutated files, as someone who wants to be believed."""
    status = folder / "status.json"
    try:
        content = json.loads(status.read_text())
        files = content["files"]
        for name in files:
            if (
                stat.S_ISREG((folder / name).lstat().st_mode)
                and (folder / name).stat().st_size < 2**30
            ):
                data = (folder / name).read_bytes()
                files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        status.write_text(json.dumps(content))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass


def listing(folder):
    """Returns every path below a folder with its kind and a digest of its content."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        kind = path.lstat().st_mode
        content = path.read_bytes() if stat.S_ISREG(kind) else b""
        entries[str(path.relative_to(folder))] = kind, hashlib.sha256(content).hexdigest()
    return entries
