"""HTTP/1.1, the client end: a keep-alive pool for each upstream."""

from inferd.http1.client.client import Client, Timeouts
from inferd.http1.client.connection import Mend
from inferd.http1.client.heads import Head
from inferd.http1.client.response import Response
from inferd.http1.client.upload import Body
from inferd.http1.client.url import Url, parse_url

__all__ = ["Body", "Client", "Head", "Mend", "Response", "Timeouts", "Url", "parse_url"]
