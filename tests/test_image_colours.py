"""Images as they are shown: their colours, upright, or in grey."""

import numpy as np
import pytest
from image_files import numbers, palette_bytes, tiff_bytes
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageOps

from sklearn_dae.images import ImageSet, ImageSpec, read_images
from sklearn_dae.images._png import SIGNATURE, Png, read_head


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
