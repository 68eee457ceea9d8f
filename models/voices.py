"""pyannote.audio's speaker diarization on our embedding: the heavy half of the diarizer.

A segmentation model, the CAM++ network and how to cluster go in; a pyannote pipeline comes out that tells voices apart
in a waveform in memory. It stands alone because importing it imports torch, torchaudio and pyannote.audio, which takes
seconds: only :mod:`models.diarization` does, when an engine is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio import Model
from pyannote.audio.core.plda import PLDA
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.pipelines.clustering import BaseClustering
from pyannote.core import Annotation, Segment, SlidingWindow, SlidingWindowFeature
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchaudio.compliance import kaldi

from models.campplus import DIMENSION, MEL_BINS, CamPlusPlus
from models.segmentation import WINDOW_S, segment_windows
from pipeline.ports import SAMPLE_RATE, Waveform

Hook = Callable[..., None]
"""pyannote's: called with the step's name, what it made so far, and ``completed`` of ``total``."""

_FEATURE_SHIFT: Final = 160
"""Samples between two feature frames: 10 ms."""

_FEATURE_TAIL: Final = 240
"""Samples by which the last feature frame of a block reaches over its end: 25 ms less the shift."""

FRAMES_A_SECOND: Final = 50
"""The network halves the rate of its features."""

WINDOW: Final = 500
"""Frames in a window of the segmentation model: 10 s."""

BLOCK: Final = 250
"""Frames that the network hears at once: 5 s. In longer ones, voices that follow each other colour one another."""

_FRAME_START_S: Final = 0.0125
"""Middle of the first frame."""

_LEAST_CLEAN_FRAMES: Final = 25
"""Half a second: with less of a voice alone, what it says while others speak is heard as well."""


MOMENT: Final = 10
"""Frames between two moments that are compared with the voices: 200 ms."""

_AROUND: Final = 75
"""Frames that are heard around such a moment: 1.5 s."""

_CLEARLY: Final = 0.2
"""By so much must another voice be nearer, in cosine, to take a moment over."""

_REASSIGNED_FRAMES: Final = 30
"""For so many of the segmentation's frames at a stretch: half a second."""

_SURELY: Final = 0.05
"""By so much, in cosine, a moment must be nearer to a voice than to any other to say how that voice sounds."""

_LEAST_MOMENTS: Final = 5
"""A voice with fewer such moments stays as it was."""

_ROUNDS: Final = 5
"""So often the voices are made anew of the moments nearest to them; after that, hardly any moment changes sides."""

_TRUSTED_S: Final = 2.0
"""Seconds alone from which a speaker of a window helps to say what voices there are: pyannote's fifth of the window."""

_MOST_VECTORS: Final = 3000
"""So many embeddings at most say what voices there are, since memory grows by their square; windows are passed over."""

_AT_ONCE: Final = 1000
"""So many embeddings are worked on at once: those of hours, in double precision, would take more than the networks."""

_APART: Final = 2.0
"""The distance of two embeddings that point opposite ways: as far apart as can be."""

_MIXED: Final = 0.8
"""A voice this like a mixture of two others, in cosine, is nobody else: speakers of windows in which two people change
so often that they were taken for one. Somebody else's is at most 0.76."""

_ONE_AND_THE_SAME: Final = 0.99
"""Of two voices more alike than this, in cosine, there is no mixture to speak of."""

_CHANGING_S: Final = 4.5
"""Voices change quickly where each is the nearest for less than this at a stretch, in the mean: at most 3.2 s where
turns last one to eight seconds, 7 s and more where they last at least five."""

_TORN: Final = 0.6
"""Where voices change quickly, two this alike, in cosine, are one person: what is heard of each at a time is too little
to sound the same every time."""

_UNLIKE: Final = 0.45
"""Whoever is less like every voice than this, in cosine, is somebody else: from half a second alone, one of the voices
lies above, another at about 0.25."""

_ALIKE: Final = 0.5
"""Average distance up to which two such speakers are one: heard so briefly, a voice is less like itself."""

