"""Images as they are shown: their colours, upright, or in grey."""

import numpy as np
import pytest
from image_files import (
    cmyk_bytes,
    dicom_bytes,
    joined,
    numbers,
    palette_bytes,
    pillow_bytes,
    tiff_bytes,
)
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageOps

from sklearn_dae.images import ImageSet, ImageSpec, read_images
from sklearn_dae.images._colours import to_grey, to_rgb
from sklearn_dae.images._png import SIGNATURE, Png, read_head
from sklearn_dae.images.readers import open_file


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (3, 4, 5)).astype(np.uint8)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "P, transparent"])
def test_colours_become_grey(tmp_path, rng, mode):
    colours = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    image = Image.fromarray(colours).convert(mode.split(",")[0])
    options = {"transparency": b"\0\x80"} if "transparent" in mode else {}
    image.save(tmp_path / "a.png", **options)
    with Image.open(tmp_path / "a.png") as image:
        image.apply_transparency() if "P" in mode else None
        shown = np.asarray(image.convert("RGBA"), float)
    luminance = shown[..., :3] @ [0.299, 0.587, 0.114]
    opacity = shown[..., 3] / 255
    expected = luminance * opacity + 255 * (1 - opacity)
    images = read_images(tmp_path, grey=True)
    assert images.spec == ImageSpec(4, 5)
    assert_allclose(images[0], expected, atol=1)


