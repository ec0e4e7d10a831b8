"""How many calls are allowed in a span of time, counted in fixed windows as api.weixin.qq.com counts them."""


class Quota:
    """Counts the takings of one window at a time; `most` may change between calls because it is a knob."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._window = -1
        self._taken = 0

    def take(self, most: int, *, now_ms: int) -> bool:
        """Take one of `most` in the window of this moment; False when they are used up."""
        window = now_ms // self._window_ms
        if window != self._window:
            self._window, self._taken = window, 0
        if self._taken >= most:
            return False
        self._taken += 1
        return True
