"""What a tool reads on stdin: one text, whatever was asked."""

from collections.abc import Sequence

from inferd.core.content import Message
from inferd.core.errors import UnsupportedTask
from inferd.core.request import InferenceRequest

_SPEAKERS = {"user": "User", "assistant": "Assistant"}
_NOT_FOR_TOOLS = ("tools", "tool_choice", "response_format")


def prompt_of(request: InferenceRequest, name: str) -> str:
    """Return the text that stands for a request.

    A single turn is given as it is, after what the system says; of more, each begins with who
    speaks.

    Raises:
        UnsupportedTask: It asks for what a tool on stdin can't be given: another backend may do it.
    """
    if request.task == "text-generation":
        return str(request.inputs["prompt"])
    for parameter in _NOT_FOR_TOOLS:
        if request.parameters.get(parameter):
            raise UnsupportedTask(f"{name} is a command-line tool, and takes no {parameter}")
    messages = request.inputs["messages"]
    assert isinstance(messages, Sequence)
    turns = [message for message in messages if isinstance(message, Message)]
    if any(turn.parts or turn.tool_calls or turn.role == "tool" for turn in turns):
        raise UnsupportedTask(f"{name} is a command-line tool, and takes text only")
    said = [turn for turn in turns if turn.role in _SPEAKERS]
    before = [turn.text for turn in turns if turn.role not in _SPEAKERS]
    if len(said) == 1:
        return "\n\n".join([*before, said[0].text])
    spoken = [f"{_SPEAKERS[turn.role]}: {turn.text}" for turn in said]
    return "\n\n".join([*before, *spoken, "Assistant:"])
