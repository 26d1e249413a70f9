"""StepCosts: what a further position costs in a step of one stream, measured while serving."""

# The 0.5B decoder on two cores, 1, 2, 3, 4, 5, 6, 8, 16 positions with logits: 35, 47, 73, 71, 97, 97, 126, 214 ms;
# with logits of the last one only: 35, 44, 58, 62, 76, 83, 103, 172 ms.
FIRST_SLOPE = 0.35
WITHOUT_LOGITS = 0.75  # of the slope
SMOOTHING = 0.1  # weight of the newest step
MIN_LOGITS = 3  # fewer say little about the slope


class StepCosts:
    """A step with n logits takes 1 + slope * (n - 1) times as long as one with a single one; odd n are rounded up.

    Kernels compute columns in pairs: three logits cost what four do.
    """

    def __init__(self, slope: float = FIRST_SLOPE) -> None:
        self._slope = slope
        self._single_s: float | None = None

    def ratio(self, num_positions: int, num_more: int) -> float:
        """Duration of a step with num_more guesses, in durations of the step without them.

        num_positions   what is computed anyway, with one logit
        """
        without = 1 + WITHOUT_LOGITS * self._slope * (num_positions - 1)
        return 1 + self._slope * _further(1 + num_more) / without

    def observe(self, num_logits: int, seconds: float) -> None:
        """Learn from a step that computed one stream's last token and guesses, and nothing else."""
        if num_logits == 1:
            known = self._single_s
            self._single_s = seconds if known is None else known + SMOOTHING * (seconds - known)
        elif self._single_s is not None and num_logits >= MIN_LOGITS:
            slope = max(0.0, (seconds / self._single_s - 1) / _further(num_logits))
            self._slope += SMOOTHING * (slope - self._slope)


def _further(num_logits: int) -> int:
    return 0 if num_logits == 1 else num_logits + num_logits % 2 - 1
