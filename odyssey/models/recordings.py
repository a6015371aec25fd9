"""Recordings."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self

import attrs

from odyssey._logging import shown_url
from odyssey.models.fields import Fields
from odyssey.models.model import Model, moment


@attrs.frozen(getstate_setstate=False)
class Recording(Model):
    """A recorded stream. The addresses are presigned: about an hour valid, without a token.

    Attributes:
        stream_id: The stream it belongs to.
        video_url: MP4, or None while there is none; so with the other three.
        events_url: The prompts and their times, one JSON object a line.
        thumbnail_url: JPEG.
        preview_url: A short, small MP4.
        frame_count: Frames in the video.
        duration_seconds: Its length in seconds.
    """

    _SUBJECT: ClassVar[str] = "the recording"

    stream_id: str
    video_url: str | None = attrs.field(default=None, repr=shown_url)
    events_url: str | None = attrs.field(default=None, repr=shown_url)
    thumbnail_url: str | None = attrs.field(default=None, repr=shown_url)
    preview_url: str | None = attrs.field(default=None, repr=shown_url)
    frame_count: int | None = None
    duration_seconds: float | None = None

    @classmethod
    def _read(cls, fields: Fields) -> Self:
        return cls(
            stream_id=fields.text("stream_id"),
            video_url=fields.optional_text("video_url"),
            events_url=fields.optional_text("events_url"),
            thumbnail_url=fields.optional_text("thumbnail_url"),
            preview_url=fields.optional_text("preview_url"),
            frame_count=fields.optional_integer("frame_count"),
            duration_seconds=fields.optional_number("duration_seconds"),
        )

    def _repr_html_(self) -> str:
        """In Jupyter a recording shows its video, for as long as the address is valid.

        The page then holds the presigned address, as it must to play it; the text repr doesn't.
        """
        return video_html(self.video_url, self.thumbnail_url, repr(self))


@attrs.frozen(getstate_setstate=False)
class StreamRecordingInfo(Model):
    """A recording as it stands in a list. What the service doesn't say is None.

    Attributes:
        stream_id: The stream it belongs to.
        width: Pixels.
        height: Pixels.
        started_at: ISO 8601.
        ended_at: ISO 8601, or None while the stream runs; so with the next.
        duration_seconds: Length in seconds.
    """

    _SUBJECT: ClassVar[str] = "the list of recordings"

    stream_id: str
    width: int | None = None
    height: int | None = None
    started_at: str | None = None
    ended_at: str | None = None
    duration_seconds: float | None = None

    @property
    def started(self) -> datetime | None:
        """`started_at` as a time with its zone; None where it is none that can be read."""
        return moment(self.started_at)

    @property
    def ended(self) -> datetime | None:
        """`ended_at`, likewise."""
        return moment(self.ended_at)

    @classmethod
    def _read(cls, fields: Fields) -> Self:
        return cls(
            stream_id=fields.text("stream_id"),
            width=fields.optional_integer("width"),
            height=fields.optional_integer("height"),
            started_at=fields.optional_text("started_at"),
            ended_at=fields.optional_text("ended_at"),
            duration_seconds=fields.optional_number("duration_seconds"),
        )


@attrs.frozen(getstate_setstate=False)
class StreamRecordingsList(Model):
    """One page of recordings, newest first.

    Attributes:
        recordings: The page.
        total: How many there are in all.
        limit: The longest this page could be.
        offset: How many were skipped before it.
    """

    _SUBJECT: ClassVar[str] = "the list of recordings"

    recordings: list[StreamRecordingInfo] = attrs.field(hash=False)
    total: int
    limit: int
    offset: int

    @classmethod
    def _read(cls, fields: Fields) -> Self:
        recordings = fields.items("recordings", StreamRecordingInfo.from_json)
        return cls(
            recordings=recordings,
            total=fields.integer("total", len(recordings)),
            limit=fields.integer("limit", len(recordings)),
            offset=fields.integer("offset", 0),
        )


def video_html(url: str | None, poster: str | None, text: str) -> str:
    """A player for the video at `url`, with a picture until it plays; without one, the `text`."""
    import html  # with its list of entities; only a notebook waits for it

    source = _web_address(url)
    if source is None:
        return f"<code>{html.escape(text)}</code>"
    picture = _web_address(poster)
    return (
        '<video controls preload="metadata" style="max-width: 100%; max-height: 480px"'
        + (f' poster="{html.escape(picture)}"' if picture else "")
        + f' src="{html.escape(source)}">{html.escape(text)}</video>'
    )


def _web_address(url: str | None) -> str | None:
    """`url` where a page may load it; None for what a page should not load."""
    if url is None or not url.lower().startswith(("https://", "http://")):
        return None
    return url
