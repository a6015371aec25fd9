"""`Odyssey`, the client: checks arguments and delegates."""

from __future__ import annotations

import os
import warnings
from types import TracebackType
from typing import NoReturn

from odyssey._checks import check_text
from odyssey._compat import FlatNames
from odyssey._images import ImageInput, encode_image
from odyssey._live import callbacks
from odyssey._live.live_client import LiveClient
from odyssey._live.preview import Preview, Previews
from odyssey._live.stream import Stream
from odyssey._live.telemetry import Telemetry
from odyssey._logging import hidden, shown_url
from odyssey._rest.client import HttpClient
from odyssey._rest.origins import Origin
from odyssey._runtime.exit import close_dropped
from odyssey.config import AdvancedConfig, Settings
from odyssey.errors import OdysseyStreamError
from odyssey.frames.capture import Capture
from odyssey.frames.live_stream import LiveStream
from odyssey.frames.queue import FrameQueue, Overflow
from odyssey.frames.stats import ClientStats
from odyssey.models import ClientCredentials, ConnectionStatus, StreamerCapabilities
from odyssey.recordings.api import Recordings
from odyssey.simulations.api import Simulations


class Odyssey(FlatNames):
    """A client of the service. Every method blocks until it is done, at most `timeout` seconds.

    Making a client does no I/O and starts no thread. Clients are safe to share between threads.

    Args:
        api_key: The API key; by default `ODYSSEY_API_KEY` of the environment. `""` means no key. A
            call that needs a key raises `ValueError` if there is none.
        api_url: The service's URL; by default `ODYSSEY_API_URL` of the environment, or
            `https://api.odyssey.ml`.
        timeout: Seconds that a blocking call waits unless it gets its own; None for no limit.
        queue_timeout: Seconds to wait for a free streamer, within the call's timeout; by default
            `advanced.queue_timeout_s`.
        frame_buffer: The number of frames that `frames` holds before it drops the oldest.
        debug: Whether to log at DEBUG to stderr, as a shorthand for configuring `logging`.
        advanced: How connecting is retried.
        enable_telemetry: Whether to report to the service which calls succeeded or failed: names of
            calls and error classes, never any part of a key, token, prompt or URL.

    Raises:
        ValueError, TypeError: An argument is wrong; the text says which and how.

    Warns:
        UserWarning: `api_url` is an http:// address of another machine.

    Example:
        ```python
        from odyssey import Odyssey

        with Odyssey() as client:
            client.connect()
            with client.stream("A cat on a windowsill") as stream:
                clip = stream.frames.stack(48)              # (48, 1280, 704, 3) uint8
                stream.interact("The cat stretches and yawns")
        ```
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        api_url: str | None = None,
        timeout: float | None = 30.0,
        queue_timeout: float | None = None,
        frame_buffer: int = 32,
        debug: bool = False,
        advanced: AdvancedConfig | None = None,
        enable_telemetry: bool = False,
    ) -> None:
        key, address = hidden(api_key), hidden(api_url)
        del api_key, api_url  # no traceback of what follows shows them
        settings = Settings.make(key, address, timeout, queue_timeout, frame_buffer, advanced)
        if debug:
            from odyssey._logging import log_to_stderr

            log_to_stderr()
        self._settings = settings
        origin = Origin.of(settings.api_url)
        if origin is not None and not origin.is_encrypted and not origin.is_loopback:
            warnings.warn(
                f"the API key goes unencrypted to {shown_url(settings.api_url)}, and so does all "
                "else: use an https:// address",
                stacklevel=2,
            )
        self._http = HttpClient(settings.api_url, settings.require_key)
        self._live = LiveClient(
            settings, self._http, Telemetry(self._http, enabled=bool(enable_telemetry))
        )
        self._previews = Previews(self._live)

    # Connecting.

    def connect(
        self,
        on_connected: callbacks.ConnectedCallback | None = None,
        on_disconnected: callbacks.DisconnectedCallback | None = None,
        on_video_frame: callbacks.VideoFrameCallback | None = None,
        on_stream_started: callbacks.StreamStartedCallback | None = None,
        on_stream_ended: callbacks.StreamEndedCallback | None = None,
        on_interact_acknowledged: callbacks.InteractAcknowledgedCallback | None = None,
        on_broadcast_ready: callbacks.BroadcastReadyCallback | None = None,
        on_stream_error: callbacks.StreamErrorCallback | None = None,
        on_error: callbacks.ErrorCallback | None = None,
        on_status_change: callbacks.StatusChangeCallback | None = None,
        *,
        timeout: float | None = None,
    ) -> Odyssey:
        """Connects to a streamer; returns the client once video and both data channels are open.

        On a connected client it returns at once, and the given callbacks replace the present ones.
        A lost connection is not restored: connect again. Callbacks run on threads of their own,
        events in order, and may call any method.

        Raises:
            ValueError: There is no API key.
            OdysseyAuthError: The key was refused.
            OdysseyUsageError: A limit of the account was reached (raised as one of its subclasses).
            OdysseyTimeoutError: No streamer was free, or the connection was not ready, in time;
                the text names the missing part.
            OdysseyConnectionError: The service can't be reached, or ended the connection.

        Example:
            ```python
            client.connect(on_video_frame=lambda frame: print(frame.index))
            ```
        """
        handlers = callbacks.OdysseyEventHandlers.among(locals())
        self._live.connect(handlers, self._live.deadline(timeout), None)
        return self

    def connect_with_credentials(
        self,
        credentials: ClientCredentials,
        on_connected: callbacks.ConnectedCallback | None = None,
        on_disconnected: callbacks.DisconnectedCallback | None = None,
        on_video_frame: callbacks.VideoFrameCallback | None = None,
        on_stream_started: callbacks.StreamStartedCallback | None = None,
        on_stream_ended: callbacks.StreamEndedCallback | None = None,
        on_interact_acknowledged: callbacks.InteractAcknowledgedCallback | None = None,
        on_broadcast_ready: callbacks.BroadcastReadyCallback | None = None,
        on_stream_error: callbacks.StreamErrorCallback | None = None,
        on_error: callbacks.ErrorCallback | None = None,
        on_status_change: callbacks.StatusChangeCallback | None = None,
        *,
        timeout: float | None = None,
    ) -> Odyssey:
        """Connects as `connect` does, to a session that another program made; needs no API key.

        Args:
            credentials: Made by `create_client_credentials` of a client with the API key.

        Raises:
            OdysseyAuthError: The session token was refused: expired, or used before.
            OdysseyTimeoutError, OdysseyConnectionError: As `connect`.

        Example:
            ```python
            credentials = ClientCredentials.from_dict(json.loads(text))
            Odyssey().connect_with_credentials(credentials)
            ```
        """
        if not isinstance(credentials, ClientCredentials):
            raise TypeError(
                f"credentials must be ClientCredentials, not {type(credentials).__name__}; "
                "use ClientCredentials.from_dict"
            )
        handlers = callbacks.OdysseyEventHandlers.among(locals())
        self._live.connect(handlers, self._live.deadline(timeout), credentials)
        return self

    def create_client_credentials(self) -> ClientCredentials:
        """Makes a session that a program without the API key can connect to, once, within 600 s.

        Raises:
            ValueError, OdysseyAuthError, OdysseyUsageError: As `connect`.
            OdysseyTimeoutError, OdysseyConnectionError: As `connect`.

        Example:
            ```python
            json.dumps(client.create_client_credentials().to_dict())    # send this to the program
            ```
        """
        return self._live.create_credentials(self._live.deadline(None))

    def disconnect(self) -> None:
        """Ends the stream and the connection and releases the session. Idempotent; never raises.

        Calls that wait on the connection raise. Returns within 3 s even if the service hangs.
        """
        self._live.disconnect()

    def close(self) -> None:
        """Disconnects for good: also ends the threads and the HTTP connections. Idempotent."""
        self._live.close()
        self._previews.close()
        self._http.close()

    def __enter__(self) -> Odyssey:
        self._live.check_open()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # State. Each property is a snapshot; reading it never blocks.

    @property
    def is_connected(self) -> bool:
        """Whether the connection is ready."""
        return self._live.status is ConnectionStatus.CONNECTED

    @property
    def current_status(self) -> ConnectionStatus:
        """The connection's present status."""
        return self._live.status

    @property
    def current_session_id(self) -> str | None:
        """The session's id; None when not connected."""
        return self._live.session_id

    @property
    def last_applied_prompt(self) -> str | None:
        """The last prompt acknowledged on the present or last connection, as it was applied."""
        return self._live.applied_prompt

    @property
    def capabilities(self) -> StreamerCapabilities:
        """The streamer's capabilities; all False before connecting."""
        return self._live.capabilities or StreamerCapabilities()

    @property
    def frames(self) -> FrameQueue:
        """The frames of the running stream."""
        return self._live.fanout.main

    @property
    def stats(self) -> ClientStats:
        """The present counters."""
        return self._live.stats

    # Streams.

    def start_stream(
        self,
        prompt: str = "",
        portrait: bool = True,
        image: ImageInput | None = None,
        image_path: str | os.PathLike[str] | None = None,
        bypass_prompt_expansion: bool | None = None,
        broadcast: bool = False,
        *,
        timeout: float | None = None,
    ) -> str:
        """Starts a stream; returns its id when the service reports that it runs.

        Args:
            prompt: What to show; may be empty.
            portrait: Whether the video is 704x1280; otherwise it is 1280x704. Some models have
                other sizes: read the size from the frame.
            image: A picture to begin with: a file's path, `data:` URL, bytes, `PIL.Image`, or
                uint8 array (height, width, 3) RGB or (height, width) gray; at most 25 MB.
            image_path: Deprecated; use `image`.
            bypass_prompt_expansion: True asks the service not to rewrite the prompt, False to
                rewrite it; None leaves it to the service.
            broadcast: Whether others can watch; `on_broadcast_ready` gets the address.

        Raises:
            ValueError, TypeError: An argument is wrong; nothing was sent.
            OdysseyStreamError: The client is not connected, or the service refused.
            OdysseyUsageError: A limit of the account was reached (raised as one of its subclasses).
            OdysseyTimeoutError: No answer came in time; the connection stays up.
            OdysseyConnectionError: The connection was lost meanwhile.

        Example:
            ```python
            stream_id = client.start_stream("A cat on a windowsill", portrait=False)
            ```
        """
        if image_path is not None:
            warnings.warn("image_path is deprecated; use image", DeprecationWarning, stacklevel=2)
            if image is not None:
                raise ValueError("give image or image_path, not both")
            image = image_path
        stream = self._start(
            prompt, portrait, image, bypass_prompt_expansion, broadcast, timeout, end_if_late=False
        )
        return str(stream.id)

    def _start(
        self,
        prompt: str,
        portrait: bool,
        image: ImageInput | None,
        bypass_prompt_expansion: bool | None,
        broadcast: bool,
        timeout: float | None,
        *,
        end_if_late: bool,
    ) -> LiveStream:
        check_text(prompt, "prompt")
        deadline = self._live.deadline(timeout)
        self._live.require_connected("start a stream")
        encoded = None
        if image is not None:
            self._require_image_to_video()
            encoded = encode_image(image, portrait=portrait)
        return self._live.start(
            prompt,
            deadline,
            portrait=bool(portrait),
            image=encoded,
            broadcast=bool(broadcast),
            bypass_prompt_expansion=(
                None if bypass_prompt_expansion is None else bool(bypass_prompt_expansion)
            ),
            end_if_late=end_if_late,
        )

    def stream(
        self,
        prompt: str = "",
        portrait: bool = True,
        image: ImageInput | None = None,
        *,
        bypass_prompt_expansion: bool | None = None,
        broadcast: bool = False,
        timeout: float | None = None,
    ) -> Stream:
        """Returns a context manager that starts a stream on entry and ends it on exit.

        It also ends the stream if the body raises. Arguments are those of `start_stream`; `timeout`
        is that of the start. A stream that starts only after that time is ended again.

        Example:
            ```python
            with client.stream("A lighthouse in a storm", portrait=False) as stream:
                for frame in stream:
                    ...
            ```
        """

        def start() -> LiveStream:
            return self._start(
                *(prompt, portrait, image, bypass_prompt_expansion, broadcast, timeout),
                end_if_late=True,
            )

        return Stream(self._live, start, self.preview)

    def interact(self, prompt: str, *, timeout: float | None = None) -> str:
        """Steers the stream; returns the prompt as the service applied it.

        When several threads call it at once, each gets its own acknowledgement.

        Raises:
            ValueError, TypeError: The prompt is not text, empty, or too long for a message.
            OdysseyStreamError: The client is not connected, no stream runs, or the service refused.
            OdysseyTimeoutError: No acknowledgement came in time.
            OdysseyConnectionError: The connection was lost meanwhile.

        Example:
            ```python
            applied = client.interact("The cat yawns", timeout=10)
            ```
        """
        return self._live.interact(prompt, self._live.deadline(timeout))

    def end_stream(self, *, timeout: float | None = None) -> None:
        """Ends the stream; returns when the service confirms it. The connection stays up.

        Raises:
            OdysseyStreamError: The client is not connected, or no stream runs.
            OdysseyTimeoutError: No answer came in time.
            OdysseyConnectionError: The connection was lost meanwhile.

        Example:
            ```python
            client.end_stream()
            recording = client.recordings.wait(stream_id)
            ```
        """
        self._live.end(self._live.deadline(timeout))

    # Frames. Each of these gets all frames, independently of the others.

    def subscribe(self, maxsize: int = 32, overflow: Overflow = "drop_oldest") -> FrameQueue:
        """Returns another queue of the same frames, independent of `frames`; close it when done.

        Args:
            maxsize: The number of frames that it holds; 1 keeps only the newest.
            overflow: What a full queue drops: `"drop_oldest"` or `"drop_newest"`.

        Example:
            ```python
            with client.subscribe(maxsize=1) as newest:
                frame = newest.get()
            ```
        """
        return self._live.subscribe(maxsize, overflow)

    def capture(self) -> Capture:
        """Returns a stand-in for `cv2.VideoCapture`, for code written with OpenCV.

        Example:
            ```python
            capture = client.capture()
            ok, picture = capture.read()                # (1280, 704, 3) uint8, BGR
            ```
        """
        return Capture(
            self.subscribe(), lambda: self.is_connected, lambda: self._live.stream is not None
        )

    def preview(self, width: int | None = None, fps: int = 10) -> Preview:
        """Shows the running stream in the output of a notebook's cell, and returns at once.

        A thread of its own shows the newest frame there until the stream or the connection ends,
        the preview is stopped, or another one begins. It takes no frames from `frames` and delays
        nothing; an error in it is logged.

        Args:
            width: Width in pixels; by default half of the video's. Pictures are never enlarged.
            fps: The most pictures a second, 1 to 60.

        Raises:
            ValueError, TypeError: An argument is wrong.
            OdysseyStreamError: The client is not connected, or no stream runs.
            OdysseyError: The program doesn't run in a notebook.

        Example:
            ```python
            client.start_stream("A cat on a windowsill")
            preview = client.preview()                  # goes on while further cells run
            client.interact("The cat yawns")
            preview.stop()
            ```
        """
        return self._previews.begin(width, fps)

    # Recordings and simulations.

    @property
    def recordings(self) -> Recordings:
        """The account's recordings; needs no connection."""
        return Recordings(self._http, self._settings.timeout, self._live.check_open)

    @property
    def simulations(self) -> Simulations:
        """The account's simulations; needs no connection."""
        return Simulations(self._http, self._settings.timeout, self._live.check_open)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an Odyssey client can't be pickled, as it has a connection and threads: make one in "
            "each process; create_client_credentials() lets another one connect"
        )

    def __del__(self) -> None:
        live = getattr(self, "_live", None)  # missing if an argument was refused
        if live is not None and live.is_open:
            close_dropped(live.close, repr(self) if self.is_connected else None, self)

    def __repr__(self) -> str:
        if not hasattr(self, "_live"):  # an argument was refused, and a debugger shows this
            return "<Odyssey>"
        return f"<Odyssey {self._settings.api_url} {self.current_status.value}>"

    def _require_image_to_video(self) -> None:
        capabilities = self._live.capabilities
        if capabilities is not None and not capabilities.image_to_video:
            raise OdysseyStreamError(
                "this session's streamer can't start from an image (no image_to_video); "
                "connect again for another one, or start from a prompt",
                reason="no_image_to_video",
            )
