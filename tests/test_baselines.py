"""Codecs to compare with: set redundancy, image formats, general compressors."""

import bz2
import gzip
import heapq
import io
import lzma
import sys
import tracemalloc
import zlib

import numpy as np
import pandas as pd
import pytest
import zstandard
from codec_checks import check_codec, damage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sklearn_dae._bytes import ByteReader
from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import (
    GeneralCodec,
    HuffmanCodec,
    JpegLSCodec,
    JpegXLCodec,
    PillowCodec,
    SetRedundancyCodec,
)
from sklearn_dae.codecs._mosaic import MOSAIC_SIDE, Arrangement
from sklearn_dae.codecs._residuals import from_symbols, n_symbols, to_symbols, wrap
from sklearn_dae.datasets import load_mnist
from sklearn_dae.evaluation import psnr, squared_error_per_image
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec, read_images

SET_METHODS = ["min_max_differential", "min_max_predictive", "centroid"]
GENERAL_METHODS = ["lzma", "bz2", "gzip", "zstd"]

LOSSLESS = [
    *map(SetRedundancyCodec, SET_METHODS),
    *map(GeneralCodec, GENERAL_METHODS),
    PillowCodec("png"),
    PillowCodec("png", layout="files"),
    PillowCodec("jpeg2000", lossless=True),
    PillowCodec("webp", lossless=True, effort=0),
    PillowCodec("avif", lossless=True, effort=0),
    JpegLSCodec(),
    JpegLSCodec(layout="files"),
    JpegXLCodec(lossless=True, effort=1),
    JpegXLCodec(lossless=True, effort=1, layout="files"),
]

#: Formats with loss, at a coarse and at a fine quality.
LOSSY = [
    (PillowCodec("jpeg"), {"quality": 20}, {"quality": 90}),
    (PillowCodec("jpeg2000"), {"quality": 20}, {"quality": 35}),
    (PillowCodec("webp", effort=0), {"quality": 5}, {"quality": 95}),
    (PillowCodec("avif", effort=0), {"quality": 30}, {"quality": 90}),
    (JpegXLCodec(effort=3), {"distance": 8.0}, {"distance": 0.5}),
]


def quality(codec, X):
    return psnr(X, codec.decode(codec.encode(X)), (0, 255))


# What comes back.


@pytest.mark.parametrize("codec", LOSSLESS, ids=str)
def test_lossless_codecs_give_every_pixel_back(codec, split, rng):
    codec = clone(codec).set_params(chunk_size=70).fit(split[0])
    check_codec(codec.encode, codec.decode, split[1][:150])
    # Also of images that are nothing like the training images.
    noise = rng.integers(0, 256, (20, 64)).astype(np.uint8)
    check_codec(codec.encode, codec.decode, noise)
    for n_rows in (0, 1):
        check_codec(codec.encode, codec.decode, split[1][:n_rows])


@pytest.mark.parametrize("method", SET_METHODS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.uint32])
@given(data=st.data())
@settings(max_examples=25)
def test_set_redundancy_gives_any_images_back(method, dtype, data):
    height, width = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))

    def images():
        shape = data.draw(st.integers(1, 6)), height * width
        return data.draw(hnp.arrays(dtype, shape))

    codec = SetRedundancyCodec(method, image_shape=(height, width)).fit(images())
    check_codec(codec.encode, codec.decode, images())


