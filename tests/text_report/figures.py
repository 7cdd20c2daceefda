"""What a measure gives for one paper: how many right of how many, and the bar for all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.text_report.samples import Sample


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the table.

    `count` gives (right, of) for one paper; the share over all papers must be
    at least `bar`, or at most, where `is_ceiling`. `scale` is what the share is
    shown and compared in: 100 for per cent.
    """

    name: str
    count: Callable[[Sample], tuple[float, float]]
    bar: float
    is_ceiling: bool = False
    scale: float = 100.0
    unit: str = "%"

    def share(self, counts: Sequence[tuple[float, float]]) -> float | None:
        """Over several papers; None when there is nothing to count."""
        right, of = (sum(values) for values in zip(*counts, strict=True))
        return self.scale * right / of if of else None

    def holds(self, share: float | None) -> bool:
        """Nothing to count is no failure."""
        if share is None:
            return True
        return share <= self.bar if self.is_ceiling else share >= self.bar