_SHORTEST_SHARE: Final = 1 / 60
"""What share of a short recording makes a voice of somebody who speaks little."""

_MORE_GROUPS: Final = 500
"""So many small groups are set aside at most while looking for a given number of voices."""


class VoiceEmbedding(Model):
    """CAM++ as pyannote.audio wants an embedding: waveforms and weights in, one embedding each out."""

    def __init__(self, network: CamPlusPlus) -> None:
        super().__init__(sample_rate=SAMPLE_RATE, num_channels=1)
        self.network = network
        self.specifications = Specifications(
            problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=WINDOW / FRAMES_A_SECOND
        )
        self.eval()

    @property
    def dimension(self) -> int:
        """Numbers in an embedding."""
        return DIMENSION

    def forward(self, waveforms: Tensor, weights: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Map waveforms (batch, 1, samples) to embeddings (batch, dimension).

        Args:
            waveforms: At least 25 ms each.
            weights: How much each stretch of a waveform counts, (batch, stretches) at any rate; equally when absent.
        """
        frames = self.frames(waveforms[:, 0])
        if weights is not None:
            weights = torch.nn.functional.interpolate(weights[:, None], size=frames.shape[-1], mode="nearest")[:, 0]
        return self.network.pool(frames, weights)

    def frames(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to what the network hears in them, (batch, 512, frames)."""
        features = torch.stack([filterbank(waveform) for waveform in waveforms])
        return self.network.trunk(features - features.mean(dim=1, keepdim=True))


def filterbank(waveform: Tensor) -> Tensor:
    """Return the Kaldi log mel filterbank of a waveform (samples,): (frames, mel), 10 ms a frame."""
    features: Tensor = kaldi.fbank(waveform[None], num_mel_bins=MEL_BINS, sample_frequency=SAMPLE_RATE)
    return features


class FrameReader:
    """What the network hears in a recording, worked out once, block by block, and forgotten once passed by.

    Hearing every window of an overlapping sequence anew costs several times as much and tells voices apart no better.

    Args:
        embedding: The network.
        waveform: The whole recording.
        batch: Blocks heard at once.
        pool: Hears ahead of what is read.
        ahead: Batches heard ahead, side by side.
    """

    def __init__(
        self, embedding: VoiceEmbedding, waveform: Waveform, batch: int, pool: ThreadPoolExecutor, ahead: int
    ) -> None:
        self._embedding = embedding
        self._waveform = waveform
        self._pool = pool
        self._size = batch * BLOCK
        self._ahead = ahead
        features = max(0, 1 + (len(waveform) - _FEATURE_SHIFT - _FEATURE_TAIL) // _FEATURE_SHIFT)
        self.length = features // 2
        """Frames in the recording."""
        self._heard: dict[int, Future[Tensor]] = {}

    def read(self, first: int, last: int) -> Tensor:
        """Return frames ``first`` to before ``last``, (512, frames), fewer at the end; ``first`` never goes back."""
        last = min(last, self.length)
        if first >= last:
            return torch.zeros((0, 0), device=self._embedding.device)
        needed = range(first // self._size, (last - 1) // self._size + 1)
        self._heard = {number: heard for number, heard in self._heard.items() if number >= needed.start}
        for number in range(needed.start, min(needed.stop + self._ahead, -(-self.length // self._size))):
            if number not in self._heard:
                self._heard[number] = self._pool.submit(self._hear, number)
        heard = torch.cat([self._heard[number].result() for number in needed], dim=-1)
        return heard[:, first - needed.start * self._size : last - needed.start * self._size]

    def _hear(self, number: int) -> Tensor:
        """Return what is heard in a batch of blocks, (512, frames)."""
        firsts = range(number * self._size, min((number + 1) * self._size, self.length), BLOCK)
        # The last block reaches back to be whole: a short one would be normalised by too little sound.
        starts = [max(0, min(first, self.length - BLOCK)) for first in firsts]
        size = min(self.length, BLOCK) * 2 * _FEATURE_SHIFT + _FEATURE_TAIL
        offsets = [start * 2 * _FEATURE_SHIFT for start in starts]
        sounds = [torch.from_numpy(self._waveform[offset : offset + size]) for offset in offsets]
        with torch.inference_mode():
            heard = self._embedding.frames(torch.stack(sounds).to(self._embedding.device))
        return torch.cat(
            [block[:, first - start :] for first, start, block in zip(firsts, starts, heard, strict=True)], dim=-1
        )


class VoiceClustering(BaseClustering):
    """Groups the embeddings of a recording into voices.

    Agglomerative clustering by the average of all cosine distances between two groups, in which two speakers of one
    window are never the same voice. A group is a voice of its own when it is heard for long enough. A window's speaker
    may be two people taken for one, and a voice made of such would sound like both: so a voice that is a mixture of
    two others is left out, and voices are made anew of the moments nearest to them. Where voices change quickly, two
    that are much alike are one person. In a short recording somebody may
    say one word: a speaker of a window who is unlike every voice is one more. Every speaker of every window then goes
    to the nearest voice, two speakers of one window to two voices.

    Args:
        threshold: Average distance up to which two groups are one voice, 0 to 2.
        shortest_s: Seconds that a voice must be heard alone to be one; in recordings of less than sixty times that,
            a sixtieth of their length, but at least half a second.
    """

    expects_num_clusters = False

    def __init__(self, threshold: float, shortest_s: float) -> None:
        super().__init__(metric="cosine")
        self._threshold = threshold
        self._shortest_s = shortest_s
        self.moments = np.zeros((0, DIMENSION), dtype=np.float32)
        """What to know of the recording besides: how its moments sound, (moments, dimension); not a number where nobody
        speaks alone."""

        self.voices = np.zeros((1, DIMENSION))
        """The centroids of the recording last seen, (voices, dimension), of length 1."""

    def __call__(  # type: ignore[override]
        self,
        embeddings: NDArray[np.float32],
        segmentations: SlidingWindowFeature | None = None,
        num_clusters: int | None = None,
        min_clusters: int | None = None,
        max_clusters: float | None = None,
        **_: object,
    ) -> tuple[NDArray[np.int64], None, NDArray[np.float64]]:
        """Return the voice of each speaker of each window, (windows, speakers), nothing, and each voice's centroid.

        A speaker without an embedding gets -2, which pyannote takes for none. Overrides pyannote's, which declares less
        than it returns.
        """
        assert segmentations is not None  # noqa: S101 - pyannote always gives them
        alone_s = _seconds_alone(segmentations)
        window, speaker = _trusted(embeddings, alone_s)
        every = -(-len(window) // _MOST_VECTORS)
        if every > 1:
            window, speaker = window[window % every == 0], speaker[window % every == 0]
        if not len(window):
            self.voices = np.zeros((1, embeddings.shape[2]))
            return np.zeros(embeddings.shape[:2], dtype=np.int64), None, self.voices
        # Windows overlap, so each second is heard in several; those passed over count with those looked at.
        share = every * segmentations.sliding_window.step / segmentations.sliding_window.duration
        evidence_s = alone_s[window, speaker] * share
        least, most = num_clusters or min_clusters or 1, num_clusters or max_clusters or np.inf
        vectors = _unit(embeddings[window, speaker])
        groups = self._group(vectors, window, evidence_s, least, most)
        members = [groups == group for group in range(groups.max() + 1)]
        voices = _unmixed(_unit(np.stack([evidence_s[m] @ vectors[m] for m in members])), least)
        voices = _unmixed(_purified(voices, self.moments), least)
        voices = _mended(voices, self.moments, least)
        shortest_s = self._shortest_in(segmentations)
        brief_s = np.where(np.arange(len(alone_s))[:, None] % every == 0, alone_s, 0.0)
        brief = _unlike_all(embeddings, brief_s, voices, shortest_s)
        self.voices = np.concatenate([voices, brief[: int(min(most - len(voices), len(brief)))]])
        return _nearest(embeddings, self.voices), None, self.voices

    def _shortest_in(self, segmentations: SlidingWindowFeature) -> float:
        """Return for how many seconds somebody unlike every voice must be heard alone in a window to be one more."""
        length_s: float = segmentations.sliding_window[len(segmentations.data) - 1].end
        return min(self._shortest_s, max(_LEAST_CLEAN_FRAMES / FRAMES_A_SECOND, length_s * _SHORTEST_SHARE))

    def forget(self) -> None:
        """Let go of what is known of a recording."""
        self.moments = np.zeros((0, DIMENSION), dtype=np.float32)
        self.voices = np.zeros((1, DIMENSION))

    def _group(
        self,
        vectors: NDArray[np.float64],
        window: NDArray[np.intp],
        seconds: NDArray[np.float64],
        least: float,
        most: float,
    ) -> NDArray[np.int64]:
        """Return the voice of each vector, from 0, or -1 where its group is too small to be one."""
        if len(vectors) == 1:
            return np.zeros(1, dtype=np.int64)
        tree = linkage(_distances(vectors, window), method="average")
        found = _voices(fcluster(tree, self._threshold, criterion="distance"), seconds, self._shortest_s)
        number = found.max() + 1
        if least <= number <= most:
            return found
        wanted = int(least if number < least else most)
        return _cut_into(tree, wanted, seconds, self._shortest_s)


def _distances(vectors: NDArray[np.float64], window: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return 1 less the cosine of every pair in scipy's order, as far as can be where both are of one window.

    Without the square of all distances, of which half would be thrown away.
    """
    rows = []
    for first in range(0, len(vectors), _AT_ONCE):
        block = vectors[first : first + _AT_ONCE] @ vectors[first:].T
        # Two equal vectors may come out a rounding error closer than they can be.
        np.maximum(0.0, np.subtract(1.0, block, out=block), out=block)
        block[window[first : first + _AT_ONCE, None] == window[first:]] = _APART
        rows.append(np.concatenate([row[place + 1 :] for place, row in enumerate(block)]))
    return np.concatenate(rows)


def _purified(voices: NDArray[np.float64], moments: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the voices, (voices, dimension), each made anew of the moments that are surely nearer to it."""
    if len(voices) == 1:
        return voices
    for _ in range(_ROUNDS):
        sums, numbers = np.zeros_like(voices), np.zeros(len(voices), dtype=np.int64)
        for heard in _unit_blocks(moments):
            likeness = heard @ voices.T
            second, best = np.partition(likeness, -2, axis=1)[:, -2:].T
            nearest = np.where(best - second >= _SURELY, likeness.argmax(axis=1), -1)
            own = nearest == np.arange(len(voices))[:, None]
            sums += own @ heard
            numbers += own.sum(axis=1)
        enough = numbers >= _LEAST_MOMENTS
        voices = voices.copy()
        voices[enough] = _unit(sums[enough])
    return voices


def _unmixed(voices: NDArray[np.float64], least: int) -> NDArray[np.float64]:
    """Return the voices, (voices, dimension), without those that mix two others; at least so many."""
    while len(voices) > max(2, least):
        likeness = _likeness_to_mixtures(voices)
        if likeness.max() < _MIXED:
            break
        # One at a time: without a mixture, what it had a share in may be none.
        voices = np.delete(voices, likeness.argmax(), axis=0)
    return voices


def _likeness_to_mixtures(voices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine of each voice with that mixture of two others that is most like it; 0 where none is like it."""
    alike = voices @ voices.T
    found = np.zeros(len(voices))
    for voice in range(len(voices)):
        others = np.delete(np.arange(len(voices)), voice)
        near, between = alike[others, voice], alike[np.ix_(others, others)]
        # The voice's shadow on the plane of two others lies between them where it takes something of both.
        share, other_share = near[:, None] - between * near, near - between * near[:, None]
        mixes = (share > 0) & (other_share > 0) & (between < _ONE_AND_THE_SAME)
        squares = (near[:, None] * share + near * other_share)[mixes] / (1 - between[mixes] ** 2)
        found[voice] = np.sqrt(squares.max(initial=0.0))
    return found


def _mended(voices: NDArray[np.float64], moments: NDArray[np.float32], least: int) -> NDArray[np.float64]:
    """Return the voices, (voices, dimension), one for each person where they change quickly; at least so many."""
    if len(voices) <= max(2, least) or _mean_stretch_s(voices, moments) >= _CHANGING_S:
        return voices
    while len(voices) > max(2, least):
        alike = np.triu(voices @ voices.T, 1)
        if alike.max() < _TORN:
            break
        one, other = np.unravel_index(alike.argmax(), alike.shape)
        voices = voices.copy()
        voices[one] = _unit(voices[one] + voices[other])
        # Moments that lay between the two say now how the one sounds.
        voices = _purified(np.delete(voices, other, axis=0), moments)
    return voices


def _mean_stretch_s(voices: NDArray[np.float64], moments: NDArray[np.float32]) -> float:
    """Return for how long, in the mean, one voice stays the nearest to the moments; for ever where there are none."""
    nearest = np.concatenate([(heard @ voices.T).argmax(axis=1) for heard in _unit_blocks(moments)] or [np.zeros(0)])
    stretches = 1 + np.count_nonzero(np.diff(nearest))
    return len(nearest) / stretches * MOMENT / FRAMES_A_SECOND if len(nearest) else np.inf


def _unlike_all(
    embeddings: NDArray[np.float32], alone_s: NDArray[np.float64], voices: NDArray[np.float64], shortest_s: float
) -> NDArray[np.float64]:
    """Return the voices, (voices, dimension), of speakers of windows who are like none given, the longest first."""
    window, speaker = np.nonzero((alone_s >= shortest_s) & ~np.isnan(embeddings[:, :, 0]))
    heard = _unit(embeddings[window, speaker])
    unlike = (heard @ voices.T).max(axis=1, initial=-1.0) < _UNLIKE
    vectors: NDArray[np.float64] = heard[unlike]
    window, seconds = window[unlike], alone_s[window, speaker][unlike]
    if len(vectors) < 2:
        return vectors
    groups = fcluster(linkage(_distances(vectors, window), method="average"), _ALIKE, criterion="distance")
    totals = np.bincount(groups, weights=seconds)[1:]
    found = np.stack([seconds[groups == group] @ vectors[groups == group] for group in np.unique(groups)])
    return _unit(found[np.argsort(-totals, kind="stable")])


def _unit_blocks(moments: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
    """Yield the moments in which somebody speaks alone, of length 1, some at once."""
    for first in range(0, len(moments), _AT_ONCE):
        block = moments[first : first + _AT_ONCE]
        yield _unit(block[~np.isnan(block[:, 0])])


def _likeness(moments: NDArray[np.float32], voices: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the cosine of each moment with each voice, (moments, voices); not a number where nobody speaks alone."""
    found = np.empty((len(moments), len(voices)), dtype=np.float32)
    for first in range(0, len(moments), _AT_ONCE):
        block = moments[first : first + _AT_ONCE]
        found[first : first + _AT_ONCE] = block @ voices.astype(np.float32).T
        found[first : first + _AT_ONCE] /= np.linalg.norm(block, axis=1, keepdims=True)
    return found


def _seconds_alone(segmentations: SlidingWindowFeature) -> NDArray[np.float64]:
    """Return for how long each speaker of each window speaks with nobody else, (windows, speakers)."""
    activities = segmentations.data
    alone = activities * (activities.sum(axis=2, keepdims=True) == 1)
    seconds: NDArray[np.float64] = alone.mean(axis=1) * segmentations.sliding_window.duration
    return seconds


def _unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    vectors = vectors.astype(np.float64)
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


def _trusted(
    embeddings: NDArray[np.float32], alone_s: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which windows' speakers are heard well enough to say what voices there are."""
    heard = ~np.isnan(embeddings).any(axis=-1)
    longest_s = alone_s[heard].max(initial=0.0)
    window, speaker = np.nonzero(heard & (alone_s >= min(_TRUSTED_S, longest_s / 2)))
    return window, speaker


def _voices(labels: NDArray[Any], seconds: NDArray[np.float64], shortest_s: float) -> NDArray[np.int64]:
    """Number the groups that are heard for long enough from 0, in order of first window; -1 for the others."""
    totals = np.bincount(labels, weights=seconds)
    enough = totals >= min(shortest_s, totals.max())
    numbers = {group: number for number, group in enumerate(dict.fromkeys(labels[enough[labels]].tolist()))}
    return np.array([numbers.get(group, -1) for group in labels.tolist()], dtype=np.int64)


def _cut_into(
    tree: NDArray[np.float64], wanted: int, seconds: NDArray[np.float64], shortest_s: float
) -> NDArray[np.int64]:
    """Cut the tree where it has that many voices, short ones too when there are not enough long ones."""
    for groups in range(wanted, min(len(seconds), wanted + _MORE_GROUPS) + 1):
        found = _voices(fcluster(tree, groups, criterion="maxclust"), seconds, shortest_s)
        if found.max() + 1 == wanted:
            return found
    return _voices(fcluster(tree, wanted, criterion="maxclust"), seconds, 0.0)


def _nearest(embeddings: NDArray[np.float32], voices: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the voice of each speaker of each window, two speakers of one window to two voices while there are."""
    found = np.full(embeddings.shape[:2], -2, dtype=np.int64)
    for window, vectors in enumerate(embeddings):
        likeness = _unit(vectors) @ voices.T
        heard = np.flatnonzero(~np.isnan(likeness[:, 0]))
        found[window, heard] = likeness[heard].argmax(axis=1)
        rows, columns = linear_sum_assignment(likeness[heard], maximize=True)
        found[window, heard[rows]] = columns
    return found


class _NoPlda(PLDA):
    """Stands where pyannote insists on a PLDA that agglomerative clustering never asks."""

    def __init__(self) -> None:
        pass


class VoiceDiarization(SpeakerDiarization):
    """pyannote's speaker diarization, hearing the recording once for all windows and speakers.

    Where one speaker is followed by another at once, the segmentation model may take both for one; the whole window's
    speaker would then go to one voice. So each 200 ms are compared with the voices too, by the 1.5 s around them, and
    go to another voice where it is clearly the nearer for half a second.
    """

    def __init__(
        self,
        segmentation: PyanNet,
        network: CamPlusPlus,
        clustering: VoiceClustering,
        *,
        step: float,
        onset: float,
        windows: int,
        blocks: int,
        workers: int,
    ) -> None:
        super().__init__(
            segmentation=segmentation,
            segmentation_step=step,
            segmentation_batch_size=windows,
            embedding=VoiceEmbedding(network),
            embedding_batch_size=blocks,
            plda=_NoPlda(),
            clustering="AgglomerativeClustering",
        )
        self.clustering = clustering
        self._onset = onset
        self._workers = workers

    def apply(self, *given: Any, **options: Any) -> Any:  # noqa: ANN401 - pyannote's
        """Tell the voices apart, and keep nothing of the recording."""
        try:
            return super().apply(*given, **options)
        finally:
            self.clustering.forget()

    def prepare_one(self, file: Any, preload: bool = False) -> Mapping[str, Any]:  # noqa: ANN401, ARG002 - as pyannote's
        """Return the recording as it is; pyannote would want all of its samples in memory."""
        return cast("Mapping[str, Any]", file)

    def get_segmentations(self, file: Mapping[str, Any], hook: Hook | None = None) -> SlidingWindowFeature:
        """Return which speakers of each window are heard when, (windows, frames, speakers).

        Overrides pyannote's, which filters the sound of overlapping windows again for each, on one core, and takes the
        likeliest class of each frame: this network is slow to believe that somebody speaks.
        """

        def tell(done: int, windows: int) -> None:
            if hook is not None:
                hook("segmentation", None, total=windows, completed=done)

        windows = SlidingWindow(start=0.0, duration=WINDOW_S, step=self.segmentation_step * WINDOW_S)
        activities = segment_windows(
            self._segmentation.model,
            file["waveform"],
            step=round(windows.step * SAMPLE_RATE),
            onset=self._onset,
            batch=self.segmentation_batch_size,
            workers=self._workers,
            progress=tell,
        )
        return SlidingWindowFeature(activities, windows)

    def get_embeddings(
        self,
        file: Mapping[str, Any],
        binary_segmentations: SlidingWindowFeature,
        exclude_overlap: bool = False,  # noqa: ARG002 - pyannote's signature; overlap is always left out
        hook: Hook | None = None,
    ) -> NDArray[np.float32]:
        """Return the embedding of every speaker of every window, (windows, speakers, dimension).

        Not a number where a speaker is silent. Overrides pyannote's, which hears each window once for each speaker.
        """
        activities = binary_segmentations.data
        step = round(binary_segmentations.sliding_window.step * FRAMES_A_SECOND)
        found = np.full((*activities.shape[:1], activities.shape[2], DIMENSION), np.nan, dtype=np.float32)
        positions = self._positions(activities.shape[1])
        network, waveform, batch = self._embedding.model_, file["waveform"], self.embedding_batch_size
        with torch.inference_mode(), ThreadPoolExecutor(self._workers) as pool:
            reader = FrameReader(network, waveform, batch, pool, self._workers)
            self.clustering.moments = np.full((reader.length // MOMENT + 1, DIMENSION), np.nan, dtype=np.float32)
            for number, activity in enumerate(activities):
                frames = reader.read(number * step, number * step + WINDOW)
                active = activity[positions[: frames.shape[-1]]].astype(np.float32)
                found[number] = self._embed_speakers(frames, active)
                self._embed_moments(frames, active, number * step)
                if hook is not None:
                    hook("embeddings", None, total=len(activities), completed=number + 1)
        return found

    def _positions(self, size: int) -> NDArray[np.intp]:
        """Return, for each frame of a window, which of the segmentation's frames lies nearest."""
        field = self._segmentation.model.receptive_field
        seconds = _FRAME_START_S + np.arange(WINDOW) / FRAMES_A_SECOND
        nearest = np.rint((seconds - field.start - field.duration / 2) / field.step)
        positions: NDArray[np.intp] = np.clip(nearest, 0, size - 1).astype(np.intp)
        return positions

    def _embed_speakers(self, frames: Tensor, active: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an embedding for each column of an activity (frames, speakers)."""
        if not len(active):
            return np.full((active.shape[1], DIMENSION), np.nan, dtype=np.float32)
        clean = active * (active.sum(axis=1, keepdims=True) == 1)
        used = np.where(clean.sum(axis=0) >= _LEAST_CLEAN_FRAMES, clean, active)
        return self._pool(frames.expand(used.shape[1], -1, -1), used.T)

    def _embed_moments(self, frames: Tensor, active: NDArray[np.float32], start: int) -> None:
        """Embed what lies around each moment of the window that no window has embedded yet."""
        moments = self.clustering.moments
        alone = (active.sum(axis=1) == 1).astype(np.float32)
        first = -(-(start + _AROUND // 2) // MOMENT)
        last = (start + len(active) - _AROUND + _AROUND // 2) // MOMENT
        new = [moment for moment in range(first, last + 1) if np.isnan(moments[moment, 0])]
        around = {
            moment: slice(moment * MOMENT - start - _AROUND // 2, moment * MOMENT - start + _AROUND - _AROUND // 2)
            for moment in new
        }
        kept = {moment: part for moment, part in around.items() if alone[part].sum() >= _LEAST_CLEAN_FRAMES}
        if kept:
            sound = torch.stack([frames[:, part] for part in kept.values()])
            moments[list(kept)] = self._pool(sound, np.stack([alone[part] for part in kept.values()]))

    def _pool(self, frames: Tensor, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        network = self._embedding.model_.network
        pooled: NDArray[np.float32] = network.pool(frames, torch.from_numpy(weights).to(frames.device)).cpu().numpy()
        return pooled

    def reconstruct(
        self, segmentations: SlidingWindowFeature, hard_clusters: NDArray[np.int64], count: SlidingWindowFeature
    ) -> SlidingWindowFeature:
        """Return who is heard in each frame of the recording.

        Overrides pyannote's, in which all that a speaker of a window says goes to one voice, and which holds what every
        voice says in every window in memory at once.
        """
        windows, frames = segmentations.sliding_window, count.sliding_window
        likeness = _likeness(self.clustering.moments, self.clustering.voices)
        size = segmentations.data.shape[1]
        seconds = np.arange(size) * frames.step
        heard = np.zeros((len(count.data), max(hard_clusters.max() + 1, count.data.max())), dtype=np.int8)
        for number, (voices, activity) in enumerate(zip(hard_clusters, segmentations.data, strict=True)):
            moments = (number * windows.step + seconds) * FRAMES_A_SECOND / MOMENT
            near = likeness[np.clip(np.rint(moments), 0, len(likeness) - 1).astype(np.intp)]
            here = np.zeros((size, heard.shape[1]), dtype=np.int8)
            for speaker in np.flatnonzero(voices >= 0):
                who = _reassign(activity, speaker, voices[speaker], near)
                for voice in np.unique(who):
                    spoken = np.where(who == voice, activity[:, speaker], 0).astype(np.int8)
                    here[:, voice] = np.maximum(here[:, voice], spoken)
            first = frames.closest_frame(windows[number].start + 0.5 * frames.duration)
            heard[first : first + size] += here
        return SlidingWindowFeature(_loudest(heard, count.data), frames)

    @staticmethod
    def to_annotation(
        discrete_diarization: SlidingWindowFeature,
        min_duration_on: float = 0.0,  # noqa: ARG004 - pyannote's signature; nothing is too short to be heard
        min_duration_off: float = 0.0,
    ) -> Annotation:
        """Return the stretches in which each voice is heard, without pauses of up to that many seconds.

        Overrides pyannote's, which looks at one frame of one voice after the other: as long as a tenth of all the rest.
        """
        frames, found = discrete_diarization.sliding_window, Annotation()
        last = len(discrete_diarization.data) - 1
        for voice, heard in enumerate(discrete_diarization.data.T):
            edges = np.flatnonzero(np.diff(heard, prepend=0, append=0)).tolist()
            for start, end in zip(edges[::2], edges[1::2], strict=True):
                found[Segment(frames[start].middle, frames[min(end, last)].middle), voice] = voice
        return found.support(collar=min_duration_off)


def _loudest(heard: NDArray[np.int8], count: NDArray[Any]) -> NDArray[np.int8]:
    """Mark as many voices of each frame as speak in it, those that most windows heard; (frames, voices), 0 or 1.

    Of two that as many windows heard, the one with the lower number.
    """
    marked, left = np.zeros_like(heard), heard.copy()
    for place in range(count.max()):
        best = left.argmax(axis=1)[:, None]
        np.put_along_axis(marked, best, place < count, axis=1)
        np.put_along_axis(left, best, -1, axis=1)
    return marked


def _reassign(
    activity: NDArray[Any], speaker: np.intp, voice: np.int64, likeness: NDArray[np.floating[Any]]
) -> NDArray[np.int64]:
    """Return the voice of a speaker of a window in each frame: mostly the one given."""
    who = np.full(len(activity), voice)
    known = np.nan_to_num(likeness, nan=-1.0)
    best = known.argmax(axis=1)
    alone = (activity[:, speaker] > 0) & (activity.sum(axis=1) == 1)
    better = np.where(alone & (known.max(axis=1) - known[:, voice] > _CLEARLY), best, -1)
    edges = np.flatnonzero(np.diff(better, prepend=-2, append=-2))
    for first, last in pairwise(edges):
        if better[first] >= 0 and last - first >= _REASSIGNED_FRAMES:
            who[first:last] = better[first]
    return who