@given(
    n_bits=st.sampled_from([8, 16, 32]),
    differences=hnp.arrays(
        np.int64, st.integers(0, 30), elements=st.integers(-(2**32), 2**32)
    ),
)
def test_any_difference_is_a_symbol_and_bits(n_bits, differences):
    wrapped = wrap(differences, n_bits)
    assert_array_equal((wrapped - differences) % 2**n_bits, 0)
    symbols, bits = to_symbols(wrapped, n_bits)
    assert symbols.min(initial=0) >= 0
    assert symbols.max(initial=0) < n_symbols(n_bits)
    assert_array_equal(from_symbols(symbols, bits, n_bits), wrapped)
    with pytest.raises(BitstreamError, match="follow"):
        from_symbols(symbols, bits + b"\0", n_bits)


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    multiple=st.sampled_from([1, 8]),
    many=st.booleans(),
    n_images=st.integers(1, 30),
)
def test_mosaics_hold_all_images_and_are_nearly_square(shape, multiple, many, n_images):
    layout = Arrangement(ImageSpec(*shape), multiple, many)
    rows = np.random.default_rng(0).integers(1, 256, (n_images, shape[0] * shape[1]))
    rows = rows.astype(np.uint8)
    numbers = layout.numbers(n_images)
    assert numbers == ([n_images] if many else [1] * n_images)
    picture = layout.draw(rows[: numbers[0]])
    assert picture.shape == layout.picture(numbers[0]).shape
    assert_array_equal(layout.cut(picture, numbers[0]), rows[: numbers[0]])
    # No row of places is empty, and no side twice as long as need be.
    n_rows, n_columns = layout.grid(numbers[0])
    assert (n_rows - 1) * n_columns < numbers[0] <= n_rows * n_columns
    assert max(picture.shape) <= 2 * min(picture.shape) + max(layout.place)


def test_mosaics_are_not_larger_than_encoders_like():
    layout = Arrangement(ImageSpec(1000, 3), 1, True)
    numbers = layout.numbers(50_000)
    assert sum(numbers) == 50_000
    assert len(numbers) > 1
    assert max(max(layout.picture(n).shape) for n in numbers) <= MOSAIC_SIDE
    assert Arrangement(ImageSpec(1, 2), 1, True).numbers(65536) == [65536]
    # One image may be larger.
    layout = Arrangement(ImageSpec(3000, 5), 1, True)
    assert layout.numbers(500) == [409, 91]
    assert layout.picture(409).shape == (3000, 2045)


@pytest.mark.parametrize(("codec", "coarse", "fine"), LOSSY, ids=str)
@pytest.mark.parametrize("layout", ["mosaic", "files"])
def test_more_quality_takes_more_bytes_and_errs_less(
    codec, coarse, fine, layout, split
):
    fresh = split[1][:60]
    codec = clone(codec).set_params(layout=layout)
    coarse = clone(codec).set_params(**coarse).fit(split[0])
    fine = clone(codec).set_params(**fine).fit(split[0])
    assert len(coarse.encode(fresh)) < len(fine.encode(fresh))
    assert 10 < quality(coarse, fresh) < quality(fine, fresh) - 3
    assert fine.decode(fine.encode(fresh)).dtype == np.uint8


@pytest.mark.parametrize("codec", [codec for codec, _, _ in LOSSY], ids=str)
def test_a_narrow_range_of_pixels_is_no_handicap(codec, digits_split):
    X, fresh = digits_split  # from 0 to 16
    narrow, wide = clone(codec).fit(X), clone(codec).fit(X * 15)
    data = narrow.encode(fresh)
    assert data == wide.encode(fresh * 15)
    expected = np.rint(wide.decode(data) / 15)
    assert_array_equal(narrow.decode(data), expected)
    # What the training images do not reach is clipped, 255 // 15 here.
    beyond = np.where(fresh > 15, 255, fresh).astype(np.uint8)
    assert narrow.decode(narrow.encode(beyond)).max() <= 17


def test_floats_are_stretched_from_their_range(split):
    X = (split[0] / 240 - 0.5).astype(np.float32)
    codec = PillowCodec("webp", quality=95).fit(X)
    decoded = codec.decode(codec.encode(X[:50]))
    assert decoded.dtype == np.float32
    assert decoded.min() >= -0.5
    assert decoded.max() <= 0.5
    assert psnr(X[:50], decoded, (-0.5, 0.5)) > 30


