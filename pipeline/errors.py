"""Everything that can go wrong, as one tree.

::

    TribuneError                       retryable: whether the same call may go through later
    ├── SetUpError                     the machine lacks something; says what to do
    │   ├── WeightsUnavailable         no source had the weights                       (retryable)
    │   ├── WeightsCorrupt             a source had other bytes than the manifest pins
    │   └── ProgramMissing             ffmpeg, a browser, the object store's binary
    ├── RecordingRejected              the facilitator's file cannot be processed; becomes a reason beside it
    │   └── SessionWithdrawn           … because its session was withdrawn from publication
    ├── SidecarInvalid                 the facilitator's sidecar cannot be read; becomes a reason beside it
    ├── TranscriptInvalid              a transcript file cannot be read; says which to choose
    ├── ReviewError                    what a reviewer asks for cannot be done
    │   ├── RevisionMissing            … there is no such revision, or nothing to review yet
    │   ├── RevisionDamaged            … a file of the review cannot be read
    │   ├── RevisionConflict           … somebody else saved first
    │   ├── ReviewAwaited              … nothing is published before somebody has approved it
    │   ├── CorrectionInvalid          … the correction does not fit what it corrects
    │   ├── ReturnedFileInvalid        … a file that came back corrected cannot be taken
    │   ├── ReportInvalid              … a learner's report cannot be taken
    │   └── ReportMissing              … there is no such report
    ├── CaptionsInvalid                a file of captions cannot be read, checked or made; says why
    ├── EngineError                    a model failed
    │   ├── OutOfMemory                … for lack of (GPU) memory; a smaller batch may do
    │   ├── RecognitionFailed
    │   ├── DiarizationFailed
    │   └── EngineUnavailable          the process that runs the models is away            (retryable)
    ├── MediaError                     ffmpeg failed on a file that probed well
    └── StoreError                     the object store
        ├── StoreUnavailable           … cannot be reached or is overloaded            (retryable)
        ├── StoreRefused               … says no: credentials, policy, missing bucket
        ├── StoreConflict              … someone else wrote first                      (retryable)
        └── StoreCorrupt               … has other bytes than were sent

Each carries a ``code`` (key in the message catalogue) and ``data`` for its placeholders, so that the same failure can
be told to a facilitator in both languages and to an operator in a log. Each passes its arguments to
``super().__init__`` and so survives pickling between processes. Foreign errors become one of these where the foreign
library is met.
"""

from __future__ import annotations

from typing import ClassVar

from pipeline.messages import message
from pipeline.types import Language


class TribuneError(Exception):
    """A failure that this program understands.

    Args:
        code: Key in the message catalogue, e.g. ``intake.empty``.
        data: Values for the message's placeholders.

    Attributes:
        retryable: Whether the same call may go through later without anybody changing anything.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, code: str, data: dict[str, str] | None = None) -> None:
        super().__init__(code, data or {})
        self.code = code
        self.data = data or {}

    def message(self, language: Language) -> str:
        """Say what happened and what to do, in that language."""
        return message(self.code, language, **self.data)

    def __str__(self) -> str:
        return self.message("en")


class SetUpError(TribuneError):
    """The machine lacks something."""


class WeightsUnavailable(SetUpError):
    """No source that the manifest names could be reached for some weights."""

    retryable = True


class WeightsCorrupt(SetUpError):
    """A source has other bytes than the manifest pins."""


class ProgramMissing(SetUpError):
    """A program that is needed is not on this machine."""


class RecordingRejected(TribuneError):
    """The dropped file cannot be processed, and never will be as it is."""


class SessionWithdrawn(RecordingRejected):
    """The session was withdrawn, and is not published again until somebody restores it."""


class SidecarInvalid(TribuneError):
    """The sidecar cannot be understood."""


class TranscriptInvalid(TribuneError):
    """A transcript file cannot be read as one."""


class ReviewError(TribuneError):
    """What a reviewer asks for cannot be done."""


class RevisionMissing(ReviewError):
    """There is no such revision."""


class RevisionDamaged(ReviewError):
    """A file in which something of a review is kept cannot be read; ``data`` says of which session and which file."""


class RevisionConflict(ReviewError):
    """Somebody else saved first; ``data`` says who and which: ``based_on``, ``latest``, ``author``, ``saved_at``."""


class ReviewAwaited(ReviewError):
    """Nothing of a session may be published before somebody has approved it."""


class CorrectionInvalid(ReviewError):
    """A correction does not fit the transcript that it corrects."""


class ReturnedFileInvalid(ReviewError):
    """A file that came back corrected cannot be taken as it is."""


class ReportInvalid(ReviewError):
    """What a learner reports cannot be taken as it is."""


class ReportMissing(ReviewError):
    """There is no such report."""


class CaptionsInvalid(TribuneError):
    """A file of captions cannot be read as one, checked, or made."""


class EngineError(TribuneError):
    """A model failed."""


class OutOfMemory(EngineError):
    """A model ran out of (GPU) memory."""


class RecognitionFailed(EngineError):
    """The recogniser failed for a reason other than memory."""


class DiarizationFailed(EngineError):
    """The diarizer failed for a reason other than memory."""


class EngineUnavailable(EngineError):
    """The process that runs the models does not answer, or died at work."""

    retryable = True


class MediaError(TribuneError):
    """ffmpeg failed on a file that had probed well."""


class StoreError(TribuneError):
    """The object store failed."""


class StoreUnavailable(StoreError):
    """The object store cannot be reached, or asks to come back later."""

    retryable = True


class StoreRefused(StoreError):
    """The object store refuses: credentials, policy or a missing bucket."""


class StoreConflict(StoreError):
    """Somebody else wrote the object first."""

    retryable = True


class StoreCorrupt(StoreError):
    """The object store has other bytes than were sent."""
