"""Lloyd's k-means that gives the same labels on every run: it begins with points that are far from each other.

scikit-learn's adds up its threads' parts in the order in which they end, so that the last bit differs from run to run.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

#: Points whose distances are computed at once: to 400 centres they take 13 MB.
_BLOCK = 8192


def kmeans(points: Floats, count: int, rounds: int = 30) -> Labels:
    """Give each point the number, from 0, of one of at most ``count`` centres; each number is given to some point."""
    centres = points[_farthest_first(points, count)]
    labels = _nearest(points, centres)
    for _ in range(rounds):
        centres = _means(points, labels)
        again = _nearest(points, centres)
        if np.array_equal(again, labels):
            break
        labels = again
    return labels


def _farthest_first(points: Floats, count: int) -> Labels:
    """Choose points: the one nearest to the mean, then always the one that is farthest from all chosen."""
    lengths = np.einsum("ij,ij->i", points, points)

    def squared(centre: Floats) -> Floats:
        found: Floats = lengths - 2 * (points @ centre) + np.dot(centre, centre)
        return found

    chosen = [int(squared(points.mean(axis=0)).argmin())]
    distance = squared(points[chosen[0]])
    while len(chosen) < min(count, len(points)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, squared(points[chosen[-1]]))
    return np.array(chosen)


def _nearest(points: Floats, centres: Floats) -> Labels:
    """Give each point its nearest centre; centres that no point is nearest to are left out of the count."""
    lengths = np.einsum("ij,ij->i", centres, centres)
    blocks = [points[at : at + _BLOCK] for at in range(0, len(points), _BLOCK)]
    found = np.concatenate([(lengths - 2 * (block @ centres.T)).argmin(axis=1) for block in blocks])
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def _means(points: Floats, labels: Labels) -> Floats:
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    sums = np.add.reduceat(points[order], np.cumsum(counts) - counts, axis=0)
    return (sums / counts[:, None]).astype(np.float32)
