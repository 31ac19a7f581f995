"""HTTP/1.1, the client end: a keep-alive pool for each upstream."""

from inferd.http1.client.client import Body, Client, Timeouts
from inferd.http1.client.response import Response
from inferd.http1.client.url import Url, parse_url

__all__ = ["Body", "Client", "Response", "Timeouts", "Url", "parse_url"]
