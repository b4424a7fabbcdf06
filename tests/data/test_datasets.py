"""From IDX files and scikit-learn's digits to prepared files, and the errors on the way."""

import gzip
import hashlib
import json
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from dag import in_a_fork
from sklearn.datasets import load_digits

from netdyn.data import datasets, prepared
from netdyn.errors import NetdynError

NAMES = list(datasets.FILES)
COUNTS = {"train": 40, "t10k-": 20}
RAW = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw", "kmnist": "KMNIST/raw"}


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def idx_files(seed: int) -> dict[str, bytes]:
    random = np.random.default_rng(seed)
    files = {}
    for name in NAMES:
        count = COUNTS[name[:5]]
        if "images" in name:
            header = bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28])
            files[name] = header + random.integers(0, 256, count * 784, dtype=np.uint8).tobytes()
        else:
            files[name] = (
                bytes([0, 0, 8, 1, 0, 0, 0, count])
                + random.integers(0, 10, count, dtype=np.uint8).tobytes()
            )
    return files


@pytest.fixture
def files(monkeypatch) -> dict[str, dict[str, bytes]]:
    """Small IDX files for each data set, with their digests in `datasets`."""
    monkeypatch.setattr(
        datasets,
        "FILES",
        {name: (COUNTS[name[:5]], array) for name, (_, array) in datasets.FILES.items()},
    )
    contents = {name: idx_files(seed) for seed, name in enumerate(RAW)}
    for dataset, source in datasets.DATASETS.items():
        digests = {
            "sha256": {n: hashlib.sha256(contents[dataset][n]).hexdigest() for n in source.sha256},
            "gz_md5": {n: md5(zipped(contents[dataset][n])) for n in source.gz_md5},
        }
        monkeypatch.setitem(datasets.DATASETS, dataset, source._replace(**digests))
    return contents


@pytest.fixture
def downloads(monkeypatch):
    """Replace each download by `outcome(path, name)`; return the list of paths asked for."""
    asked = []
    known = SimpleNamespace(mirrors=["https://a/", "https://b/"], resources=[])
    known.resources += [(f"{name}.gz", "0" * 32) for name in NAMES]
    classes = SimpleNamespace(MNIST=known, FashionMNIST=known, KMNIST=known)
    monkeypatch.setattr(datasets, "torchvision_datasets", lambda: classes)

    def install(outcome):
        def fetch(urls, md5, path):
            assert list(urls) == [f"https://a/{path.name}", f"https://b/{path.name}"]
            asked.append(path)
            outcome(path)

        monkeypatch.setattr(datasets.downloads, "fetch", fetch)
        return asked

    install(lambda path: pytest.fail("files that are there must not be downloaded"))
    return install


def raising(error):
    def outcome(path):
        raise error

    return outcome


