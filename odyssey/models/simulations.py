"""Simulations."""

from __future__ import annotations

import enum

import attrs

from odyssey._logging import shown_text, without_locals
from odyssey.models.fields import Fields, wrong_answer
from odyssey.models.recordings import Recording


def _shown_text(text: str | None) -> str:
    return repr(text if text is None else shown_text(text))


class SimulationJobStatus(enum.StrEnum):
    """Status of a simulation. Compares equal to its text."""

    PENDING = "pending"
    """In the queue."""
    DISPATCHED = "dispatched"
    """Given to a worker."""
    PROCESSING = "processing"
    """Being rendered; from here on it can't be cancelled."""
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
    def read(cls, fields: Fields) -> SimulationJobStatus:
        text = fields.text("status")
        try:
            return cls(text)
        except ValueError:
            known = ", ".join(status.value for status in cls)
            raise wrong_answer(fields.subject, f"'status' should be one of {known}") from None


@attrs.frozen
class SimulationStream(Recording):
    """The recording of one script of a simulation.

    Attributes:
        script_index: Which of the job's scripts, from 0.
    """

    script_index: int = 0

    @classmethod
    def from_json(cls, value: object) -> SimulationStream:
        recording = Recording.from_json(value)
        index = Fields.read(value, "the simulation's stream").integer("script_index", 0)
        return cls(**attrs.asdict(recording), script_index=index)


@attrs.frozen
class SimulationJobInfo:
    """A simulation as it stands in a list. Times are ISO 8601, None while they have not come."""

    job_id: str
    status: SimulationJobStatus
    priority: str | None = None
    created_at: str | None = None
    completed_at: str | None = None
    error_message: str | None = attrs.field(default=None, repr=_shown_text)

    @classmethod
    def from_json(cls, value: object) -> SimulationJobInfo:
        fields = Fields.read(value, "the simulation")
        return cls(
            job_id=fields.text("job_id"),
            status=SimulationJobStatus.read(fields),
            priority=fields.optional_text("priority"),
            created_at=fields.optional_text("created_at"),
            completed_at=fields.optional_text("completed_at"),
            error_message=fields.optional_text("error_message"),
        )


@attrs.frozen
class SimulationJobDetail:
    """A simulation with all that is known of it. Times are ISO 8601.

    Attributes:
        streams: The recordings, one for each script, once it is completed.
        estimated_wait_minutes: Until it begins; known when it was submitted.
    """

    job_id: str
    status: SimulationJobStatus
    priority: str | None = None
    created_at: str | None = None
    dispatched_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    error_message: str | None = attrs.field(default=None, repr=_shown_text)
    assigned_region: str | None = None
    retry_count: int = 0
    streams: list[SimulationStream] = attrs.field(factory=list, hash=False)
    estimated_wait_minutes: float | None = None

    @classmethod
    @without_locals
    def from_json(cls, value: object) -> SimulationJobDetail:
        fields = Fields.read(value, "the simulation")
        return cls(
            job_id=fields.text("job_id"),
            status=SimulationJobStatus.read(fields),
            priority=fields.optional_text("priority"),
            created_at=fields.optional_text("created_at"),
            dispatched_at=fields.optional_text("dispatched_at"),
            started_at=fields.optional_text("started_at"),
            completed_at=fields.optional_text("completed_at"),
            error_message=fields.optional_text("error_message"),
            assigned_region=fields.optional_text("assigned_region"),
            retry_count=fields.integer("retry_count", 0),
            streams=fields.items("streams", SimulationStream.from_json),
            estimated_wait_minutes=fields.optional_number("estimated_wait_minutes"),
        )


@attrs.frozen
class SimulationJobsList:
    """One page of simulations, newest first; as `StreamRecordingsList`."""

    jobs: list[SimulationJobInfo] = attrs.field(hash=False)
    total: int
    limit: int
    offset: int

    @classmethod
    def from_json(cls, value: object) -> SimulationJobsList:
        fields = Fields.read(value, "the list of simulations")
        jobs = fields.items("jobs", SimulationJobInfo.from_json)
        return cls(
            jobs=jobs,
            total=fields.integer("total", len(jobs)),
            limit=fields.integer("limit", len(jobs)),
            offset=fields.integer("offset", 0),
        )
