"""A request to read one picture: POST /v1/images/readings."""

from pydantic import Field

from autoglm_phone.server.schemas.wire_model import WireModel


class PictureRequest(WireModel):
    model: str | None = Field(None, description="One of the names of `GET /v1/models`; left out: the served model.")
    image: str = Field(description="The picture: a data URI, base64, or an address (with `--allow-media-urls`).")