def put(folder, files, compress=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / (f"{name}.gz" if compress else name)
        path.write_bytes(zipped(content) if compress else content)


def check(output, files):
    loaded = prepared.load(output)
    for name, (_, array) in datasets.FILES.items():
        header = 16 if "images" in name else 8
        assert bytes(getattr(loaded, array).flatten().tolist()) == files[name][header:]
    assert loaded.train_images.shape == (40, 784)
    assert loaded.test_images.shape == (20, 784)
    return loaded


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("name", RAW)
def test_local_files_become_a_prepared_file(tmp_path, files, downloads, name, nested, compress):
    put(tmp_path / RAW[name] if nested else tmp_path, files[name], compress)
    datasets.prepare(name, tmp_path, tmp_path / "out" / "prepared")
    loaded = check(tmp_path / "out" / "prepared", files[name])
    assert (loaded.name, loaded.classes) == (name, 10)


def test_same_files_give_the_same_bytes(tmp_path, files, downloads):
    put(tmp_path / "a", files["mnist"])
    put(tmp_path / "b" / "MNIST" / "raw", files["mnist"], compress=True)
    for root in "ab":
        datasets.prepare("mnist", tmp_path / root, tmp_path / f"out_{root}")
    assert (tmp_path / "out_a").read_bytes() == (tmp_path / "out_b").read_bytes()
    content = b"".join(files["mnist"][n][16 if "images" in n else 8 :] for n in NAMES)
    assert prepared.metadata(tmp_path / "out_a")["sha256"] == hashlib.sha256(content).hexdigest()


def test_data_sets_live_side_by_side(tmp_path, files, downloads):
    put(tmp_path, files["mnist"])
    put(tmp_path / RAW["fashion_mnist"], files["fashion_mnist"], compress=True)
    for name in ("mnist", "fashion_mnist"):
        datasets.prepare(name, tmp_path, tmp_path / "prepared")
        check(tmp_path / "prepared", files[name])


def refused(name, root, match, **options):
    """Assert that preparing fails with one line, and that no file remains."""
    output = root.parent / "out" / "prepared"
    with pytest.raises(NetdynError, match=match) as caught:
        datasets.prepare(name, root, output, **options)
    assert "\n" not in str(caught.value)
    assert not output.parent.exists()


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("other", ["fashion_mnist", "kmnist"])
def test_mnist_under_another_name_is_refused(tmp_path, files, downloads, other, compress):
    root = tmp_path / "root"
    put(root, files["mnist"], compress)
    refused(other, root, "train-images-idx3-ubyte.*: is MNIST's file, not")


def test_other_data_under_mnists_name_is_refused(tmp_path, files, downloads):
    put(tmp_path / "root", files["kmnist"])
    refused("mnist", tmp_path / "root", "train-images-idx3-ubyte: not MNIST's file: SHA-256")


@pytest.mark.parametrize("file", NAMES)
@pytest.mark.parametrize("compress", [True, False])
def test_flipped_byte_is_refused_by_digest(tmp_path, files, downloads, file, compress):
    content = files["mnist"][file]
    altered = content[:-1] + bytes([content[-1] ^ 1])
    put(tmp_path / "root", files["mnist"] | {file: altered}, compress)
    actual, expected = (hashlib.sha256(c).hexdigest()[:12] for c in (altered, content))
    refused(
        "mnist", tmp_path / "root", rf"{file}.*SHA-256 .*{actual}…, expected {expected}…; delete it"
    )


def test_altered_gz_is_refused_by_md5(tmp_path, files, downloads):
    file = "train-labels-idx1-ubyte"
    content = files["kmnist"][file]
    altered = content[:-1] + bytes([content[-1] ^ 1])
    put(tmp_path / "root", files["kmnist"] | {file: altered}, compress=True)
    refused("kmnist", tmp_path / "root", r"labels-idx1-ubyte.gz: not KMNIST's file: its MD5 is")


@pytest.mark.parametrize("kept", [0, 5, 200, -9])
def test_truncated_gz_is_named(tmp_path, files, downloads, kept):
    put(tmp_path / "root", files["mnist"], compress=True)
    path = tmp_path / "root" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:kept])
    refused("mnist", tmp_path / "root", r"t10k-images-idx3-ubyte.gz: .*delete it and download it")


def test_damaged_gz_stream_is_named(tmp_path, files, downloads):
    put(tmp_path / "root", files["kmnist"], compress=True)
    path = tmp_path / "root" / "train-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[1000] ^= 255
    path.write_bytes(content)
    refused("kmnist", tmp_path / "root", r"train-images-idx3-ubyte.gz: truncated or damaged")


def test_a_gz_that_grows_beyond_the_file_is_not_unpacked(tmp_path, files, downloads, monkeypatch):
    file = "t10k-labels-idx1-ubyte"
    put(tmp_path / "root", files["mnist"], compress=True)
    (tmp_path / "root" / f"{file}.gz").write_bytes(zipped(bytes(50_000_000)))
    unpacked = []
    hashed = hashlib.sha256
    monkeypatch.setattr(datasets.hashlib, "sha256", lambda c: unpacked.append(len(c)) or hashed(c))
    refused("mnist", tmp_path / "root", rf"{file}.gz: not MNIST's file")
    assert max(unpacked) < 100_000


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("train-images-idx3-ubyte", lambda c: b"\0\0\x08\x01" + c[4:]),  # labels' magic number
        ("train-labels-idx1-ubyte", lambda c: b"\0\0\x0d" + c[3:]),  # floats
        ("t10k-images-idx3-ubyte", lambda c: c[:7] + b"\x13" + c[8:]),  # 19 samples
        ("t10k-images-idx3-ubyte", lambda c: c[:11] + b"\x1b" + c[12:]),  # 27 rows
        ("train-images-idx3-ubyte", lambda c: c[:-1]),
        ("train-images-idx3-ubyte", lambda c: c + b"\0"),
        ("t10k-labels-idx1-ubyte", lambda c: b""),
    ],
)
def test_wrong_structure_is_refused_without_a_known_digest(
    tmp_path, files, downloads, file, change
):
    changed = change(files["fashion_mnist"][file])
    put(tmp_path / "root", files["fashion_mnist"] | {file: changed})
    refused("fashion_mnist", tmp_path / "root", rf"{file}: not an IDX file of .* expected")


def test_label_out_of_range_is_refused(tmp_path, files, downloads):
    file = "train-labels-idx1-ubyte"
    put(
        tmp_path / "root",
        files["fashion_mnist"] | {file: files["fashion_mnist"][file][:-1] + b"\n"},
    )
    refused("fashion_mnist", tmp_path / "root", rf"{file}: has label 10, expected 0 … 9")


