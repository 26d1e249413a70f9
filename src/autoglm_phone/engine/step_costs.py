"""StepCosts: what a further position costs in a step of one stream, measured while serving."""

# The 0.5B decoder on two cores, 1, 2, 3, 4, 5, 6, 8, 16 positions with logits: 35, 47, 73, 71, 97, 97, 126, 214 ms.
FIRST_SLOPE = 0.35
SMOOTHING = 0.1  # weight of the newest step
MIN_POSITIONS = 3  # fewer say little about the slope


class StepCosts:
    """A step of n positions takes 1 + slope * (n - 1) times as long as one of a single one; odd ones are rounded up.

    Kernels compute columns in pairs: three positions cost what four do.
    """

    def __init__(self, slope: float = FIRST_SLOPE) -> None:
        self._slope = slope
        self._single_s: float | None = None

    def ratio(self, num_positions: int, num_more: int) -> float:
        """Duration of a step with num_more further positions, in durations of the step without them."""
        return self._duration(num_positions + num_more) / self._duration(num_positions)

    def observe(self, num_positions: int, seconds: float) -> None:
        """Learn from a step that computed nothing but one stream."""
        if num_positions == 1:
            known = self._single_s
            self._single_s = seconds if known is None else known + SMOOTHING * (seconds - known)
        elif self._single_s is not None and num_positions >= MIN_POSITIONS:
            slope = max(0.0, (seconds / self._single_s - 1) / _further(num_positions))
            self._slope += SMOOTHING * (slope - self._slope)

    def _duration(self, num_positions: int) -> float:
        return 1 + self._slope * _further(num_positions)


def _further(num_positions: int) -> int:
    return 0 if num_positions == 1 else num_positions + num_positions % 2 - 1
