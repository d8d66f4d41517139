"""One client for every API. No Spark here.

``client``    get, post, pages, lines of a file
``exchange``  the one loop around send, read and decode
``retry``     when a request is sent again, and how long is waited
``body``      the body of an answer: streamed, counted, decompressed, decoded
``origin``    which addresses a client may ask
``pacing``    requests at the pace that an API allows
``paging``    how an answer leads to its next page, with guards against walks without an end
``auth``      logins; ``smart``: those of SMART backend services
``failures``  errors made from answers
``messages``  a request and the answer to it
``session``   the session of requests, without what it does unasked

The names that a source needs are here.
"""

from connector_lib.http.auth import Auth, BasicAuth, BearerAuth, HeaderKeyAuth, NoAuth, OAuth2ClientCredentials
from connector_lib.http.client import HttpClient
from connector_lib.http.messages import Answer, Params, Request
from connector_lib.http.origin import NextLinkPolicy
from connector_lib.http.pacing import Pace
from connector_lib.http.paging import (
    LinkHeaderPaginator,
    NextLinkPaginator,
    OffsetPaginator,
    Page,
    PageNumberPaginator,
    PageRequest,
    Paginator,
    TokenPaginator,
)
from connector_lib.http.retry import RetryPolicy
from connector_lib.http.smart import SmartBackendServices

__all__ = [
    "Answer",
    "Auth",
    "BasicAuth",
    "BearerAuth",
    "HeaderKeyAuth",
    "HttpClient",
    "LinkHeaderPaginator",
    "NextLinkPaginator",
    "NextLinkPolicy",
    "NoAuth",
    "OAuth2ClientCredentials",
    "OffsetPaginator",
    "Pace",
    "Page",
    "PageNumberPaginator",
    "PageRequest",
    "Paginator",
    "Params",
    "Request",
    "RetryPolicy",
    "SmartBackendServices",
    "TokenPaginator",
]
