"""GET /openapi.json: the description of both listeners, on both of them."""

from engine.web.http import JSON_TYPE, Request, Response
from engine.web.routes import Route


class DescriptionDesk:
    """Serves the OpenAPI document as it was read at the start."""

    def __init__(self, document: bytes) -> None:
        self._document = document

    def routes(self) -> list[Route]:
        return [Route("GET", "/openapi.json", self.get_description)]

    async def get_description(self, _: Request) -> Response:
        """The OpenAPI 3.1 document."""
        return Response(body=self._document, content_type=JSON_TYPE)
