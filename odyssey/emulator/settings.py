"""The settings of an emulator, shared by all of its parts."""

from __future__ import annotations

from typing import Literal

import attrs

from odyssey.emulator.faults import Faults
from odyssey.emulator.limits import Limits
from odyssey.emulator.tokens import Keys

__all__ = ["Codec", "Settings"]

Codec = Literal["vp8", "h264"]


@attrs.define(kw_only=True, eq=False)
class Settings:
    """`limits` may be replaced at run time; the rest stays."""

    limits: Limits = attrs.field(validator=attrs.validators.instance_of(Limits))
    faults: Faults = attrs.field(validator=attrs.validators.instance_of(Faults))
    keys: Keys
    codec: Codec = attrs.field(default="vp8", validator=attrs.validators.in_(("vp8", "h264")))
    bitrate: int = attrs.field(default=3_000_000, validator=attrs.validators.ge(100_000))
    url_lifetime: float = attrs.field(default=3600.0, validator=attrs.validators.gt(0))
    rewrite_prompts: bool = False
    trickle: bool = False
    image_to_video: bool = True
    bypass_expansion: bool = True

    def applied(self, prompt: str, *, bypass: bool = False) -> str:
        """Returns the prompt as it is applied; `bypass` asks to leave it unchanged."""
        if not self.rewrite_prompts or bypass or not prompt:
            return prompt
        return f"Cinematic shot: {prompt}"
