"""Python types to JSON schemas: wire models and the forms of answers become the components of the document."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

_REF = "#/components/schemas/{model}"


class _Plain(GenerateJsonSchema):
    """Without what says nothing: titles that repeat the name, and null as the default of what may be left out."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        return {key: value for key, value in described.items() if key != "default" or value is not None}

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Where a function chooses, forms may overlap: an item without a `type` can have the fields of two."""
        union = super().tagged_union_schema(schema)
        return {"anyOf": union["oneOf"]} if callable(schema["discriminator"]) else union


def to_schemas(types: Iterable[Any]) -> tuple[Mapping[Any, dict[str, Any]], dict[str, Any]]:
    """A schema for each type, and the components that they refer to."""
    wanted = list(dict.fromkeys(types))
    schemas, components = TypeAdapter.json_schemas(
        [(index, "validation", TypeAdapter(each)) for index, each in enumerate(wanted)],
        ref_template=_REF,
        schema_generator=_Plain,
    )
    return {each: schemas[index, "validation"] for index, each in enumerate(wanted)}, components.get("$defs", {})


def form_schema(model: type[BaseModel], files: Mapping[str, str]) -> dict[str, Any]:
    """Of a multipart form with its files, and what each is for."""
    schema = model.model_json_schema(schema_generator=_Plain)
    schema["properties"] = {
        **{name: {"type": "string", "format": "binary", "description": why} for name, why in files.items()},
        **{name: _form_field(field) for name, field in schema["properties"].items()},
    }
    return {**schema, "required": [*files, *schema.get("required", ())]}


def _form_field(field: Mapping[str, Any]) -> dict[str, Any]:
    """A form has neither null nor empty lists. Pages send the example of a list, which goes with few other values."""
    options = [option for option in field.get("anyOf", ()) if option != {"type": "null"}]
    shown = field if len(options) != 1 else {**options[0], **field}
    without = ("anyOf", "default", "minItems") if shown.get("type") == "array" else ("anyOf",)
    kept = {name: value for name, value in shown.items() if name not in without}
    return kept | {"examples": [[]]} if kept["type"] == "array" else kept
