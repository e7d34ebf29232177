"""Image formats as codecs: colours, depths, and what they must refuse."""

import numpy as np
import pytest
from codec_checks import check_codec
from numpy.testing import assert_array_equal

from sklearn_dae.codecs import (
    GeneralCodec,
    HuffmanCodec,
    JpegLSCodec,
    JpegXLCodec,
    PillowCodec,
    PixelCodec,
    SetRedundancyCodec,
)
from sklearn_dae.evaluation import psnr
from sklearn_dae.images import read_images
from sklearn_dae.models._files import model_from_bytes, model_to_bytes

FORMATS = ["jpeg", "jpeg2000", "webp", "avif", "png"]


def pictures(channels=1, dtype=np.uint8, n=6, size=(13, 17)):
    """Smooth images with a little noise, all bits of which are used."""
    rng = np.random.default_rng(channels)
    y, x, image, channel = np.ogrid[: size[0], : size[1], :n, :channels]
    smooth = 0.5 + 0.4 * np.sin(y / 4 + image) * np.cos(x / 5 + channel)
    smooth = np.moveaxis(smooth, 2, 0)
    smooth = smooth + rng.normal(scale=0.01, size=smooth.shape)
    limits = np.iinfo(dtype)
    span = float(limits.max) - limits.min
    images = (np.clip(smooth, 0, 1) * span + limits.min).astype(dtype)
    return images.reshape(n, -1), (*size, channels)


def codecs_without_loss(shape):
    yield JpegXLCodec(lossless=True, image_shape=shape)
    yield JpegXLCodec(lossless=True, layout="files", image_shape=shape)
    yield JpegLSCodec(image_shape=shape)
    yield JpegLSCodec(layout="files", image_shape=shape)
    for name in FORMATS[1:]:
        yield PillowCodec(name, lossless=True, image_shape=shape)
    yield GeneralCodec("bz2")
    yield HuffmanCodec()
    yield PixelCodec(effort=1, image_shape=shape)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int8])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_without_loss_every_bit_comes_back_or_the_codec_refuses(channels, dtype):
    X, shape = pictures(channels, dtype)
    n_taken = 0
    for codec in codecs_without_loss(shape):
        try:
            codec.fit(X)
        except ValueError as error:
            assert "would lose some bits or channels" in str(error)  # noqa: PT017
            continue
        n_taken += 1
        data = check_codec(codec.encode, codec.decode, X)
        assert len(data) < 1.5 * X.nbytes
        again = model_from_bytes(model_to_bytes(codec))
        assert again.encode(X) == data
    assert n_taken >= (10 if channels in (1, 3) and X.itemsize == 1 else 5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int8])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("layout", ["files", "mosaic"])
def test_jpeg_ls_keeps_its_bound_at_every_depth(channels, dtype, layout):
    X, shape = pictures(channels, dtype)
    X[0, :2] = np.iinfo(dtype).min, np.iinfo(dtype).max
    sizes = []
    for bound in (0, 1, 2, 4, 127):
        codec = JpegLSCodec(bound, layout=layout, image_shape=shape).fit(X)
        data = codec.encode(X)
        restored = codec.decode(data)
        assert restored.dtype == X.dtype
        assert np.abs(restored.astype(int) - X).max() == bound == codec.error_bound
        sizes.append(len(data))
    assert sizes == sorted(sizes, reverse=True)


def test_jpeg_ls_takes_the_errors_that_its_standard_has():
    X, shape = pictures()
    with pytest.raises(ValueError, match=r"at most 127 for images of 17 x 13.*uint8"):
        JpegLSCodec(128, image_shape=shape).fit(X)
    X, shape = pictures(dtype=np.int16)
    codec = JpegLSCodec(255, image_shape=shape).fit(X)
    assert np.abs(codec.decode(codec.encode(X)).astype(int) - X).max() <= 255


@pytest.mark.parametrize("folder", ["ct_head", "fingerprints", "microscope"])
def test_real_images_go_into_jpeg_ls_within_the_bound(data_folder, folder):
    images = read_images(data_folder / folder)[:2].stack()
    sizes = []
    for bound in (0, 2):
        codec = JpegLSCodec(bound, layout="files").fit(images)
        data = codec.encode(images)
        assert np.abs(codec.decode(data).astype(int) - images).max() == bound
        sizes.append(len(data))
    assert sizes[1] < 0.75 * sizes[0] < 0.75 * 0.6 * images.nbytes


