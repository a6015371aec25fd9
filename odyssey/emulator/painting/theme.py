"""The contents of a scene: words of the prompt choose them, and its hash chooses the rest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import attrs
import numpy as np

__all__ = ["Theme", "stable_seed"]

_TABLE: dict[str, dict[str, str]] = {
    "subject": {
        "cat": "cat kitten kitty tabby lynx tiger lion leopard panther",
        "fox": "fox",
        "dog": "dog puppy wolf hound retriever corgi",
        "penguin": "penguin",
        "horse": "horse pony unicorn deer stag donkey cow zebra",
        "robot": "robot android droid machine cyborg mech",
        "person": "person man woman girl boy child kid people wizard knight hiker dancer traveler",
        "astronaut": "astronaut cosmonaut",
        "bird": "bird eagle owl parrot crow raven seagull gull dragon swan",
        "fish": "fish shark whale dolphin goldfish",
        "boat": "boat ship sailboat sailing yacht raft galleon",
        "rocket": "rocket spaceship spacecraft shuttle starship",
        "car": "car taxi truck bus van automobile driving",
        "balloon": "balloon airship zeppelin",
        "campfire": "fire campfire bonfire flame torch",
        "flower": "flower rose tulip sunflower blossom daisy",
    },
    "place": {
        "city": "city town street skyline skyscraper downtown building tokyo york paris neon urban",
        "forest": "forest wood woods jungle tree pine grove",
        "sea": "sea ocean beach coast harbor harbour lake river island water shore lighthouse surf "
        "boat ship sailboat",
        "mountain": "mountain alp peak cliff valley volcano hike summit",
        "desert": "desert dune sahara canyon cactus oasis",
        "space": "space galaxy planet moon mars asteroid nebula orbit rocket astronaut",
        "arctic": "arctic antarctica iceberg glacier ice polar tundra penguin",
        "underwater": "underwater coral reef seabed diver submarine fish shark dolphin aquarium",
        "hills": "hill meadow field farm garden park grass countryside",
    },
    "time": {
        "night": "night midnight moonlight moonlit star starry neon dark aurora firefly fireflies",
        "sunset": "sunset golden evening",
        "dusk": "dusk twilight gloaming",
        "dawn": "dawn sunrise morning",
        "day": "day noon daylight sunny sun afternoon blue-sky summer",
    },
    "weather": {
        "rain": "rain drizzle storm thunderstorm thunder lightning monsoon wet",
        "snow": "snow blizzard winter snowflake christmas frost",
        "fog": "fog mist haze misty smoke",
        "embers": "fire campfire bonfire flame lava volcano explosion burning ember",
        "petals": "petal cherry blossom spring sakura confetti party",
        "leaves": "autumn leaf leaves wind october",
        "fireflies": "firefly fireflies magic magical fairy enchanted glow glowing",
        "clear": "clear sunny cloudless calm",
    },
    "action": {
        "jump": "jump leap hop bounce pounce",
        "dance": "dance spin twirl party celebrate wave",
        "run": "run race sprint gallop chase fast rush speed",
        "sleep": "sleep nap rest yawn doze dream",
        "fly": "fly float soar hover levitate launch liftoff",
    },
    "colour": {
        name: name
        for name in [
            "red",
            "orange",
            "yellow",
            "green",
            "blue",
            "purple",
            "pink",
            "white",
            "black",
            "grey",
            "gray",
            "brown",
            "golden",
        ]
    },
    "indoors": {
        "yes": "window windowsill sill room kitchen bedroom sofa couch cafe desk indoor inside",
        "no": "outside outdoor outdoors",
    },
}
_MEANING = {
    field: {word: value for value, words in values.items() for word in words.split()}
    for field, values in _TABLE.items()
}
_NEAR = 3  # words: a colour is the figure's if the figure comes so soon after it
_TIMES = ("day", "dawn", "sunset", "dusk", "night")
_PLACES = ("hills", "mountain", "forest", "sea", "desert", "hills", "mountain")


def stable_seed(text: str) -> int:
    """A number that depends on `text` alone; the same on every machine and in every process."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


@attrs.frozen
class Theme:
    """The contents of a scene. `subject` and `colour` are "" if the prompt asks for none."""

    seed: int
    first: int  # the seed of the stream's first prompt
    place: str
    time: str
    weather: str
    subject: str
    action: str
    colour: str
    indoors: bool

    @classmethod
    def of(cls, prompt: str) -> Theme:
        """Returns the theme of a stream's first prompt."""
        found = _meanings(prompt)
        seed = stable_seed(prompt)
        chance = np.random.default_rng(seed)
        place, time = str(chance.choice(_PLACES)), str(chance.choice(_TIMES))
        place = found.get("place", place)
        return cls(
            seed=seed,
            first=seed,
            place=place,
            time=found.get("time", time),
            weather=found.get("weather", "snow" if place == "arctic" else ""),
            subject=found.get("subject", ""),
            action=found.get("action", ""),
            colour=found.get("colour", ""),
            indoors=found.get("indoors") == "yes",
        )

    def after(self, prompt: str) -> Theme:
        """Returns the theme after `prompt`: the same world, except for what that asks for.

        If it asks for nothing that is known here, the light changes: one sees that it was heard.
        """
        found = _meanings(prompt)
        seed = stable_seed(prompt)
        if found.get("place") in {"space", "underwater"}:
            found.setdefault("weather", "")
        if not {"place", "time", "weather"} & found.keys():
            others = [time for time in _TIMES if time != self.time]
            found["time"] = others[seed % len(others)]
        return attrs.evolve(
            self,
            seed=seed,
            place=found.get("place", self.place),
            time=found.get("time", self.time),
            weather=found.get("weather", self.weather),
            subject=found.get("subject", self.subject),
            action=found.get("action", ""),
            colour=found.get("colour", self.colour if "subject" not in found else ""),
            indoors=found.get("indoors", "yes" if self.indoors and "place" not in found else "no")
            == "yes",
        )


def _meanings(prompt: str) -> dict[str, str]:
    """Returns the meanings of the words by field; the first word for a field counts."""
    found: dict[str, str] = {}
    colour, since = "", 0
    for position, word in enumerate(re.findall(r"[^\W\d_]+", prompt.casefold())):
        for field, meaning in _MEANING.items():
            value = next((meaning[form] for form in _forms(word) if form in meaning), None)
            if value is None:
                continue
            if field == "colour":
                colour, since = value, position
                continue
            if field == "subject" and colour and field not in found and position - since <= _NEAR:
                found["colour"] = colour
            found.setdefault(field, value)
    return found


def _forms(word: str) -> Iterator[str]:
    """The word and what may be its dictionary form: cats, snowy, jumping, dancing, running."""
    yield word
    for ending in ("s", "es", "y", "ing", "ed"):
        stem = word.removesuffix(ending)
        if len(stem) > 2 and stem != word:
            yield stem
            if ending in {"ing", "ed"}:
                yield stem + "e"
                yield stem[:-1]