def test_one_search_ranks_them_all(split):
    codecs = [PillowCodec("png"), GeneralCodec("bz2"), SetRedundancyCodec()]
    search = GridSearchCV(
        Pipeline([("codec", HuffmanCodec())]),
        {"codec": codecs},
        cv=2,
        error_score="raise",
    ).fit(split[0])
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] < scores[1]
    fresh = split[1]
    codec = clone(codecs[1]).fit(split[0])
    assert codec.score(fresh) == -8 * len(codec.encode(fresh)) / len(fresh)


@pytest.mark.parametrize("codec", [LOSSLESS[0], LOSSLESS[4], LOSSY[0][0]], ids=str)
def test_named_columns_are_kept_in_mind(codec, split):
    frames = [pd.DataFrame(X).add_prefix("pixel ") for X in split]
    codec = clone(codec).fit(frames[0])
    assert codec.score(frames[1]) == clone(codec).fit(split[0]).score(split[1])
    with pytest.raises(ValueError, match="feature names"):
        codec.encode(frames[1].add_prefix("a "))


@pytest.mark.parametrize("codec", [LOSSLESS[0], LOSSLESS[4], LOSSY[0][0]], ids=str)
def test_archives_hold_them(codec, split, tmp_path):
    codec = clone(codec).fit(split[0])
    images = split[1][:40].reshape(-1, 8, 8)
    write_archive(tmp_path / "a.dae", images, codec, chunk_size=16)
    with open_archive(tmp_path / "a.dae") as archive:
        assert archive.verify().ok
        expected = codec.decode(codec.encode(split[1][16:32]))
        assert_array_equal(archive[16:32].reshape(16, -1), expected)


# Outside witnesses.


PILLOW_SETTINGS = {
    "jpeg": {"format": "JPEG", "quality": 75, "optimize": True, "progressive": True},
    "jpeg2000": {
        "format": "JPEG2000",
        "quality_mode": "dB",
        "quality_layers": [40],
        "irreversible": True,
        "no_jp2": True,
    },
    "webp": {"format": "WebP", "quality": 80, "method": 6},
    "avif": {
        "format": "AVIF",
        "quality": 75,
        "speed": 6,
        "subsampling": "4:0:0",
        "max_threads": 1,
        "autotiling": False,
        "advanced": {"tune": "psnr"},
    },
    "png": {"format": "PNG", "optimize": True},
}


@pytest.mark.parametrize("name", PILLOW_SETTINGS)
def test_the_bytes_are_those_of_pillows_own_file(name, split):
    images = split[1][:36].reshape(6, 6, 8, 8)
    mosaic = np.block([list(line) for line in images])
    file = io.BytesIO()
    Image.fromarray(mosaic).save(file, **PILLOW_SETTINGS[name])
    codec = PillowCodec(name).fit(split[0])
    assert codec.encode_chunk(split[1][:36]).data == file.getvalue()
    with Image.open(file) as image:
        pixels = np.asarray(image.convert("L"))
    decoded = codec.decode_chunk(file.getvalue(), 36)
    assert_array_equal(decoded[7].reshape(8, 8), pixels[8:16, 8:16])


def test_files_are_pillows_own_with_their_lengths_before_them(split):
    codec = PillowCodec("jpeg", quality=50, layout="files").fit(split[0])
    reader = ByteReader(codec.encode_chunk(split[1][:3]).data)
    lengths = [reader.leb128(), reader.leb128()]
    for row, length in zip(split[1], [*lengths, None], strict=False):
        file = io.BytesIO()
        image = Image.fromarray(row.reshape(8, 8))
        image.save(file, format="JPEG", quality=50, optimize=True)
        assert reader.take(length or reader.n_left) == file.getvalue()
    reader.finish()