def test_pictures_of_several_sizes_go_into_jpeg_ls_one_by_one():
    images = [np.full((3, 5), 7, np.uint8), np.zeros((2, 4, 3), np.uint8)]
    codec = JpegLSCodec(layout="files").fit(images)
    for image, restored in zip(images, codec.decode(codec.encode(images)), strict=True):
        assert_array_equal(restored, image)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("layout", ["files", "mosaic"])
def test_colours_come_back_about_as_they_were(channels, layout):
    X, shape = pictures(channels)
    settings = {"layout": layout, "image_shape": shape}
    codecs = [PillowCodec(name, quality=90, **settings) for name in ("webp", "avif")]
    if channels == 3:
        codecs.append(PillowCodec("jpeg", quality=90, **settings))
    codecs.append(PillowCodec("jpeg2000", **settings))
    for codec in [*codecs, JpegXLCodec(**settings)]:
        restored = codec.fit(X).decode(codec.encode(X))
        assert psnr(X, restored, (0, 255)) > 25


@pytest.mark.parametrize("settings", [{"lossless": True}, {"quality": 35}])
def test_jpeg_2000_knows_what_colours_have_in_common(settings, rng):
    grey = np.cumsum(rng.integers(-9, 10, (30, 40)), axis=1) % 200
    images = (grey[None, ..., None] + rng.integers(0, 3, (2, 30, 40, 3))).astype(
        np.uint8
    )
    together = PillowCodec("jpeg2000", **settings).fit(images).encode(images)
    apart = np.moveaxis(images, 3, 1).reshape(6, 30, 40)
    one_by_one = PillowCodec("jpeg2000", **settings).fit(apart).encode(apart)
    assert len(together) < 0.75 * len(one_by_one)


def test_the_same_pictures_take_fewer_bytes_in_grey():
    X, shape = pictures(3)
    grey = X.reshape(-1, 3)[:, 0].reshape(len(X), -1)
    for make in (JpegXLCodec, PillowCodec):
        colour = make(image_shape=shape).fit(X).encode(X)
        assert len(make(image_shape=shape[:2]).fit(grey).encode(grey)) < len(colour)


@pytest.mark.parametrize(
    ("codec", "channels", "dtype"),
    [
        (PillowCodec("jpeg"), 1, np.uint16),
        (PillowCodec("jpeg"), 4, np.uint8),
        (PillowCodec("png"), 3, np.uint16),
        (PillowCodec("avif", lossless=True), 3, np.uint8),
        (PillowCodec("webp", lossless=True), 1, np.uint16),
        (JpegXLCodec(), 1, np.uint16),
        (JpegXLCodec(lossless=True), 1, np.int32),
        (JpegLSCodec(), 2, np.uint8),
        (JpegLSCodec(), 1, np.int32),
    ],
    ids=str,
)
def test_depths_that_a_format_would_narrow_are_refused(codec, channels, dtype):
    X, shape = pictures(channels, dtype)
    with pytest.raises(
        ValueError, match="would lose some bits or channels: take another"
    ):
        codec.set_params(image_shape=shape).fit(X)


@pytest.mark.parametrize(
    "codec",
    [
        PillowCodec("png"),
        JpegXLCodec(lossless=True),
        JpegLSCodec(),
        SetRedundancyCodec(),
        PixelCodec(),
    ],
    ids=lambda codec: type(codec).__name__,
)
def test_a_picture_is_never_taken_for_a_line(codec):
    rows, _ = pictures()
    with pytest.raises(ValueError, match=r"no square images.*image_shape=\(1, n_col"):
        codec.fit(rows)
    lines = codec.set_params(image_shape=(1, rows.shape[1])).fit(rows)
    assert_array_equal(lines.decode(lines.encode(rows)), rows)


def test_codecs_of_grey_images_refuse_colours():
    X, shape = pictures(3)
    with pytest.raises(ValueError, match="3 channels, expected shades of grey"):
        SetRedundancyCodec(image_shape=shape).fit(X)