def test_deep_colours_become_deep_grey(tmp_path, rng):
    colours = numbers(rng, 2, 4, 5, 3, bits=16)
    grey = ImageSet.from_array(colours).to_grey()
    assert grey.spec == ImageSpec(4, 5, 1, np.dtype(np.uint16))
    expected = colours @ np.array([0.299, 0.587, 0.114])
    assert_allclose(grey.stack(), expected, atol=2)
    with pytest.raises(ValueError, match="cannot be turned to grey"):
        ImageSet.from_array(colours.astype(float)).to_grey()


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_numbers_of_few_bits_become_bytes(tmp_path, rng, depth):
    pixels = numbers(rng, 5, 7, bits=depth)
    spec = ImageSpec(5, 7, range=(0, (1 << depth) - 1))
    path = tmp_path / "a.png"
    if depth == 1:
        path.write_bytes(b"".join(Png.plain(spec).rebuild([pixels])))
    else:
        head = Png.plain(spec).before
        head = SIGNATURE + head
        few = read_head(head)._replace(depth=depth)
        path.write_bytes(b"".join(Png(few.to_chunk(), b"", b"").rebuild([pixels])))
    images = read_images(tmp_path)
    assert images.spec == spec
    assert_array_equal(images[0], pixels)
    with Image.open(path) as image:
        expected = np.asarray(image.convert("L"))
    assert images.as_shown().spec == ImageSpec(5, 7)
    assert_array_equal(images.as_shown()[0], expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_exif_says(tmp_path, pixels, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels[0]).save(tmp_path / "a.png", exif=exif)
    images = read_images(tmp_path)
    assert_array_equal(images[0], pixels[0])
    with Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    shown = images.as_shown()
    assert shown.image_shape == expected.shape
    assert_array_equal(shown[0], expected)


@pytest.mark.parametrize("value", [0, 3, 99])
def test_tiff_files_are_turned_where_they_say_how(tmp_path, pixels, value):
    data = tiff_bytes(pixels[0], extratags=[(0x0112, "H", 1, value, True)])
    (tmp_path / "a.tif").write_bytes(data)
    expected = pixels[0][::-1, ::-1] if value == 3 else pixels[0]
    assert_array_equal(read_images(tmp_path).as_shown()[0], expected)


@pytest.mark.parametrize("kind", ["1", "L", "RGB", "I;16", "P", "P, transparent"])
def test_colours_that_are_transparent_become_opacity(tmp_path, rng, kind):
    if kind.startswith("P"):
        options = {"transparency": b"\0\x80"} if "transparent" in kind else {}
        (tmp_path / "a.png").write_bytes(palette_bytes(rng, "PNG", **options))
    else:
        shape = (4, 5, 3) if kind == "RGB" else (4, 5)
        bits = {"1": 1, "I;16": 16}.get(kind, 8)
        image = numbers(rng, *shape, bits=bits)
        image = image.astype(bool) if kind == "1" else image
        colour = tuple(map(int, image[1, 1])) if kind == "RGB" else int(image[1, 1])
        colour = 255 * colour if kind == "1" else colour
        Image.fromarray(image).save(tmp_path / "a.png", transparency=colour)
    images = read_images(tmp_path).as_shown()
    assert images[0].shape == images.image_shape
    if kind == "I;16":
        assert images[0][1, 1, 1] == 0
        assert_array_equal(images[0][..., 0], image)
        assert images[0][..., 1].max() == 65535
        return
    with Image.open(tmp_path / "a.png") as picture:
        expected = np.asarray(picture.convert("RGBA"))
    shown = images[0]
    rows = shown[..., :1] if images.spec.channels == 2 else shown[..., :3]
    assert_array_equal(np.broadcast_to(rows, (*shown.shape[:2], 3)), expected[..., :3])
    if images.spec.channels in (2, 4):
        assert_array_equal(shown[..., -1], expected[..., 3])


def test_pixels_that_were_changed_make_no_file_again(tmp_path, rng):
    (tmp_path / "a.png").write_bytes(palette_bytes(rng, "PNG"))
    images = read_images(tmp_path)
    assert images.files[0].wrap() is not None
    for changed in (images.as_shown(), images.to_grey()):
        assert changed.files[0].wrap() is None
        assert_array_equal([*changed.files[0].images()], changed.stack())


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_becomes_the_colours_that_pillow_shows(tmp_path, rng, name):
    path = tmp_path / "a"
    path.write_bytes(cmyk_bytes(rng, name))
    images = read_images(path)
    with Image.open(path) as image:
        assert_array_equal(images[0], np.asarray(image))
        expected = np.asarray(image.convert("RGB"))
    assert images.as_shown().spec == ImageSpec(7, 9, 3)
    assert_array_equal(images.as_shown()[0], expected)
    grey = read_images(path, grey=True)
    assert grey.spec == ImageSpec(7, 9)
    assert_allclose(grey[0], expected @ [0.299, 0.587, 0.114], atol=1)


def test_all_inks_become_the_light_that_pillow_makes_of_them():
    ink, black = np.mgrid[:256, :256].astype(np.uint8)
    pixels = np.stack([ink, ink.T, 255 - ink, black], 2)
    expected = np.asarray(Image.fromarray(pixels, "CMYK").convert("RGB"))
    spec = ImageSpec(256, 256, 4)
    assert_array_equal(to_rgb(pixels, spec, "CMYK"), expected)
    # 16 bits are as 8, but finer.
    deep = ImageSpec(256, 256, 4, np.dtype(np.uint16))
    finer = to_rgb(pixels.astype(np.uint16) * 257, deep, "CMYK")
    assert_allclose(finer / 257, expected, atol=0.51)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("dtype", "bits"),
    [(np.uint8, None), (np.uint8, 7), (np.uint16, 12), (np.int16, None), (np.int16, 9)],
)
def test_grey_dicom_of_which_zero_is_white_is_turned_round(
    tmp_path, rng, dtype, bits, packed
):
    stored = bits or 8 * np.dtype(dtype).itemsize
    low, high = 0, (1 << stored) - 1
    if dtype == np.int16:
        low, high = -(1 << stored - 1), (1 << stored - 1) - 1
    pixels = rng.integers(low, high, (5, 7), dtype, endpoint=True)
    pixels[0, :2] = low, high
    kind = {"photometric": "MONOCHROME1", "bits": bits, "packed": packed}
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(pixels, **kind))
    images = read_images(tmp_path / "a.dcm")
    assert_array_equal(images[0], pixels)
    shown = images.as_shown()
    assert images.spec == shown.spec == ImageSpec(5, 7, 1, np.dtype(dtype), (low, high))
    assert_array_equal(shown[0], high + low - pixels.astype(int))
    assert_array_equal(images.to_grey()[0], shown[0])
    if not packed:
        assert joined(images.files[0]) == (tmp_path / "a.dcm").read_bytes()
    assert shown.files[0].wrap() is None


