"""Hugging Face's task wire, the asking end: `POST …/models/{id}` of its inference providers.

Texts, tables and questions travel as `{"inputs", "parameters"}`; a picture or a sound as it is,
or in base64 beside its parameters. `hf_client_requests` and `hf_client_results` are the other end.
"""

from inferd.wire.hf_inference_errors import failure
from inferd.wire.hf_inference_requests import STREAMS, TASKS, Asked, encode_request, file_field
from inferd.wire.hf_inference_results import decode_result

__all__ = ["STREAMS", "TASKS", "Asked", "decode_result", "encode_request", "failure", "file_field"]