def test_jpeg_gets_blocks_of_its_own_where_that_is_better(rng):
    # Images of 12 x 12 pixels, each of one grey, meet in the middle of a block.
    grey = rng.integers(0, 256, (300, 1)) * np.ones(144, np.int64)
    codec = PillowCodec("jpeg").fit(grey.astype(np.uint8))
    assert codec.multiple_ == 8
    unpadded = clone(codec).fit(grey.astype(np.uint8))
    unpadded.multiple_ = 1
    assert codec.score(grey) > unpadded.score(grey)
    # Images that are black around their middle have no edges to be kept apart.
    middle = np.zeros((300, 12, 12), np.uint8)
    middle[:, 4:8, 4:8] = rng.integers(0, 256, (300, 4, 4))
    assert PillowCodec("jpeg").fit(middle.reshape(300, -1)).multiple_ == 1
    assert PillowCodec("webp", effort=0).fit(grey.astype(np.uint8)).multiple_ == 1


UNPACK = {
    "lzma": lzma.decompress,
    "bz2": bz2.decompress,
    "gzip": gzip.decompress,
    "zstd": zstandard.ZstdDecompressor().decompress,
}


@pytest.mark.parametrize("method", GENERAL_METHODS)
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, np.float32])
def test_general_chunks_are_files_of_the_compressors(method, dtype, rng):
    X = (100 * rng.normal(size=(50, 6))).clip(0).astype(dtype)
    codec = GeneralCodec(method).fit(X)
    pixels = UNPACK[method](codec.encode_chunk(X).data)
    assert pixels == X.astype(np.dtype(dtype).newbyteorder("<")).tobytes()
    decoded = codec.decode(codec.encode(X))
    assert decoded.dtype == dtype
    assert_array_equal(decoded, X)


@pytest.mark.parametrize("method", GENERAL_METHODS)
def test_a_lower_level_tries_less_hard(method, split):
    sizes = [
        len(GeneralCodec(method, level=level).fit(split[0]).encode(split[0]))
        for level in (1, None)
    ]
    assert sizes[1] <= sizes[0]


def best_prefix_code_bits(counts):
    """Bits of the best prefix code: each merge of two words costs their weight."""
    heap = list(counts)
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        heapq.heappush(heap, merged)
        total += merged
    return total


@pytest.fixture(scope="module")
def mnist(data_folder):
    return load_mnist("test").data


@pytest.mark.parametrize(
    ("method", "level", "expected"),
    [("bz2", None, 1.415), ("lzma", 6, 1.392), ("gzip", None, 1.635)],
)
def test_mnist_takes_the_known_bits_by_general_compressors(
    method, level, expected, mnist
):
    codec = GeneralCodec(method, level=level, chunk_size=10_000).fit(mnist)
    assert 8 * len(codec.encode(mnist)) / mnist.size == pytest.approx(
        expected, abs=1e-3
    )


def test_huffman_takes_the_bits_of_the_best_prefix_code(mnist):
    counts = np.bincount(mnist.ravel())
    shares = counts[counts > 0] / mnist.size
    entropy = -(shares * np.log2(shares)).sum()
    assert entropy == pytest.approx(1.967, abs=1e-3)
    codec = HuffmanCodec(chunk_size=10_000).fit(mnist)
    n_bits = 8 * len(codec.encode_chunk(mnist).data)
    assert entropy < n_bits / mnist.size < entropy + 1
    # The code has a word for what was never seen, which counts once and is not used.
    best = best_prefix_code_bits([*counts[counts > 0].tolist(), 1])
    unused = int(codec._code.lengths[-1])
    assert 0 <= n_bits - (1 + best - unused) < 8


@pytest.mark.parametrize("method", SET_METHODS)
def test_set_redundancy_gives_mnist_and_x_rays_back(method, mnist, data_folder):
    file = data_folder / "xray" / "chest_xray_28.npz"
    xrays = read_images(file, key="train").data[:600]
    for images in (mnist[:1000], xrays):
        codec = SetRedundancyCodec(method).fit(images[:500])
        data = check_codec(codec.encode, codec.decode, images[500:])
        assert 8 * len(data) < 7 * images[500:].size


# Set redundancy, by what it promises.


