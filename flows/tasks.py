"""Every stage as a Prefect task: its readable name, its time limit, and which failures are worth another try.

In goes a stage of ``pipeline.stages``, out comes the same stage as a task of the running flow. The tasks know nothing
of what a stage does; whether a failure is worth a retry is what the failure itself says.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from pipeline.checkpoints import Finished, Turn
from pipeline.errors import TribuneError
from pipeline.ports import Progress
from pipeline.stages import RunStage, Stage

T = TypeVar("T")

_MINUTE: Final = 60.0
_HOUR: Final = 60 * _MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a stage runs as a task.

    Attributes:
        name: Shown in the Prefect UI.
        timeout_s: Ended after so long.
        retries: Further tries when the failure says that one may help.
    """

    name: str
    timeout_s: float
    retries: int = 0


POLICIES: Final[dict[Stage, Policy]] = {
    "media": Policy(name="Read the sound", timeout_s=2 * _HOUR),
    "speech": Policy(name="Transcribe", timeout_s=12 * _HOUR, retries=2),
    "speakers": Policy(name="Tell speakers apart", timeout_s=12 * _HOUR, retries=2),
    "align": Policy(name="Find new words in the sound", timeout_s=6 * _HOUR, retries=2),
    "captions": Policy(name="Write captions and documents", timeout_s=_HOUR),
    "video": Policy(name="Make the captioned video", timeout_s=12 * _HOUR),
    "publish": Policy(name="Publish", timeout_s=6 * _HOUR, retries=6),
}


class _Call(Generic[T]):
    """A stage ready to run. Prefect would look through a dataclass or a tuple, hours of words included; not this."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work


def as_tasks(run_stage: RunStage) -> RunStage:
    """Return a way to run stages in which each is a task of the running flow.

    Args:
        run_stage: Runs a stage.
    """

    def run(
        stage: Stage,
        kind: type[T],
        inputs: tuple[object, ...] | None,
        work: Callable[[Progress], T],
        *,
        keep: Callable[[T], bool] = lambda _: True,
        turn: Turn = nullcontext,
    ) -> Finished[T]:
        return _as_task(stage)(_Call(lambda: run_stage(stage, kind, inputs, work, keep=keep, turn=turn)))

    return run


def _as_task(stage: Stage) -> Callable[[_Call[T]], T]:
    policy = POLICIES[stage]
    as_task = task(
        name=policy.name,
        task_run_name=policy.name,
        timeout_seconds=policy.timeout_s,
        retries=policy.retries,
        retry_delay_seconds=exponential_backoff(backoff_factor=4),
        retry_jitter_factor=0.5,
        retry_condition_fn=_is_worth_retrying,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    return cast("Callable[[_Call[T]], T]", as_task(_do))


def _do(call: _Call[T]) -> T:
    return call.work()


def _is_worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Ask the failure itself."""
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, TribuneError) and failure.retryable