def test_missing_files_are_downloaded_once(tmp_path, files, downloads):
    folder = tmp_path / "root" / RAW["mnist"]
    put(folder, {NAMES[2]: files["mnist"][NAMES[2]]})  # one is there already
    asked = downloads(lambda path: put(path.parent, {path.stem: files["mnist"][path.stem]}, True))
    for _ in range(2):
        datasets.prepare("mnist", tmp_path / "root", tmp_path / "prepared")
        check(tmp_path / "prepared", files["mnist"])
    assert asked == [folder / f"{NAMES[i]}.gz" for i in (0, 1, 3)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NetdynError("a.gz, expected MD5 0: https://a/ no route"), "MD5 0: https://a/ no route"),
        (PermissionError(13, "Permission denied", "root/MNIST"), "Permission denied"),
        (OSError(30, "Read-only file system"), "Read-only file system"),
    ],
)
def test_failed_download_says_what_to_do(tmp_path, files, downloads, error, reason):
    downloads(raising(error))
    root = tmp_path / "root"
    refused(
        "mnist",
        root,
        rf"^data_root .*root does not exist, and MNIST cannot be downloaded .*\(.*{reason}.*\); "
        r"put train-images-idx3-ubyte.* into .*root/MNIST/raw, or set data_root",
    )


def halfway(path):
    path.parent.mkdir(parents=True)
    raise NetdynError("no route")


def test_a_failed_download_leaves_no_empty_folder(tmp_path, files, downloads):
    downloads(halfway)
    refused("mnist", tmp_path / "new" / "root", "new/root does not exist, and MNIST cannot be ")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "root").mkdir()
    refused("mnist", tmp_path / "root", "root has none of MNIST's files, and MNIST cannot be ")
    assert list(tmp_path.rglob("*")) == [tmp_path / "root"]


@pytest.mark.parametrize("nested", [True, False])
def test_the_files_that_are_missing_are_named_first_and_alone(tmp_path, files, downloads, nested):
    downloads(raising(NetdynError("no route")))
    root = tmp_path / "root"
    folder = root / RAW["mnist"] if nested else root
    put(folder, files["mnist"], compress=True)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    refused(
        "mnist",
        root,
        rf"^{folder} has no t10k-labels-idx1-ubyte of MNIST, and MNIST cannot be .*\(.*no route.*\)"
        rf"; put t10k-labels-idx1-ubyte \(with .gz or without\) into {folder}, or set data_root",
    )
    assert len([path for path in root.rglob("*") if path.is_file()]) == 3


def test_missing_torchvision_says_what_to_do(tmp_path, files, monkeypatch):
    def missing():
        raise ImportError("No module named 'torchvision'")

    monkeypatch.setattr(datasets, "torchvision_datasets", missing)
    refused("kmnist", tmp_path / "root", r"torchvision, .* not installed: install it, or put")


def test_without_download_the_missing_file_is_named(tmp_path, files, downloads):
    root = tmp_path / "root"
    refused("mnist", root, "root does not exist; put train-images", download=False)
    root.mkdir()
    refused("mnist", root, "root has none of MNIST's files; put train-images", download=False)
    put(root, files["mnist"])
    (root / "t10k-labels-idx1-ubyte").unlink()
    refused("mnist", root, "has no t10k-labels-idx1-ubyte of MNIST; put", download=False)


def test_unknown_data_set_is_refused(tmp_path):
    refused("cifar", tmp_path, "dataset 'cifar' is unknown; choose one of digits, mnist, fashion")


def test_digests_are_kept_for_every_file():
    assert set(datasets.DATASETS["mnist"].sha256) == set(NAMES)
    for name in ("fashion_mnist", "kmnist"):
        assert set(datasets.DATASETS[name].gz_md5) == set(NAMES)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    path = tmp_path_factory.mktemp("digits") / "digits"
    datasets.prepare("digits", "unused", path)
    return path


def upsampled(image) -> list[int]:
    """Bilinear 8 × 8 → 28 × 28 in exact fractions, then round(255·x/16), half up."""
    ends = []
    for i in range(28):
        place = min(max(Fraction(2 * i + 1, 7) - Fraction(1, 2), Fraction(0)), Fraction(7))
        low = min(int(place), 6)
        ends.append((low, place - low))
    pixels = []
    for row, down in ends:
        for column, right in ends:
            value = (
                (1 - down) * (1 - right) * int(image[row, column])
                + (1 - down) * right * int(image[row, column + 1])
                + down * (1 - right) * int(image[row + 1, column])
                + down * right * int(image[row + 1, column + 1])
            )
            pixels.append(int(value * 255 / 16 + Fraction(1, 2)))
    return pixels