def test_what_the_set_knows_takes_no_bits(rng):
    # Images that differ in one pixel only, and one level for all of an image.
    constant = np.tile(rng.integers(0, 256, 144), (200, 1)).astype(np.uint8)
    constant[:, 70] = rng.integers(0, 256, 200)
    levels = rng.integers(0, 201, (200, 1)) / 200
    low = rng.integers(0, 50, 144)
    faded = np.rint(low + levels * rng.integers(50, 200, 144)).astype(np.uint8)
    for X, method in (
        (constant, "min_max_differential"),
        (faded, "min_max_predictive"),
    ):
        codec = SetRedundancyCodec(method).fit(X)
        assert len(codec.encode(X)) < 0.4 * len(GeneralCodec().fit(X).encode(X))


def test_the_references_are_those_of_the_set(split):
    X = split[0]
    codec = SetRedundancyCodec("min_max_predictive").fit(X)
    (part,) = codec.sets_
    assert_array_equal(part.references, [X.min(axis=0), X.max(axis=0)])
    codec = SetRedundancyCodec("centroid").fit(X)
    (part,) = codec.sets_
    assert_array_equal(part.references, np.rint([X.mean(axis=0)]))


def test_a_tiny_worked_example_of_each_method():
    # Two pixels in a line. All that is left of both images is zero.
    X = np.array([[10, 20], [50, 100]], np.uint8)
    for method in ("min_max_differential", "min_max_predictive"):
        codec = SetRedundancyCodec(method, image_shape=(1, 2)).fit(X)
        left = codec.sets_[0].differences(X)
        # The first pixel is predicted as the smallest, the second from the first.
        assert left.tolist() == [[0, 0], [40, 0]]
    codec = SetRedundancyCodec("centroid", image_shape=(1, 2)).fit(X)
    assert codec.sets_[0].differences(X).tolist() == [[-20, -20], [20, 20]]
    # Halfway between 10 and 50 is halfway between 20 and 100.
    codec = SetRedundancyCodec("min_max_predictive", image_shape=(1, 2)).fit(X)
    assert codec.sets_[0].differences(np.array([[30, 60]], np.uint8)).tolist() == [
        [20, 0]
    ]


# Damage.


@pytest.mark.parametrize("codec", LOSSLESS + [codec for codec, _, _ in LOSSY], ids=str)
def test_damaged_chunks_are_errors_or_images(codec, split, rng):
    codec = clone(codec).fit(split[0])
    X = split[1][:6]
    data = codec.encode_chunk(X).data
    n_errors = 0
    for _ in range(120):
        try:
            decoded = codec.decode_chunk(damage(data, rng), len(X))
        except BitstreamError:
            n_errors += 1
        else:
            assert decoded.shape == X.shape
            assert decoded.dtype == X.dtype
    assert n_errors > 20
    with pytest.raises(BitstreamError):
        codec.decode_chunk(b"", 6)
    with pytest.raises(BitstreamError):
        codec.decode_chunk(data, 60_000)


