"""How many voices are found among embeddings, and which is whose."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.pipelines.speakers.clustering import MOST_NODES, cluster
from worker.pipelines.speakers.embeddings import SIZE, unit


def voices(counts: list[int], seed: int = 0) -> NDArray[np.float32]:
    """Make embeddings as CAM++ makes them: 0.64 alike within a voice, 0.4 among voices."""
    draw = np.random.default_rng(seed)
    common = unit(draw.normal(size=SIZE).astype(np.float32))
    own = unit(draw.normal(size=(len(counts), SIZE)).astype(np.float32))
    which = np.repeat(np.arange(len(counts)), counts)
    noise = unit(draw.normal(size=(len(which), SIZE)).astype(np.float32))
    return unit(np.sqrt(0.4) * common + np.sqrt(0.24) * own[which] + np.sqrt(0.36) * noise)


@pytest.mark.parametrize("counts", [[40], [30, 30], [60, 12], [20, 25, 30], [20, 20, 20, 20], [25] * 8])
def test_voices_are_counted_and_kept_apart(counts: list[int]) -> None:
    labels = cluster(voices(counts))
    borders = np.cumsum([0, *counts])
    assert len(set(labels.tolist())) == len(counts)
    assert all(len(set(labels[start:end].tolist())) == 1 for start, end in pairwise(borders.tolist()))


def test_more_embeddings_than_a_graph_may_hold_are_put_together_first() -> None:
    counts = [MOST_NODES, MOST_NODES // 2, 40]
    labels = cluster(voices(counts))
    assert sorted(np.bincount(labels).tolist()) == sorted(counts)


def test_as_many_voices_are_found_as_are_said_to_be_there() -> None:
    assert [len(set(cluster(voices([30, 30]), wanted).tolist())) for wanted in (1, 2, 3)] == [1, 2, 3]


def test_little_speech_is_one_voice_unless_it_is_said_to_be_more() -> None:
    assert cluster(voices([1])).tolist() == [0]
    assert cluster(voices([3])).tolist() == [0, 0, 0]
    assert len(set(cluster(voices([2, 2]), 2).tolist())) == 2
    assert len(set(cluster(voices([1]), 4).tolist())) == 1


def test_embeddings_that_are_all_the_same_are_one_voice() -> None:
    assert set(cluster(np.repeat(voices([1]), 50, axis=0)).tolist()) == {0}


def test_the_same_embeddings_give_the_same_labels() -> None:
    given = voices([60, 80, 20])
    assert cluster(given).tolist() == cluster(given).tolist()
