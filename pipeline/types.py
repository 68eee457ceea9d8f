"""The values that travel between the stages.

Every stage takes some of these and returns others; none of them touches disk or network. All are frozen, slotted,
keyword-only dataclasses that hold tuples and check themselves when made, so a value that exists is a valid one.
Times are ``int`` milliseconds named ``*_ms``, measured from the start of the video (of the audio where there is no
video). They stand alone so that any room of the house can be read, tested and replaced knowing only this file.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self

from pipeline.web_address import is_web_address

Language = Literal["en", "fr"]
"""A language of the house: of sessions, interfaces and messages. ISO 639-1."""

LANGUAGES: Final[tuple[Language, ...]] = ("en", "fr")

SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
"""What a checksum looks like."""

SESSION_ID_LENGTH: Final = 16
"""Hexadecimal digits of the content's sha256 that make a session id: 64 bits."""

SESSION_ID: Final = re.compile(rf"[0-9a-f]{{{SESSION_ID_LENGTH}}}\Z")
"""What a session id looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An interval of time, closed at the start and open at the end.

    Attributes:
        start_ms: First millisecond, at least 0.
        end_ms: Millisecond after the last, at least ``start_ms``.
    """

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if self.start_ms < 0 or self.end_ms < self.start_ms:
            raise ValueError(f"not an interval: {self.start_ms} to {self.end_ms} ms")

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds."""
        return self.end_ms - self.start_ms

    @property
    def middle_ms(self) -> int:
        """The millisecond half-way through."""
        return (self.start_ms + self.end_ms) // 2

    def overlap_ms(self, other: Span) -> int:
        """Return how long both intervals last together, 0 where they do not meet.

        Example:
            >>> Span(start_ms=0, end_ms=10).overlap_ms(Span(start_ms=4, end_ms=20))
            6
        """
        return max(0, min(self.end_ms, other.end_ms) - max(self.start_ms, other.start_ms))

    def covers(self, ms: int) -> bool:
        """Say whether a moment lies inside."""
        return self.start_ms <= ms < self.end_ms


Timed = Literal["recognised", "aligned", "interpolated"]
"""Where a word's time comes from: it was recognised there, or a person wrote it and it was found in the sound, or a
person wrote it and it was only laid between its neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word(Span):
    """One word, as written, with its punctuation and without spaces around it.

    Attributes:
        text: What is shown; never empty, no white space at either end.
        probability: The recogniser's own, 0 to 1; 1 where a person wrote it.
        language: ISO 639-1 code of the language it was decoded in.
        overlapped: Whether two people spoke at that moment.
        timed: Where its time comes from.
    """

    text: str
    probability: float
    language: str
    overlapped: bool = False
    timed: Timed = "recognised"

    def __post_init__(self) -> None:
        # A slotted dataclass is a new class, so the zero-argument super() would not find the parent.
        Span.__post_init__(self)
        if not self.text or self.text != self.text.strip():
            raise ValueError(f"not a word: {self.text!r}")
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"not a probability: {self.probability}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerSpan(Span):
    """A stretch in which one voice is heard.

    Attributes:
        speaker: The diarizer's label for the voice, stable within a recording.
    """

    speaker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bilingual:
    """A text in one or both languages.

    Attributes:
        en: English, or ``None`` where there is none.
        fr: French, or ``None`` where there is none.
    """

    en: str | None = None
    fr: str | None = None

    def __post_init__(self) -> None:
        if self.en is None and self.fr is None:
            raise ValueError("a text needs at least one language")

    @classmethod
    def same(cls, text: str) -> Self:
        """Make a text that reads the same in both languages: a person's name, say."""
        return cls(en=text, fr=text)

    def get(self, language: Language) -> str:
        """Return the text in that language, or else in the other."""
        return self.find(language)[0]

    def find(self, language: Language) -> tuple[str, Language]:
        """Return the text for a reader of that language, with the language that it is really in.

        Example:
            >>> Bilingual(fr="Bonjour").find("en")
            ('Bonjour', 'fr')
        """
        if language == "en":
            return (self.en, "en") if self.en is not None else (self.fr or "", "fr")
        return (self.fr, "fr") if self.fr is not None else (self.en or "", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone who speaks in a session.

    Attributes:
        name: Full name, the same in both languages.
        role: What they do, where known.
        organisation: Where they do it, where known.
    """

    name: str
    role: Bilingual | None = None
    organisation: Bilingual | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Something on the web that a session speaks of or goes on in.

    Attributes:
        title: What it is called.
        address: Where it is, whole.
    """

    title: Bilingual
    address: str

    def __post_init__(self) -> None:
        if not is_web_address(self.address):
            raise ValueError(f"not an address of the web: {self.address!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """Under which terms others may use a session.

    Attributes:
        name: As it was written: an identifier of SPDX (https://spdx.org/licenses/) or the licence in words.
        address: Where its text is, whole; where somebody said.
    """

    name: Bilingual
    address: str | None = None

    def __post_init__(self) -> None:
        if self.address is not None and not is_web_address(self.address):
            raise ValueError(f"not an address of the web: {self.address!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerCount:
    """How many voices to expect; ``None`` where nobody said.

    Attributes:
        exact: The number, when it is known. Excludes the other two.
        least: At least this many.
        most: At most this many.
    """

    exact: int | None = None
    least: int | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        if any(number is not None and number < 1 for number in (self.exact, self.least, self.most)):
            raise ValueError("a number of speakers is at least 1")
        if self.exact is not None and (self.least is not None or self.most is not None):
            raise ValueError("give either the exact number of speakers or its bounds")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"at least {self.least} speakers is more than at most {self.most}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerTrack:
    """Sound that holds one person, as the details file says.

    Attributes:
        speaker: Their full name.
        file: Name of a file that lies beside the recording and begins with it; ``None`` for a stream.
        stream: 0-based index among the audio streams of the recording; ``None`` for a file.
    """

    speaker: str
    file: str | None = None
    stream: int | None = None

    def __post_init__(self) -> None:
        if (self.file is None) == (self.stream is None):
            raise ValueError("a track is either a file or a stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What was recorded: everything known about it that is not in the sound.

    Attributes:
        id: First 16 hexadecimal digits of the recording's sha256.
        title: Never empty; made from the file name when nobody gave one.
        languages: Languages spoken, the main one first; at least one.
        languages_given: Whether a person named ``languages`` (else they are a default to be checked by ear).
        date: Day of the session.
        programme: The programme it belongs to.
        week: Week of that programme, from 1.
        community: The community of practice that it is for.
        topics: What it is about.
        host: Who led it.
        guests: Who was invited.
        speaker_count: How many voices to expect.
        glossary: Terms to be spelled like this.
        keywords: Words to find it by.
        description: One paragraph.
        rights: Who may do what with it.
        licence: Under which terms.
        resources: What there is to read or look at beside it.
        consent: What those recorded agreed to.
        audio_track: Which audio stream to use: a language or a 0-based index among the audio streams.
        tracks: Who is heard on which track, where each has their own.
    """

    id: str
    title: Bilingual
    languages: tuple[Language, ...]
    languages_given: bool = False
    date: dt.date | None = None
    programme: Bilingual | None = None
    week: int | None = None
    community: Bilingual | None = None
    topics: tuple[Bilingual, ...] = ()
    host: Person | None = None
    guests: tuple[Person, ...] = ()
    speaker_count: SpeakerCount = SpeakerCount()
    glossary: tuple[str, ...] = ()
    keywords: tuple[Bilingual, ...] = ()
    description: Bilingual | None = None
    rights: Bilingual | None = None
    licence: Licence | None = None
    resources: tuple[Resource, ...] = ()
    consent: Bilingual | None = None
    audio_track: Language | int | None = None
    tracks: tuple[SpeakerTrack, ...] = ()

    def __post_init__(self) -> None:
        if not SESSION_ID.match(self.id):
            raise ValueError(f"not a session id: {self.id!r}")
        if not self.languages or len(set(self.languages)) != len(self.languages):
            raise ValueError(f"a session needs its languages, each once: {self.languages}")

    @property
    def language(self) -> Language:
        """The main language."""
        return self.languages[0]

    @property
    def people(self) -> tuple[Person, ...]:
        """Everybody who is known to speak, the host first."""
        return (*((self.host,) if self.host else ()), *self.guests)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFile:
    """One file with one person's sound, dropped together with a recording.

    Attributes:
        path: Where it is now.
        name: As the details file lists it; shown, never used as a path.
        sha256: Of its content.
    """

    path: Path
    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The file that was dropped.

    Attributes:
        path: Where it is now.
        name: The name it was dropped under; shown, never used as a path.
        sha256: Of its content, 64 lower-case hexadecimal digits.
        size: Bytes.
        tracks: The files that its details list, in that order.
    """

    path: Path
    name: str
    sha256: str
    size: int
    tracks: tuple[TrackFile, ...] = ()

    def __post_init__(self) -> None:
        if not SHA256.match(self.sha256):
            raise ValueError(f"not a sha256: {self.sha256!r}")

    @property
    def session_id(self) -> str:
        """The id of the session that this recording is of."""
        return self.sha256[:SESSION_ID_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioStream:
    """One audio stream of a media file.

    Attributes:
        index: 0-based among the audio streams of the file.
        codec: As ffmpeg names it.
        channels: How many.
        sample_rate: Hz.
        language: ISO 639-1 from the language tag, where there is one that means something.
        title: The stream's own title.
        start_ms: When it starts against the file's clock; may be negative.
        default: Whether the file marks it as the default.
        auxiliary: Whether its marks or title say that it is a commentary or a description for the blind.
        layout: Where the channels belong, as ffmpeg names it, e.g. ``5.1``; where known.
    """

    index: int
    codec: str
    channels: int
    sample_rate: int
    language: str | None = None
    title: str | None = None
    start_ms: int = 0
    default: bool = False
    auxiliary: bool = False
    layout: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoStream:
    """The video stream that would be shown: not a cover image.

    Attributes:
        codec: As ffmpeg names it.
        width: Pixels, after rotation.
        height: Pixels, after rotation.
        frame_rate: Frames a second, on average.
        pixel_format: As ffmpeg names it.
        start_ms: When it starts against the file's clock; may be negative.
    """

    codec: str
    width: int
    height: int
    frame_rate: float
    pixel_format: str
    start_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """What probing a file found.

    Attributes:
        path: The file.
        container: ffmpeg's name of the demuxer, e.g. ``mov,mp4,m4a,3gp,3g2,mj2``.
        duration_ms: As long as it really plays, at least 0.
        audio: Audio streams in file order; empty where there is none.
        video: The video stream, or ``None`` for audio-only recordings.
        tags: The container's own tags, keys in lower case, sorted.
        missing_ms: How much longer it should play, as the file itself says; 0 where nothing seems to be missing.
    """

    path: Path
    container: str
    duration_ms: int
    audio: tuple[AudioStream, ...]
    video: VideoStream | None
    tags: tuple[tuple[str, str], ...] = ()
    missing_ms: int = 0

    @property
    def clock_zero_ms(self) -> int:
        """The moment of the file's clock that is time zero here: where the video starts, else the audio."""
        if self.video is not None:
            return self.video.start_ms
        return min((stream.start_ms for stream in self.audio), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFile:
    """One 16 kHz mono 16-bit PCM WAV file whose first sample is at 0 ms.

    Attributes:
        path: The file.
        duration_ms: Its length.
        stream: The audio stream that it was made from.
    """

    path: Path
    duration_ms: int
    stream: AudioStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person should know about a result: what was lowered, doubted or guessed.

    Attributes:
        code: Key in the message catalogue, e.g. ``speakers.failed``.
        data: Values for the message's placeholders, as sorted pairs.
        span: The stretch of the recording that it is about, where it is about one.
    """

    code: str
    data: tuple[tuple[str, str], ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """Which weights made a result.

    Attributes:
        name: Key in the manifest, e.g. ``whisper-base``.
        revision: The revision of its source.
        sha256: Of the weights file.
        device: Where it ran: ``cpu`` or ``cuda``.
        precision: What it ran in, e.g. ``int8``.
    """

    name: str
    revision: str
    sha256: str
    device: str = "cpu"
    precision: str = "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What was said.

    Attributes:
        words: In order of start, never overlapping backwards.
        speech: Stretches where a voice was detected, in order, apart.
        notices: What was lowered or is in doubt.
        model: What made it.
    """

    words: tuple[Word, ...]
    speech: tuple[Span, ...]
    notices: tuple[Notice, ...] = ()
    model: ModelUse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Voiceprint:
    """How one voice of a recording sounds: personal data, which no file of ours holds without the person's consent.

    Attributes:
        speaker: The diarizer's label for the voice.
        vector: Its direction, of length 1, in the space of the embedding that made it.
    """

    speaker: str
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diarization:
    """Who was heard when.

    Attributes:
        spans: Every voice, in order of start; spans of two voices may overlap.
        exclusive: One voice at a time, in order, apart: what gives words their speaker.
        notices: What was lowered or is in doubt.
        models: What made it; empty when it failed.
        voices: How each voice sounds, as the engine gives it; the speaker stage passes none of it on.
        names: Label and name of each voice that is known: of somebody who enrolled, or who has a track of their own.
    """

    spans: tuple[SpeakerSpan, ...]
    exclusive: tuple[SpeakerSpan, ...]
    notices: tuple[Notice, ...] = ()
    models: tuple[ModelUse, ...] = ()
    voices: tuple[Voiceprint, ...] = field(default=(), repr=False)
    names: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NameProposal(Span):
    """Who a voice may be; for a person to judge, never a published label.

    Attributes:
        name: As announced, where it is nearly the name of somebody announced; else as heard.
        evidence: Key of the message that says what it rests on.
        quote: The words that it rests on, said in that stretch.
    """

    name: str
    evidence: Literal["introduced", "introduced_announced"]
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """One voice of a session.

    Attributes:
        key: Stable within the transcript: ``S1``, ``S2`` … in order of first word.
        name: The person's full name, where known.
        proposals: Who it may be, where that is not known; the best first.
    """

    key: str
    name: str | None = None
    proposals: tuple[NameProposal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One speaker's run of words.

    Attributes:
        speaker: Key of the speaker, or ``None`` where nobody could be told.
        words: At least one, in order.
    """

    speaker: str | None
    words: tuple[Word, ...]

    def __post_init__(self) -> None:
        if not self.words:
            raise ValueError("a turn needs words")

    @property
    def start_ms(self) -> int:
        """Start of the first word."""
        return self.words[0].start_ms

    @property
    def end_ms(self) -> int:
        """End of the last word."""
        return self.words[-1].end_ms

    @property
    def text(self) -> str:
        """The words with spaces between."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Everything that was said in a session, by whom: the one source of truth.

    Attributes:
        session_id: Whose it is.
        language: The session's main language.
        duration_ms: Length of the recording.
        turns: In order.
        speakers: Everyone that a turn names, in order of first word.
        notices: What was lowered or is in doubt, from every stage.
    """

    session_id: str
    language: Language
    duration_ms: int
    turns: tuple[Turn, ...]
    speakers: tuple[Speaker, ...] = ()
    notices: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        known = {speaker.key for speaker in self.speakers}
        missing = {turn.speaker for turn in self.turns if turn.speaker is not None} - known
        if missing:
            raise ValueError(f"turns name unknown speakers: {sorted(missing)}")

    @property
    def words(self) -> tuple[Word, ...]:
        """Every word, in order."""
        return tuple(word for turn in self.turns for word in turn.words)

    def speaker(self, key: str) -> Speaker:
        """Return the speaker with that key.

        Raises:
            KeyError: No such speaker.
        """
        for speaker in self.speakers:
            if speaker.key == key:
                return speaker
        raise KeyError(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change between the verbatim and the edited transcript.

    Attributes:
        rule: Name of the rule that made it.
        before: The words as recognised.
        after: The words as edited; may be empty.
        start_ms: Start of the first word concerned.
        index: Position of that word among the words of the verbatim transcript, from 0.
    """

    rule: str
    before: str
    after: str
    start_ms: int
    index: int


Evidence = Literal["letters", "sound", "context", "probability"]
"""What speaks for a term: it is spelled or sounds nearly so, it would fit, what stands there was not surely heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TermProposal(Span):
    """A glossary term that may have been meant; for a person to accept or refuse.

    Attributes:
        index: Position of the first word among the words of the verbatim transcript, from 0.
        count: How many of those words it would take the place of.
        before: The words as they stand in the text that was looked at.
        after: As they would be with the term.
        evidence: What speaks for it.
    """

    index: int
    count: int
    before: str
    after: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a caption: words of one speaker in one language, a label before them, or a label alone.

    Attributes:
        words: In order; empty where the label has the line for itself.
        speaker: Key of the speaker, or ``None``.
        language: That it begins in.
        label: Name to be shown before the words, where the speaker changes.
        dashed: Whether a dash alone says that the speaker changes, since the name comes with their next caption, or was
            shown before somebody else's answer.
    """

    words: tuple[Word, ...]
    speaker: str | None
    language: str
    label: str | None = None
    dashed: bool = False

    def __post_init__(self) -> None:
        if not self.words and self.label is None:
            raise ValueError("a line shows words or a label")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter(Span):
    """A stretch of a session that keeps to one topic.

    Attributes:
        title: Words that were said in it.
        language: ISO 639-1 code of the title.
    """

    title: str
    language: str

    def __post_init__(self) -> None:
        Span.__post_init__(self)
        if not self.title or self.title != self.title.strip():
            raise ValueError(f"not a title: {self.title!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlight(Span):
    """A passage that carries much of a session, quoted as it was said.

    Attributes:
        speaker: Key of the speaker, or ``None``.
        words: At least one, in order, of the edited transcript.
    """

    speaker: str | None
    words: tuple[Word, ...]

    def __post_init__(self) -> None:
        Span.__post_init__(self)
        if not self.words:
            raise ValueError("a quotation needs words")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue(Span):
    """One caption on screen.

    Attributes:
        id: Unique in the file, from ``1``.
        lines: At least one; without words where a name is shown alone, in the silence before them.
    """

    id: str
    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        Span.__post_init__(self)
        if not self.lines:
            raise ValueError("a cue shows something")

    @property
    def words(self) -> tuple[Word, ...]:
        """Every word of the cue, in order."""
        return tuple(word for line in self.lines for word in line.words)

    @property
    def language(self) -> str:
        """The language that the cue begins in, whose rules it follows."""
        return self.lines[0].language

    @property
    def dialogue(self) -> bool:
        """Whether two people speak in it, so that each line begins with a dash."""
        return len({line.speaker for line in self.lines}) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file that will be published.

    Attributes:
        name: Its name within the revision's folder: ASCII, ``/`` between folders, no ``..``.
        path: Where it lies now.
        content_type: As sent to browsers, with charset for text.
        sha256: Of its bytes.
        size: Bytes.
        language: Of its text, where it has one.
        role: What it is to a learner: ``video``, ``burned_in``, ``audio``, ``poster``, ``captions``, ``chapters``,
            ``transcript``, ``comparison``, ``schema``, ``metadata``.
        download_name: What a browser should save it as, where it is meant to be saved.
    """

    name: str
    path: Path
    content_type: str
    sha256: str
    size: int
    role: str
    language: Language | None = None
    download_name: str | None = None

    def __post_init__(self) -> None:
        parts = self.name.split("/")
        if not self.name.isascii() or any(part in {"", ".", ".."} for part in parts):
            raise ValueError(f"not a publishable name: {self.name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """That a person has read a transcript and stands by it.

    Attributes:
        revision: Number of the revision that they approved.
        day: When, where they are.
    """

    revision: int
    day: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What made a result: enough to make it again.

    Attributes:
        tool: Name and version of this program, e.g. ``tribune 0.1.0``.
        models: Weights used.
        settings: Sorted pairs of the settings that decide the result.
        engines: Sorted pairs of library and version.
        review: That a person stands by it, though not who; ``None`` where nobody does yet.
    """

    tool: str
    models: tuple[ModelUse, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    engines: tuple[tuple[str, str], ...] = ()
    review: Review | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long one stage took.

    Attributes:
        stage: Name of the stage.
        seconds: Wall-clock time.
    """

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One whole published state of a session, before it is sent.

    Attributes:
        session: Whose it is.
        recording: The file that it was made from.
        transcript: The words.
        artifacts: Every file, names unique.
        provenance: What made it.
        timings: How long that took; left out of the digest.
    """

    session: Session
    recording: Recording
    transcript: Transcript
    artifacts: tuple[Artifact, ...]
    provenance: Provenance
    timings: tuple[Timing, ...] = ()

    def __post_init__(self) -> None:
        names = [artifact.name for artifact in self.artifacts]
        if len(set(names)) != len(names):
            raise ValueError("two artifacts have the same name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What was published.

    Attributes:
        session_id: Whose it is.
        revision: Name of the revision's folder, e.g. ``r1-3fa9c1d2``.
        pages: Address of the session's page in each language.
        files: Address of every artifact by name.
        written: How many objects this call had to write; 0 when all was there already.
        notes: What a facilitator should look at; learners are not told.
    """

    session_id: str
    revision: str
    pages: tuple[tuple[Language, str], ...]
    files: tuple[tuple[str, str], ...] = field(default=())
    written: int = 0
    notes: tuple[Notice, ...] = ()
