"""What a task is: its fields, its files, and the shape of its result."""

from enum import StrEnum

import msgspec


class FieldKind(StrEnum):
    """What a field's value is."""

    TEXT = "text"
    """A str of any length."""
    STRING = "string"
    """A short str."""
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRINGS = "strings"
    """A list of str; one str counts as a list of one."""
    TEXTS = "texts"
    """A str, or a list of them."""
    TABLE = "table"
    """A 2-D array, header first; an object of columns is turned into one."""
    ROWS = "rows"
    """A list of rows of finite numbers; one row counts as a list of one."""
    MESSAGES = "messages"
    JSON = "json"


class Output(StrEnum):
    """What a task gives."""

    TEXT = "text"
    LABELS = "labels"
    SPANS = "spans"
    EMBEDDING = "embedding"
    SCORES = "scores"
    TABLE = "table"
    JSON = "json"
    ANSWER = "answer"
    IMAGE = "image"
    BOXES = "boxes"
    MASKS = "masks"
    AUDIO = "audio"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a task takes: an input or a parameter."""

    name: str
    kind: FieldKind
    label: str
    required: bool = False
    aliases: tuple[str, ...] = ()
    default: object = None
    """What a backend assumes when it is absent; `check` doesn't fill it in."""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    help: str = ""
    placeholder: str = ""
    comma_separated: bool = False
    """Of STRINGS: whether one str is a list written with commas."""
    example: object = None


class FileField(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a task takes."""

    name: str
    label: str
    accept: str
    required: bool = True


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of inference, by Hugging Face's name for it."""

    name: str
    category: str
    label: str
    description: str
    output: Output
    gives: str
    """The result's shape on the HF task wire."""
    aliases: tuple[str, ...] = ()
    wire_name: str = ""
    """The name on the HF task wire, where that isn't `name`."""
    inputs: tuple[Field, ...] = ()
    files: tuple[FileField, ...] = ()
    parameters: tuple[Field, ...] = ()
    streams: bool = False
    text_key: str = ""
    """Of a TEXT task: the key of the text in its result."""

    @property
    def spelling(self) -> str:
        """The name to send to another node."""
        return self.wire_name or self.name
