"""PromptCosts: what a prompt token costs, learnt from steps: more, the more tokens stand before it."""

SMOOTHING = 0.2  # weight of the newest step; a noisy machine needs several to be believed
# Until steps have been seen at different depths: attention to 1,000 tokens costs 0.3 of an average prompt token. The
# 0.5B on two cores: nearly nothing with the wheel's kernels, half of one with those built for the machine.
FIRST_SLOPE = 0.3 / 1000
DOUBT = 300.0**2  # variance of depths (in tokens squared) at which what was seen counts as much as FIRST_SLOPE


class PromptCosts:
    """A straight line through seconds a token over depth, newer steps counting more."""

    def __init__(self) -> None:
        self._token_s: float | None = None
        self._depth = self._variance = self._covariance = 0.0

    def token_s(self, depth: float) -> float | None:
        """Seconds a prompt token costs behind `depth` others; None until a step has been seen."""
        if self._token_s is None:
            return None
        seen = self._covariance + FIRST_SLOPE * self._token_s * DOUBT
        slope = max(0.0, seen / (self._variance + DOUBT))
        at_start_s = self._token_s - slope * self._depth
        if at_start_s < 0.0:  # noise: nothing costs less than nothing at the start of a prompt
            return self._token_s * depth / self._depth if depth > self._depth else self._token_s
        return at_start_s + slope * depth

    def observe(self, token_s: float, depth: float) -> None:
        """Learn from a step that computed nothing but prompts, whose tokens stood behind `depth` others on average."""
        if self._token_s is None:
            self._token_s, self._depth = token_s, depth
            return
        off_s, off_depth = token_s - self._token_s, depth - self._depth
        self._token_s += SMOOTHING * off_s
        self._depth += SMOOTHING * off_depth
        self._variance = (1 - SMOOTHING) * (self._variance + SMOOTHING * off_depth * off_depth)
        self._covariance = (1 - SMOOTHING) * (self._covariance + SMOOTHING * off_depth * off_s)
