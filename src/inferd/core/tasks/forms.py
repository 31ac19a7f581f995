"""A task described: to the page that draws its form, and to tools that read JSON Schema."""

from inferd.core.tasks.model import Field, FieldKind, FileField, Task
from inferd.core.tasks.registry import task_named

_WIDGETS = {
    FieldKind.TEXT: "textarea",
    FieldKind.STRING: "text",
    FieldKind.INTEGER: "number",
    FieldKind.NUMBER: "number",
    FieldKind.BOOLEAN: "checkbox",
    FieldKind.STRINGS: "chips",
    FieldKind.TEXTS: "textarea",
    FieldKind.TABLE: "json",
    FieldKind.ROWS: "json",
    FieldKind.MESSAGES: "json",
    FieldKind.JSON: "json",
}

_STRINGS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 1}
_SCHEMAS: dict[FieldKind, dict[str, object]] = {
    FieldKind.TEXT: {"type": "string"},
    FieldKind.STRING: {"type": "string"},
    FieldKind.INTEGER: {"type": "integer"},
    FieldKind.NUMBER: {"type": "number"},
    FieldKind.BOOLEAN: {"type": "boolean"},
    FieldKind.STRINGS: {"anyOf": [_STRINGS, {"type": "string"}]},
    FieldKind.TEXTS: {"anyOf": [{"type": "string"}, _STRINGS]},
    FieldKind.TABLE: {"type": "array", "items": {"type": "array"}, "minItems": 1},
    FieldKind.ROWS: {"anyOf": [{"type": "array", "items": _NUMBERS, "minItems": 1}, _NUMBERS]},
    FieldKind.MESSAGES: {"type": "array", "items": {"type": "object"}, "minItems": 1},
    FieldKind.JSON: {},
}


def form(task: Task | str) -> dict[str, object]:
    """Return what a page needs to draw the task's form: the `schema` of `GET /run?task=`."""
    known = task_named(task) if isinstance(task, str) else task
    return {
        "category": known.category,
        "label": known.label,
        "description": known.description,
        "inputs": [_drawn(field) for field in known.inputs],
        "files": [_drawn_file(file) for file in known.files],
        "advanced": [_drawn(field) for field in known.parameters],
        "output": known.output.value,
        "streams": known.streams,
    }


def example(task: Task | str) -> dict[str, object]:
    """Return a payload that the task accepts."""
    known = task_named(task) if isinstance(task, str) else task
    return {field.name: field.example for field in known.inputs if field.example is not None}


def json_schema(task: Task | str) -> dict[str, object]:
    """Return a JSON Schema of the task's payload."""
    known = task_named(task) if isinstance(task, str) else task
    parameters = {field.name: _schema(field) for field in known.parameters}
    return {
        "type": "object",
        "title": known.label,
        "description": known.description,
        "properties": {
            **{field.name: _schema(field) for field in known.inputs},
            "parameters": {
                "type": "object",
                "properties": parameters,
                "additionalProperties": True,
            },
        },
        "required": [field.name for field in known.inputs if field.required],
        "additionalProperties": True,
    }


def _drawn(field: Field) -> dict[str, object]:
    drawn: dict[str, object] = {
        "name": field.name,
        "type": "select" if field.choices else _WIDGETS[field.kind],
        "kind": field.kind.value,
        "label": field.label,
        "required": field.required,
    }
    optional: dict[str, object] = {
        "default": field.default,
        "choices": list(field.choices) or None,
        "min": field.minimum,
        "max": field.maximum,
        "help": field.help or None,
        "placeholder": field.placeholder or None,
        "example": field.example,
        "comma_separated": field.comma_separated or None,
    }
    return drawn | {key: value for key, value in optional.items() if value is not None}


def _drawn_file(file: FileField) -> dict[str, object]:
    return {
        "name": file.name,
        "type": "file",
        "label": file.label,
        "required": file.required,
        "accept": file.accept,
    }


def _schema(field: Field) -> dict[str, object]:
    also = f"Also accepted as {', '.join(field.aliases)}." if field.aliases else ""
    words = " ".join(filter(None, [f"{field.label}.", field.help, also]))
    schema: dict[str, object] = {**_SCHEMAS[field.kind], "description": words}
    optional: dict[str, object] = {
        "enum": list(field.choices) or None,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "default": field.default,
        "examples": None if field.example is None else [field.example],
    }
    return schema | {key: value for key, value in optional.items() if value is not None}
