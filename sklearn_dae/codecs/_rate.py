"""The quality that so many bytes are enough for.

In: what images take at a quality, which it takes long to find out. Out: the highest
quality at which that is no more than is allowed. Bytes about double every few decibels,
so that a line through the logarithms of two of them leads there in a few steps.
"""

import math
from collections.abc import Callable

#: The qualities between which one is looked for, in decibels; at the highest, hardly
#: any number of 16 bits is off by one.
_LOWEST, _HIGHEST = 1.0, 120.0

#: By how many decibels quality grows where bytes double, as long as that is a guess,
#: and by how many more it is changed, each time twice as much.
_OF_TWICE_THE_BYTES, _MORE = 5.0, 0.25

#: What may be left over, in doublings, and after how many steps it may be more.
_LEFT_OVER, _MOST_STEPS = 0.03, 7

#: How close to a known quality one may be that is tried between two, relative to their
#: distance.
_LEAST_SHARE = 0.1


def highest_quality(
    n_bytes: Callable[[float], float], most: float, start: float
) -> float | None:
    """Find the highest quality at which images take no more bytes than are allowed.

    Parameters
    ----------
    n_bytes : callable
        The bytes at a quality; infinity where it cannot be reached.

    most : float
        How many are allowed.

    start : float
        The quality to begin with.

    Returns
    -------
    float or None
        None if images take more at any quality.

    Examples
    --------
    >>> from sklearn_dae.codecs._rate import highest_quality
    >>> round(highest_quality(lambda psnr: 100 * 2 ** (psnr / 6), 1600, 30), 1)
    23.9
    """
    # By how many doublings bytes exceed what is allowed.
    excess: dict[float, float] = {}
    psnr, low, more = start, None, _MORE
    for _ in range(_MOST_STEPS):
        excess[psnr] = math.log2(n_bytes(psnr) / most)
        low = max((q for q, e in excess.items() if e <= 0), default=None)
        if low is None:
            high = min(excess)
            psnr = max(high - _OF_TWICE_THE_BYTES * excess[high] - more, _LOWEST)
        elif excess[low] >= -_LEFT_OVER:
            break
        elif (high := min((q for q in excess if q > low), default=0.0)) > low:
            share = 0.5
            if excess[high] < math.inf:
                aim = excess[low] + _LEFT_OVER / 2
                share = aim / (excess[low] - excess[high])
            share = min(max(share, _LEAST_SHARE), 1 - _LEAST_SHARE)
            psnr = low + share * (high - low)
        else:
            psnr = min(low - _OF_TWICE_THE_BYTES * excess[low] + more, _HIGHEST)
        more *= 2
        if psnr in excess:
            break
    return low
