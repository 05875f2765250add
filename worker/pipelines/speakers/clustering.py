"""How many voices there are among embeddings, and which is whose: spectral clustering with the count by eigengap.

Auto-tuning spectral clustering (Park et al. 2019, https://arxiv.org/abs/2003.02405): each embedding is joined to its
nearest neighbours; of several numbers of neighbours the one is taken whose graph falls most clearly into parts. Voices
whose means are too alike are then merged, as in 3D-Speaker (https://github.com/modelscope/3D-Speaker), and a voice
whose halves are too unlike is split.

Everything is deterministic: nothing is drawn at random, ties are broken by position.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.speakers.embeddings import unit
from worker.pipelines.speakers.kmeans import kmeans

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

#: More speakers than this are not told apart unless their number is given.
MOST_SPEAKERS = 15

#: Means of windows of 1.5 s whose cosine is higher are one voice: 3D-Speaker's value. On the readers that thresholds
#: were chosen on (bench/speakers), halves of one reader have 0.79 to 0.94, two readers 0.49 to 0.77.
MERGE_COSINE = 0.8

#: Halves of one voice whose means' cosine is lower are two voices that the eigengap did not see.
SPLIT_COSINE = 0.7

#: A voice of fewer windows is a cough or a laugh of somebody else, unless nothing else is there.
FEWEST_WINDOWS = 3

#: A graph of more nodes takes seconds to decompose: more embeddings are put together to so many first.
MOST_NODES = 400

#: How many numbers of neighbours are tried; the largest is this share of all.
_TRIED_NEIGHBOURS = 12
_MOST_NEIGHBOURS = 0.3


def cluster(embeddings: Floats, speakers: int | None = None) -> Labels:
    """Give each embedding (of length 1) the number of its voice; ``speakers`` is how many there are, if known."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - only here

    # One thread: sums are then added in the same order on every machine, and small matrices are not slower.
    with threadpool_limits(limits=1, user_api="blas"):
        if len(embeddings) > MOST_NODES:
            nearest = kmeans(embeddings, MOST_NODES, rounds=10)
            return _cluster(means(embeddings, nearest), np.bincount(nearest), speakers)[nearest]
        return _cluster(embeddings, np.ones(len(embeddings), np.int64), speakers)


def means(embeddings: Floats, labels: Labels) -> Floats:
    """Give the direction of the mean of each label's embeddings; labels are 0, 1, … without a gap."""
    return unit(np.stack([embeddings[labels == number].mean(axis=0) for number in range(int(labels.max()) + 1)]))


def _cluster(nodes: Floats, weights: Labels, speakers: int | None) -> Labels:
    if len(nodes) < 2 * FEWEST_WINDOWS or speakers == 1:
        return _few(nodes, speakers)
    if speakers is not None:
        return _spectral(nodes, speakers)
    labels = _split(nodes, weights, _spectral(nodes, None))
    return _merged(nodes, weights, labels)


def _few(nodes: Floats, speakers: int | None) -> Labels:
    """Too little to count voices in: one, or as many as are said to be there."""
    wanted = min(speakers or 1, len(nodes))
    return kmeans(nodes, wanted) if wanted > 1 else np.zeros(len(nodes), np.int64)


def _spectral(nodes: Floats, count: int | None) -> Labels:
    """Cluster the best graph's spectrum into ``count`` parts, or into as many as its largest eigengap says."""
    from scipy.linalg import eigh  # noqa: PLC0415 - takes a while to load

    best, wanted = np.inf, count or 1
    laplacian = np.zeros((len(nodes), len(nodes)))
    most = min(MOST_SPEAKERS, len(nodes) - 1)
    for neighbours, candidate in _graphs(nodes):
        values = eigh(candidate, eigvals_only=True, check_finite=False)
        gaps = np.diff(values[: most + 1]) / max(values[-1], 1e-9)
        widest = int(gaps.argmax()) if count is None else min(count, len(gaps)) - 1
        score = neighbours / max(gaps[widest], 1e-9)
        if score < best:
            best, laplacian, wanted = score, candidate, widest + 1 if count is None else count
    wanted = min(wanted, len(nodes))
    if wanted == 1:
        return np.zeros(len(nodes), np.int64)
    _, vectors = eigh(laplacian, subset_by_index=[0, wanted - 1], check_finite=False)
    return kmeans(vectors.astype(np.float32), wanted)


def _graphs(nodes: Floats) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield numbers of neighbours and the Laplacians of their graphs."""
    size = len(nodes)
    order = np.argsort(-(nodes @ nodes.T), axis=1, kind="stable")
    most = max(2, int(size * _MOST_NEIGHBOURS))
    for neighbours in sorted({round(n) for n in np.linspace(min(6, most), most, _TRIED_NEIGHBOURS)}):
        graph = np.zeros((size, size))
        np.put_along_axis(graph, order[:, :neighbours], 1.0, axis=1)
        graph = (graph + graph.T) / 2
        np.fill_diagonal(graph, 0.0)
        yield neighbours, np.diag(graph.sum(axis=1)) - graph


def _split(nodes: Floats, weights: Labels, labels: Labels) -> Labels:
    """Halve voices, as long as the halves are clearly unlike."""
    waiting = list(range(int(labels.max()) + 1))
    while waiting and labels.max() + 1 < MOST_SPEAKERS:
        members = np.flatnonzero(labels == waiting.pop())
        if len(members) < 2 * FEWEST_WINDOWS:
            continue
        halves = _spectral(nodes[members], 2)
        if np.bincount(halves, weights[members], minlength=2).min() < FEWEST_WINDOWS:
            continue
        one, other = means(nodes[members], halves)
        if one @ other < SPLIT_COSINE:
            labels = labels.copy()
            labels[members[halves == 1]] = labels.max() + 1
            waiting += [int(labels[members[0]]), int(labels.max())]
    return labels


def _merged(nodes: Floats, weights: Labels, labels: Labels) -> Labels:
    """Merge voices that are too alike, then give away those that hardly speak."""
    while labels.max() > 0:
        centres = means(nodes, labels)
        alike = centres @ centres.T
        np.fill_diagonal(alike, -1.0)
        spoken = np.bincount(labels, weights)
        one, other = divmod(int(alike.argmax()), len(alike))
        if alike[one, other] < MERGE_COSINE:
            one = int(spoken.argmin())
            if spoken[one] >= FEWEST_WINDOWS:
                break
            other = int(alike[one].argmax())
        labels = np.where(labels == max(one, other), min(one, other), labels)
        labels = np.where(labels > max(one, other), labels - 1, labels)
    return labels