def peak_of_refusing(codec, data, n_rows):
    tracemalloc.start()
    with pytest.raises(BitstreamError):
        codec.decode_chunk(data, n_rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("method", GENERAL_METHODS)
def test_what_unpacks_to_more_than_expected_is_refused_before_it_takes_memory(
    method, split
):
    bomb = GeneralCodec(method, level=1).fit(np.zeros((1, 2**26), np.uint8))
    data = bomb.encode_chunk(np.zeros((1, 2**26), np.uint8)).data
    codec = GeneralCodec(method).fit(split[0])
    assert peak_of_refusing(codec, data, 10) < 2**25


def test_pictures_of_another_size_are_refused_before_they_take_memory(split):
    codec = PillowCodec("png").fit(split[0])
    file = io.BytesIO()
    Image.new("L", (6000, 6000)).save(file, format="PNG")
    assert peak_of_refusing(codec, file.getvalue(), 10) < 2**20
    for huge in ((0x7FFFFFFF, 0x7FFFFFFF), (20_000, 10_000)):
        sizes = b"".join(side.to_bytes(4, "big") for side in huge)
        data = bytearray(file.getvalue())
        data[16:24] = sizes
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        assert peak_of_refusing(codec, bytes(data), 10) < 2**20


# What cannot be.


@pytest.mark.parametrize(
    ("codec", "message"),
    [
        (PillowCodec("gif"), "'format' parameter .* Got 'gif'"),
        (PillowCodec(quality=0), "quality == 0"),
        (PillowCodec(quality=101), "quality == 101"),
        (PillowCodec("jpeg", lossless=True), "never lossless: take one of jpeg2000"),
        (PillowCodec("png", quality=3), "'png' is to be written without loss"),
        (PillowCodec("webp", quality=3, lossless=True), "without loss"),
        (PillowCodec("png", effort=3), "knows none"),
        (PillowCodec("webp", effort=7), "effort == 7"),
        (PillowCodec(layout="strip"), "'layout' parameter .* Got 'strip'"),
        (PillowCodec(image_shape=(3, 4)), "12 values, but X has 64 columns"),
        (JpegXLCodec(distance=0), "'distance' parameter .* Got 0"),
        (JpegLSCodec(-1), "'max_abs_error' parameter .* Got -1"),
        (JpegXLCodec(effort=11), "'effort' parameter .* Got 11"),
        (GeneralCodec("zip"), "'method' parameter .* Got 'zip'"),
        (GeneralCodec("bz2", level=0), "level == 0"),
        (GeneralCodec(chunk_size=0), "chunk_size"),
        (SetRedundancyCodec("mean"), "'method' parameter .* Got 'mean'"),
        (SetRedundancyCodec(image_shape=(3, 4)), "12 values"),
    ],
)
def test_impossible_parameters_are_refused(codec, message, split):
    with pytest.raises(ValueError, match=message):
        codec.fit(split[0])


@pytest.mark.parametrize("codec", [PillowCodec(quality=50.5), PillowCodec(lossless=1)])
def test_parameters_of_a_wrong_type_are_refused(codec, split):
    with pytest.raises(TypeError):
        codec.fit(split[0])


@pytest.mark.parametrize(
    ("codec", "dtype", "message"),
    [
        (PillowCodec(), np.uint16, "uint16, of which .* would lose some bits"),
        (
            PillowCodec("png"),
            np.float64,
            "float64, of which .*png.* convert them to uint8",
        ),
        (JpegXLCodec(), bool, "bool, of which"),
        (JpegLSCodec(), np.float32, "float32, of which"),
        (SetRedundancyCodec(), np.float32, "integers of 8 to 32 bits: convert them"),
        (SetRedundancyCodec(), np.int64, "int64 numbers"),
    ],
)
def test_pixels_that_a_codec_cannot_take_are_refused(codec, dtype, message, split):
    with pytest.raises(ValueError, match=message):
        codec.fit(split[0].astype(dtype))


def test_images_too_large_for_a_format_are_refused():
    with pytest.raises(ValueError, match=r"9000 x 1 pixels.* are too large"):
        PillowCodec(image_shape=(1, 9000)).fit(np.zeros((1, 9000), np.uint8))


@pytest.mark.parametrize(
    ("package", "codec", "extra"),
    [
        ("PIL", PillowCodec(), "full"),
        ("imagecodecs", JpegXLCodec(), "full"),
        ("imagecodecs", JpegLSCodec(), "full"),
        ("zstandard", GeneralCodec("zstd"), "zstd"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    package, codec, extra, split, monkeypatch
):
    fitted = clone(codec).fit(split[0])
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"sklearn-dae\[{extra}\]"):
        codec.fit(split[0])
    with pytest.raises(ImportError, match=rf"sklearn-dae\[{extra}\]"):
        fitted.encode(split[1])


def test_pca_has_its_published_error_on_mnist(mnist):
    pca = PCA(30, svd_solver="covariance_eigh").fit(load_mnist("train").data)
    restored = pca.inverse_transform(pca.transform(mnist))
    error = squared_error_per_image(mnist, restored, (0, 255))
    # Hinton & Salakhutdinov (2006), before values are clipped to the range.
    assert error == pytest.approx(13.87, abs=0.005)
