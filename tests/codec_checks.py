"""What every pair of inverse functions is held to."""

import numpy as np

from sklearn_dae.entropy._pixel_training import Training

#: Small networks of pixels, trained for a moment.
TINY = Training(hidden=(8, 8), n_steps=20, batch_size=512)


def check_codec(encode, decode, x):
    """Assert that decoding undoes encoding exactly; return what was encoded."""
    kept = np.array(x)
    coded = encode(x)
    np.testing.assert_array_equal(x, kept, err_msg="encoding changed its input")
    assert coded == encode(x), "encoding twice gives different bytes"
    decoded = decode(coded)
    assert decoded.shape == kept.shape
    np.testing.assert_array_equal(decoded, kept)
    return coded


def damage(data, rng):
    """Return bytes that are cut off, extended, or changed in some places."""
    kind = rng.integers(4)
    if kind == 0:
        return data[: rng.integers(len(data))]
    if kind == 1:
        return data + rng.bytes(rng.integers(1, 9))
    if kind == 2:
        return rng.bytes(rng.integers(1, 2 * len(data)))
    changed = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(len(changed), size=rng.integers(1, 4))
    changed[places] ^= (1 << rng.integers(8, size=places.size)).astype(np.uint8)
    return changed.tobytes()
