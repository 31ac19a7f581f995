"""Hugging Face's own task wire: `POST …/models/{id}`, both ends of it.

As a client: `encode_request` and `decode_result`. As a server of `huggingface_hub` and
`@huggingface/inference`: `decode_request` and `encode_result`. Texts, tables and questions travel
as `{"inputs", "parameters"}`; a picture or a sound as it is, or in base64 beside its parameters.
`hf_inference_providers` holds what else the Hub's router speaks.
"""

from inferd.wire.hf_inference_errors import encode_error, failure
from inferd.wire.hf_inference_requests import (
    TASKS,
    Asked,
    content_type_of,
    decode_request,
    encode_request,
    file_field,
)
from inferd.wire.hf_inference_results import decode_result, encode_result

__all__ = [
    "TASKS",
    "Asked",
    "content_type_of",
    "decode_request",
    "decode_result",
    "encode_error",
    "encode_request",
    "encode_result",
    "failure",
    "file_field",
]
