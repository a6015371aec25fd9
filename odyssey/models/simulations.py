"""Simulations."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any, ClassVar, Self

import attrs

from odyssey._logging import shown_text
from odyssey.models.fields import Fields
from odyssey.models.model import Model, moment
from odyssey.models.recordings import Recording


def _shown_text(text: str | None) -> str:
    return repr(text if text is None else shown_text(text))


class SimulationJobStatus(enum.StrEnum):
    """Status of a simulation. Compares equal to its text.

    One that this version doesn't know is kept as it came: it equals no member, but its text.

    Example:
        >>> SimulationJobStatus.read("paused").is_final
        False
    """

    PENDING = "pending"
    """In the queue."""
    DISPATCHED = "dispatched"
    """Given to a worker."""
    PROCESSING = "processing"
    """Being rendered; from here on it can't be cancelled. The service says `running`, too."""
    COMPLETED = "completed"
    """Done: its streams have recordings."""
    FAILED = "failed"
    """Failed: see `error_message`."""
    CANCELLED = "cancelled"
    """Cancelled before it was rendered."""

    @property
    def is_final(self) -> bool:
        """Whether the status can't change any more."""
        return self in (self.COMPLETED, self.FAILED, self.CANCELLED)

    @classmethod
    def read(cls, text: str) -> SimulationJobStatus:
        """The status with that text, whether it is known or not."""
        try:
            return cls(text)
        except ValueError:
            status = str.__new__(cls, text)
            status._name_ = status._value_ = text
            return status

    @classmethod
    def _missing_(cls, value: object) -> SimulationJobStatus | None:
        return cls.PROCESSING if value == "running" else None

    def __reduce_ex__(self, _protocol: object) -> tuple[Any, ...]:
        return SimulationJobStatus.read, (self.value,)


def _status(fields: Fields) -> SimulationJobStatus | None:
    text = fields.optional_text("status")
    return None if text is None else SimulationJobStatus.read(text)


@attrs.frozen(getstate_setstate=False)
class SimulationStream(Recording):
    """The recording of one script of a simulation.

    Attributes:
        script_index: Which of the job's scripts, from 0.
        status: How far this one is, where the service says.
        error_message: Why it failed.
    """

    _SUBJECT: ClassVar[str] = "the simulation's stream"

    script_index: int | None = None
    status: SimulationJobStatus | None = None
    error_message: str | None = attrs.field(default=None, repr=_shown_text)

    @classmethod
    def _read(cls, fields: Fields) -> Self:
        return attrs.evolve(
            super()._read(fields),
            script_index=fields.optional_integer("script_index"),
            status=_status(fields),
            error_message=fields.optional_text("error_message"),
        )


@attrs.frozen(getstate_setstate=False)
class SimulationJobInfo(Model):
    """A simulation as it stands in a list. What the service doesn't say is None.

    Times are ISO 8601, None while they have not come.
    """

    _SUBJECT: ClassVar[str] = "the simulation"

    job_id: str
    status: SimulationJobStatus | None
    priority: str | None = None
    created_at: str | None = None
    completed_at: str | None = None
    error_message: str | None = attrs.field(default=None, repr=_shown_text)

    @property
    def created(self) -> datetime | None:
        """`created_at` as a time with its zone; None where it is none that can be read."""
        return moment(self.created_at)

    @property
    def completed(self) -> datetime | None:
        """`completed_at`, likewise."""
        return moment(self.completed_at)

    @classmethod
    def _read(cls, fields: Fields) -> Self:
        return cls(
            job_id=fields.text("job_id"),
            status=_status(fields),
            priority=fields.optional_text("priority"),
            created_at=fields.optional_text("created_at"),
            completed_at=fields.optional_text("completed_at"),
            error_message=fields.optional_text("error_message"),
        )


@attrs.frozen(getstate_setstate=False)
class SimulationJobDetail(Model):
    """A simulation with all that is known of it. What the service doesn't say is None.

    Times are ISO 8601.

    Attributes:
        streams: The recordings, one for each script, once it is completed.
        estimated_wait_minutes: Until it begins; known when it was submitted.
    """

    _SUBJECT: ClassVar[str] = "the simulation"

    job_id: str
    status: SimulationJobStatus | None
    priority: str | None = None
    created_at: str | None = None
    dispatched_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    error_message: str | None = attrs.field(default=None, repr=_shown_text)
    assigned_region: str | None = None
    retry_count: int | None = None
    streams: list[SimulationStream] = attrs.field(factory=list, hash=False)
    estimated_wait_minutes: float | None = None

    @property
    def created(self) -> datetime | None:
        """`created_at` as a time with its zone; None where it is none that can be read."""
        return moment(self.created_at)

    @property
    def started(self) -> datetime | None:
        """`started_at`, likewise."""
        return moment(self.started_at)

    @property
    def completed(self) -> datetime | None:
        """`completed_at`, likewise."""
        return moment(self.completed_at)

    @classmethod
    def _read(cls, fields: Fields) -> Self:
        return cls(
            job_id=fields.text("job_id"),
            status=_status(fields),
            priority=fields.optional_text("priority"),
            created_at=fields.optional_text("created_at"),
            dispatched_at=fields.optional_text("dispatched_at"),
            started_at=fields.optional_text("started_at"),
            completed_at=fields.optional_text("completed_at"),
            error_message=fields.optional_text("error_message"),
            assigned_region=fields.optional_text("assigned_region"),
            retry_count=fields.optional_integer("retry_count"),
            streams=fields.items("streams", SimulationStream.from_json),
            estimated_wait_minutes=fields.optional_number("estimated_wait_minutes"),
        )


@attrs.frozen(getstate_setstate=False)
class SimulationJobsList(Model):
    """One page of simulations, newest first; as `StreamRecordingsList`."""

    _SUBJECT: ClassVar[str] = "the list of simulations"

    jobs: list[SimulationJobInfo] = attrs.field(hash=False)
    total: int
    limit: int
    offset: int

    @classmethod
    def _read(cls, fields: Fields) -> Self:
        jobs = fields.items("jobs", SimulationJobInfo.from_json)
        return cls(
            jobs=jobs,
            total=fields.integer("total", len(jobs)),
            limit=fields.integer("limit", len(jobs)),
            offset=fields.integer("offset", 0),
        )
