"""`Odyssey`: the facade. Checks arguments and hands them on."""

from __future__ import annotations

import os
import time
import warnings
from types import TracebackType
from typing import TYPE_CHECKING

from odyssey._deadline import Deadline
from odyssey._flat_names import FlatNames
from odyssey._http import HttpClient
from odyssey._live import Live
from odyssey._preview import Previews
from odyssey._telemetry import Telemetry
from odyssey._views import Views
from odyssey.config import AdvancedConfig, Settings, check_text, check_timeout
from odyssey.errors import OdysseyStreamError

if TYPE_CHECKING:
    from odyssey._callbacks import (
        BroadcastReadyCallback,
        ConnectedCallback,
        DisconnectedCallback,
        ErrorCallback,
        InteractAcknowledgedCallback,
        StatusChangeCallback,
        StreamEndedCallback,
        StreamErrorCallback,
        StreamStartedCallback,
        VideoFrameCallback,
    )
    from odyssey._images import ImageInput
    from odyssey.models import ClientCredentials
    from odyssey.stream import Stream


class Odyssey(FlatNames, Views):
    """A client of the service. Every method blocks until it is done, at most `timeout` seconds.

    Making one does no I/O and starts no thread. Clients are safe to share between threads.

    Args:
        api_key: the key; without one, the environment's `ODYSSEY_API_KEY`. `""` is the same as
            none. A call that needs a key where there is none raises `ValueError`.
        api_url: the service; without one, `ODYSSEY_API_URL`, then `https://api.odyssey.ml`.
        timeout: seconds that a blocking call waits, unless it is given its own; None for no limit.
        queue_timeout: seconds to wait for a free streamer, within the call's own time; without
            one, `advanced.queue_timeout_s`.
        frame_buffer: frames that `frames` holds before it drops the oldest.
        debug: logs at DEBUG to stderr: a shorthand for setting up `logging`.
        advanced: retries of connecting.
        enable_telemetry: tells the service which calls succeeded or failed, by the names of calls
            and error classes; never anything of a key, token, prompt or address.

    Raises:
        ValueError, TypeError: an argument is wrong; the text says which and how.

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
        settings = Settings.make(api_key, api_url, timeout, queue_timeout, frame_buffer, advanced)
        if debug:
            from odyssey._debug import log_to_stderr

            log_to_stderr()
        self._settings = settings
        self._http = HttpClient(settings.api_url, settings.require_key)
        self._live = Live(
            settings, self._http, Telemetry(self._http, enabled=bool(enable_telemetry))
        )
        self._previews = Previews(self._live)

    # Connecting.

    def connect(
        self,
        on_connected: ConnectedCallback | None = None,
        on_disconnected: DisconnectedCallback | None = None,
        on_video_frame: VideoFrameCallback | None = None,
        on_stream_started: StreamStartedCallback | None = None,
        on_stream_ended: StreamEndedCallback | None = None,
        on_interact_acknowledged: InteractAcknowledgedCallback | None = None,
        on_broadcast_ready: BroadcastReadyCallback | None = None,
        on_stream_error: StreamErrorCallback | None = None,
        on_error: ErrorCallback | None = None,
        on_status_change: StatusChangeCallback | None = None,
        *,
        timeout: float | None = None,
    ) -> Odyssey:
        """Connects to a streamer; returns the client when video and both data channels are there.

        Already connected: returns at once. A connection lost later is final; connect again. The
        callbacks run on threads of their own, events in order, and may call any method.

        Raises:
            ValueError: there is no API key.
            OdysseyAuthError: the key was refused.
            OdysseyUsageError: a limit of the account (one of its classes).
            OdysseyTimeoutError: no streamer was free, or the connection was not ready, in time;
                the text names what was missing.
            OdysseyConnectionError: the service can't be reached, or ended the connection.

        Example:
            ```python
            client.connect(on_video_frame=lambda frame: print(frame.index))
            ```
        """
        from odyssey._callbacks import Handlers

        handlers = Handlers(
            on_connected,
            on_disconnected,
            on_video_frame,
            on_stream_started,
            on_stream_ended,
            on_interact_acknowledged,
            on_broadcast_ready,
            on_stream_error,
            on_error,
            on_status_change,
        )
        self._live.connect(handlers, self._deadline(timeout), None)
        return self

    def connect_with_credentials(
        self,
        credentials: ClientCredentials,
        on_connected: ConnectedCallback | None = None,
        on_disconnected: DisconnectedCallback | None = None,
        on_video_frame: VideoFrameCallback | None = None,
        on_stream_started: StreamStartedCallback | None = None,
        on_stream_ended: StreamEndedCallback | None = None,
        on_interact_acknowledged: InteractAcknowledgedCallback | None = None,
        on_broadcast_ready: BroadcastReadyCallback | None = None,
        on_stream_error: StreamErrorCallback | None = None,
        on_error: ErrorCallback | None = None,
        on_status_change: StatusChangeCallback | None = None,
        *,
        timeout: float | None = None,
    ) -> Odyssey:
        """As `connect`, with a session that a program with the API key made; needs no key.

        Raises:
            OdysseyAuthError: the session token was refused: expired, or used before.

        Example:
            ```python
            credentials = ClientCredentials.from_dict(json.loads(text))
            Odyssey().connect_with_credentials(credentials)
            ```
        """
        from odyssey.models import ClientCredentials

        if not isinstance(credentials, ClientCredentials):
            raise TypeError(
                f"credentials must be ClientCredentials, not {type(credentials).__name__}; "
                "use ClientCredentials.from_dict"
            )
        from odyssey._callbacks import Handlers

        handlers = Handlers(
            on_connected,
            on_disconnected,
            on_video_frame,
            on_stream_started,
            on_stream_ended,
            on_interact_acknowledged,
            on_broadcast_ready,
            on_stream_error,
            on_error,
            on_status_change,
        )
        self._live.connect(handlers, self._deadline(timeout), credentials)
        return self

    def create_client_credentials(self) -> ClientCredentials:
        """A session that a program without the API key can connect to, once, within 600 s.

        Raises:
            As `connect`, as far as the REST API is concerned.

        Example:
            ```python
            json.dumps(client.create_client_credentials().to_dict())    # send this to the program
            ```
        """
        from odyssey._sessions import request_credentials

        self._live.check_open()
        self._settings.require_key()
        return request_credentials(
            self._http, self._deadline(None), self._settings.queue_timeout, time.sleep
        )

    def disconnect(self) -> None:
        """Ends the stream and the connection and releases the session. Idempotent; never raises.

        Whoever waits on the connection is woken. Returns within 3 s even if the service is frozen.
        """
        self._live.disconnect()

    def close(self) -> None:
        """`disconnect()`, for good: also ends the threads and the HTTP connections. Idempotent."""
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
        """Starts a stream; returns its id when the service says that it runs.

        Args:
            prompt: what to show; may be empty.
            portrait: 704x1280, else 1280x704. Some models make other sizes: read the frame's.
            image: a picture to begin with: a file's path, `data:` URL, bytes, `PIL.Image`, or
                uint8 array (height, width, 3) RGB or (height, width) gray; at most 25 MB.
            image_path: deprecated; use `image`.
            bypass_prompt_expansion: asks the service not to rewrite the prompt.
            broadcast: lets others watch: see `on_broadcast_ready`.

        Raises:
            ValueError, TypeError: an argument is wrong; nothing was sent.
            OdysseyStreamError: not connected, or the service refused.
            OdysseyUsageError: a limit of the account (one of its classes).
            OdysseyTimeoutError: no answer in time; the connection stays up.
            OdysseyConnectionError: the connection was lost meanwhile.

        Example:
            ```python
            stream_id = client.start_stream("A cat on a windowsill", portrait=False)
            ```
        """
        check_text(prompt, "prompt")
        if image_path is not None:
            warnings.warn("image_path is deprecated; use image", DeprecationWarning, stacklevel=2)
            if image is not None:
                raise ValueError("give image or image_path, not both")
            image = image_path
        deadline = self._deadline(timeout)
        self._live.require_connected("start a stream")
        encoded = None
        if image is not None:
            from odyssey._images import encode_image

            self._require_image_to_video()
            encoded = encode_image(image, portrait=portrait)
        return self._live.start(
            prompt,
            deadline,
            portrait=bool(portrait),
            image=encoded,
            broadcast=bool(broadcast),
            bypass_prompt_expansion=bool(bypass_prompt_expansion),
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
        """A context manager: the stream starts on entry, ends on exit, also when the body raises.

        Arguments as `start_stream`; `timeout` is that of the start.

        Example:
            ```python
            with client.stream("A lighthouse in a storm", portrait=False) as stream:
                for frame in stream:
                    ...
            ```
        """
        from odyssey.stream import Stream

        return Stream(self, prompt, portrait, image, bypass_prompt_expansion, broadcast, timeout)

    def interact(self, prompt: str, *, timeout: float | None = None) -> str:
        """Steers the stream; returns the prompt as the service applied it.

        Calls from several threads at once each get their own acknowledgement.

        Raises:
            ValueError, TypeError: the prompt is no text, empty, or too long for a message.
            OdysseyStreamError: not connected, no stream, or the service refused.
            OdysseyTimeoutError: no acknowledgement in time.
            OdysseyConnectionError: the connection was lost meanwhile.

        Example:
            ```python
            applied = client.interact("The cat yawns", timeout=10)
            ```
        """
        if not check_text(prompt, "prompt").strip():
            raise ValueError("prompt must not be empty: say what should change")
        return self._live.interact(prompt, self._deadline(timeout))

    def end_stream(self, *, timeout: float | None = None) -> None:
        """Ends the stream; returns when the service says so. The connection stays up.

        Raises:
            OdysseyStreamError: not connected, or no stream.
            OdysseyTimeoutError: no answer in time.
            OdysseyConnectionError: the connection was lost meanwhile.

        Example:
            ```python
            client.end_stream()
            recording = client.recordings.wait(stream_id)
            ```
        """
        self._live.end(self._deadline(timeout))

    def __repr__(self) -> str:
        return f"<Odyssey {self._settings.api_url} {self.current_status.value}>"

    def _deadline(self, timeout: float | None) -> Deadline:
        return Deadline.after(self._settings.timeout if timeout is None else check_timeout(timeout))

    def _require_image_to_video(self) -> None:
        capabilities = self._live.capabilities
        if capabilities is not None and not capabilities.image_to_video:
            raise OdysseyStreamError(
                "this session's streamer can't start from an image (no image_to_video); "
                "connect again for another one, or start from a prompt",
                reason="no_image_to_video",
            )
