"""Texts from templates, and phrase search in them without writing the texts.

Each template is a known row of tokens, fixed words and slots, and each slot is
turned by a wheel. So where a phrase can begin, and for which papers it stands
there, is arithmetic on wheel patterns (see `wheels`).
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

from service.devtools.stand_in.wheels import Masks, Wheel

_TOKEN = re.compile(r"\w+")
_TEMPLATE_TOKEN = re.compile(r"\{(?P<slot>[a-z]+\d)\}|(?P<word>\w+)")


@lru_cache(maxsize=4096)
def tokens_of(text: str) -> tuple[str, ...]:
    """The words of `text` as search compares them: no case, no accents, no punctuation."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return tuple(_TOKEN.findall("".join(c for c in plain if not unicodedata.combining(c))))


class Prose:
    """One kind of text (title, abstract): templates, and the wheels that fill them."""

    def __init__(
        self, templates: Sequence[str], choice: Wheel[int], slots: Mapping[str, Wheel[str]]
    ) -> None:
        self._templates = tuple(templates)
        self._choice = choice
        self._slots = slots
        self._rows = [_row(template) for template in templates]

    def text(self, number: int) -> str:
        """The text of paper `number`; begins with a capital letter."""
        words = {name: wheel.at(number) for name, wheel in self._slots.items()}
        text = self._templates[self._choice.at(number)].format_map(words)
        return text[0].upper() + text[1:]

    def mask(self, phrase: Sequence[str], masks: Masks) -> int:
        """The papers whose text holds the tokens of `phrase` next to each other."""
        found = 0
        for index, row in enumerate(self._rows):
            chosen = masks.periodic(self._choice.places_of(index))
            for start in range(len(row) - len(phrase) + 1):
                found |= self._mask_at(row[start:], phrase, chosen, masks)
        return found

    def _mask_at(
        self, row: Sequence[tuple[bool, str]], phrase: Sequence[str], chosen: int, masks: Masks
    ) -> int:
        """The papers of `chosen` where `phrase` stands at the beginning of `row`."""
        pairs = list(zip(row, phrase, strict=False))
        if any(not is_slot and name != word for (is_slot, name), word in pairs):
            return 0
        for (is_slot, name), word in pairs:
            if is_slot and chosen:
                chosen &= masks.periodic(self._slots[name].pattern(partial(_is, word)))
        return chosen


def _is(word: str, value: str) -> bool:
    """Whether `value`, which may be accented or capitalized, is the token `word`."""
    return tokens_of(value) == (word,)


def _row(template: str) -> list[tuple[bool, str]]:
    """The tokens of a template: (True, slot name) or (False, word)."""
    found = _TEMPLATE_TOKEN.finditer(template.replace("{{", " ").replace("}}}", "} "))
    return [
        (True, match["slot"]) if match["slot"] else (False, match["word"].casefold())
        for match in found
    ]
