"""The route table: patterns like /v1/sales/{sale}/orders, found by method and number of segments."""

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.web.http import Handler, Request


@dataclass(frozen=True, slots=True)
class Route:
    """One address. Segments in braces are handed to the handler, in order.

    `at_once_max`: so many of its requests at a time, where that is less than what the listener takes. A handler that
    asks somebody who answers only so many at a time would otherwise let the others wait behind each other until their
    time is up, and then nobody is served; before the door the newest go in first. `turned_away` is told of each
    request that found no room.
    """

    method: str
    pattern: str
    handler: Handler
    at_once_max: int | None = None
    turned_away: Callable[[Request], None] = lambda _: None
    name: str = field(init=False)  # the route as metrics name it: without any id

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.method} {self.pattern}")


class RouteTable:
    """Finds the route of a request."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes
        self._by_shape: dict[tuple[str, int], list[tuple[list[str | None], Route]]] = {}
        for route in routes:
            segments = [None if part.startswith("{") else part for part in route.pattern.split("/")]
            self._by_shape.setdefault((route.method, len(segments)), []).append((segments, route))

    def find(self, method: str, path: str) -> tuple[Route, list[str]] | None:
        """The route and what stands in its braces. Whatever takes GET takes HEAD."""
        found = self._find(method, path)
        return self._find("GET", path) if found is None and method == "HEAD" else found

    def _find(self, method: str, path: str) -> tuple[Route, list[str]] | None:
        parts = path.split("/")
        for segments, route in self._by_shape.get((method, len(parts)), ()):
            taken = []
            for segment, part in zip(segments, parts, strict=True):
                if segment is None and part:
                    taken.append(part)
                elif segment != part:
                    break
            else:
                return route, taken
        return None

    def methods(self, path: str) -> list[str]:
        """The methods that this path takes; none when nothing is there."""
        found = {route.method for route in self.routes if self._find(route.method, path) is not None}
        if "GET" in found:
            found.add("HEAD")
        return sorted(found | {"OPTIONS"}) if found else []