def test_tiff_files_of_which_zero_is_white_are_turned_round(tmp_path, rng):
    path, pixels = tmp_path / "a.tif", numbers(rng, 5, 7)
    path.write_bytes(tiff_bytes(pixels, photometric="miniswhite"))
    with Image.open(path) as image:
        assert_array_equal(np.asarray(image), 255 - pixels)
    assert_array_equal(read_images(path)[0], pixels)
    assert_array_equal(read_images(path).as_shown()[0], 255 - pixels)
    for options in ({}, {"compression": "group4"}):
        bits = numbers(rng, 5, 7, bits=1).astype(bool)
        path.write_bytes(tiff_bytes(bits, photometric="miniswhite"))
        if options:
            path.write_bytes(pillow_bytes(bits, "TIFF", **options))
        with Image.open(path) as image:
            expected = np.asarray(image.convert("L"))
        shown = read_images(path).as_shown()
        assert shown.spec == ImageSpec(5, 7)
        assert_array_equal(shown[0], expected)


def test_zero_is_black_in_tiff_files_that_do_not_say_it(tmp_path, rng):
    pixels = numbers(rng, 5, 7)
    data = tiff_bytes(pixels, photometric="miniswhite")
    # Tag 262 becomes 263, of thresholds; both are one short number.
    tag = b"\x06\1\3\0\1\0\0\0"
    assert data.count(tag) == 1
    (tmp_path / "a.tif").write_bytes(data.replace(tag, b"\x07" + tag[1:]))
    assert_array_equal(read_images(tmp_path).as_shown()[0], pixels)


def test_opacity_is_not_turned_round_with_grey():
    pixels = np.array([[[10, 20], [255, 0]]], np.uint8)
    shown = to_rgb(pixels, ImageSpec(1, 2, 2), "WhiteIsZero")
    assert_array_equal(shown, [[[245, 20], [0, 0]]])


def test_ycbcr_becomes_the_colours_that_dicom_says(tmp_path):
    from pydicom.pixels import convert_color_space

    some = np.array([0, 1, 15, 16, 50, 127, 128, 129, 200, 240, 254, 255], np.uint8)
    pixels = np.stack(np.meshgrid(some, some, some), -1).reshape(12, 144, 3)
    path = tmp_path / "a"
    expected = convert_color_space(pixels, "YBR_FULL", "RGB")
    path.write_bytes(dicom_bytes(pixels, photometric="YBR_FULL"))
    images = read_images(path)
    assert_array_equal(images[0], pixels)
    assert images.as_shown().spec == ImageSpec(12, 144, 3)
    assert_array_equal(images.as_shown()[0], expected)
    # What pydicom decodes is RGB already.
    path.write_bytes(dicom_bytes(pixels, photometric="YBR_FULL", packed=True))
    assert_array_equal(read_images(path)[0], expected)
    assert_array_equal(read_images(path).as_shown()[0], expected)
    path.write_bytes(tiff_bytes(pixels, photometric="ycbcr"))
    assert_array_equal(read_images(path)[0], pixels)
    assert_array_equal(read_images(path).as_shown()[0], expected)