def test_digits_are_split_stratified(digits):
    loaded = prepared.load(digits)
    assert loaded.train_images.shape == (1297, 784)
    assert loaded.test_images.shape == (500, 784)
    assert (loaded.name, loaded.classes) == ("digits", 10)
    labels = load_digits().target
    train, test = loaded.train_labels.bincount(), loaded.test_labels.bincount()
    assert (train + test).tolist() == np.bincount(labels).tolist()
    assert np.abs(test.numpy() - np.bincount(labels) * 500 / 1797).max() < 1


def test_digits_are_exactly_the_bilinear_images(digits):
    loaded = prepared.load(digits)
    rows = {bytes(row) for row in loaded.train_images.numpy()}
    rows |= {bytes(row) for row in loaded.test_images.numpy()}
    images = load_digits().images
    assert len(rows) == len({bytes(image.astype(np.uint8)) for image in images})
    for image in images[::300]:
        assert bytes(upsampled(image)) in rows
    assert loaded.train_images.max() == 255
    assert loaded.train_images.min() == 0


def test_digits_are_the_same_bytes_everywhere(digits):
    assert (
        prepared.metadata(digits)["sha256"]
        == "6aff82939e913bb8e5433359bc143a7a84fa3b9704b71f516be92648e82fd79a"
    )


@pytest.fixture(scope="module")
def torchvision(tmp_path_factory):
    """What a process that imports torchvision says of its data sets, and what it would fetch."""
    code = (
        "import json; from netdyn.data._torchvision_cpu import torchvision_datasets as t; "
        "names = ('FashionMNIST', 'KMNIST'); "
        "print(json.dumps({name: dict(getattr(t(), name).resources) for name in names}))\n"
        "from pathlib import Path; from netdyn.data import datasets, downloads\n"
        "downloads.fetch = lambda urls, md5, path: print(path.parent, path.name, md5, *urls)\n"
        "for name in ('mnist', 'fashion_mnist', 'kmnist'):\n"
        "    datasets._download(datasets.DATASETS[name], Path('root'))\n"
    )
    resources, *lines = in_a_fork(code, tmp_path_factory.mktemp("process"))
    return json.loads(resources), [line.split() for line in lines]


def test_torchvision_imports_and_its_md5_are_ours(torchvision):
    resources, _ = torchvision
    for name in ("fashion_mnist", "kmnist"):
        source = datasets.DATASETS[name]
        theirs = resources[source.torchvision_class]
        assert theirs == {f"{file}.gz": md5 for file, md5 in source.gz_md5.items()}


def test_torchvision_names_four_files_their_md5_and_mirrors(torchvision):
    _, lines = torchvision
    assert len(lines) == 12
    for folder, filename, checksum, *urls in lines:
        assert folder in {f"root/{raw}" for raw in RAW.values()}
        assert filename in {f"{name}.gz" for name in NAMES}
        assert len(checksum) == 32
        assert urls
        assert all(url.startswith("http") and url.endswith(f"/{filename}") for url in urls)


@pytest.fixture(scope="module")
def of_a_process(tmp_path_factory):
    """What a process says: the library imported, then torchvision with one fault, then another."""
    folder = tmp_path_factory.mktemp("faulty")
    package = folder / "torchvision"
    package.mkdir()
    (package / "datasets.py").write_text("MNIST = 'reached'\n")
    (package / "__init__.py").write_text(
        "import os, torch\n"
        "if os.environ['FAULT'] == 'operators':\n"
        "    for name in ('nms', 'qnms'):\n"
        "        torch.library.register_fake(f'torchvision::{name}')(lambda *a: None)\n"
        "else:\n"
        "    raise RuntimeError('another fault')\n"
    )
    code = (
        "import os, sys\n"
        # Imported before the fork: forgotten here, it would be imported again.
        "for name in list(sys.modules):\n"
        "    if name.split('.')[0] == 'sklearn': del sys.modules[name]\n"
        "from netdyn.data import prepared as data, datasets\n"
        "print({'torchvision', 'sklearn'} & set(sys.modules))\n"
        "from netdyn.data._torchvision_cpu import torchvision_datasets as t\n"
        "os.environ['FAULT'] = 'another'\n"
        "try: t()\n"
        "except RuntimeError as error: print(error)\n"
        "os.environ['FAULT'] = 'operators'\n"
        "print(t().MNIST)\n"
    )
    return in_a_fork(code, folder)


def test_only_the_missing_operators_are_mended(of_a_process):
    assert of_a_process[1:3] == ["another fault", "reached"]


def test_library_imports_no_torchvision(of_a_process):
    assert of_a_process[0] == "set()"