def test_jpeg_in_tiff_files_is_shown_as_it_is_read(tmp_path):
    path, pixels = tmp_path / "a.tif", np.full((16, 16, 3), (200, 40, 90), np.uint8)
    for photometric in ("rgb", "ycbcr"):
        data = tiff_bytes(pixels, compression="jpeg", photometric=photometric)
        path.write_bytes(data)
        with Image.open(path) as image:
            expected = np.asarray(image.convert("RGB"))
        assert_allclose(read_images(path).as_shown()[0], expected, atol=4)


def _colours_that_are_not_shown(rng):
    colour = numbers(rng, 5, 7, 3)
    # The ends of YCbCr, as of video.
    ends = tuple(n for end in (16, 235, 128, 240, 128, 240) for n in (end, 1))
    video = {"photometric": "ycbcr", "extratags": [(532, 5, 6, ends, True)]}
    weights = (2126, 10000, 7152, 10000, 722, 10000)
    bt_709 = {"photometric": "ycbcr", "extratags": [(529, 5, 3, weights, True)]}
    inks = {"photometric": "separated", "extratags": [(332, "H", 1, 2, True)]}
    real = rng.random((5, 7), dtype=np.float32)
    return {
        "CIELAB": tiff_bytes(colour, photometric="cielab"),
        "YCbCr of another kind": tiff_bytes(colour, **video),
        "YCbCr of another kind in 3 channels": tiff_bytes(colour, **bt_709),
        "inks": tiff_bytes(numbers(rng, 5, 7, 4), **inks),
        "WhiteIsZero in 1 channels of float32": tiff_bytes(
            real, photometric="miniswhite"
        ),
        "YCbCr in 3 channels of uint16": dicom_bytes(
            numbers(rng, 5, 7, 3, bits=16), photometric="YBR_FULL"
        ),
        "HSV": dicom_bytes(colour, photometric="HSV"),
    }


@pytest.mark.parametrize(
    "kind", list(_colours_that_are_not_shown(np.random.default_rng(0)))
)
def test_colours_that_cannot_be_shown_are_read_but_named(tmp_path, rng, kind):
    path = tmp_path / "a"
    path.write_bytes(_colours_that_are_not_shown(rng)[kind])
    images = read_images(path)
    assert joined(images.files[0]) == path.read_bytes()
    message = rf"^{path}: unknown kind of colours: {kind}.* convert it to RGB"
    for show in (images.as_shown, images.to_grey, lambda: read_images(path, grey=True)):
        with pytest.raises(ValueError, match=message):
            show()


def test_each_page_is_shown_as_it_says(tmp_path, rng):
    import tifffile

    grey, colour = numbers(rng, 4, 5), numbers(rng, 4, 5, 3)
    palette = numbers(rng, 3, 256, bits=16)
    turned = {"extratags": [(0x0112, "H", 1, 6, True)]}
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(grey, photometric="miniswhite", **turned)
        writer.write(colour, photometric="rgb")
        writer.write(grey, photometric="palette", colormap=palette)
        writer.write(grey, photometric="minisblack")
    shown = read_images(tmp_path / "a.tif").as_shown()
    expected = [
        *(np.rot90(255 - grey, -1), colour),
        *((palette.T >> 8).astype(np.uint8)[grey], grey),
    ]
    for image, other, page, spec in zip(
        shown, shown.files[0].images(), expected, shown.files[0].specs, strict=True
    ):
        assert spec.shape == page.shape
        assert_array_equal(image, page)
        assert_array_equal(other, page)


def test_opacity_is_a_part_of_the_range():
    pixels = np.array([[[1000, 4095], [1000, 0]]], np.uint16)
    assert_array_equal(to_grey(pixels, 4095), [[1000, 4095]])


def test_what_is_shown_already_is_the_same_file(tmp_path, rng):
    (tmp_path / "a.tif").write_bytes(tiff_bytes(numbers(rng, 4, 5)))
    images = read_images(tmp_path)
    assert images.as_shown().files[0] is images.files[0]
    assert open_file(tmp_path / "a.tif").appearance_of(0).photometric == ""
