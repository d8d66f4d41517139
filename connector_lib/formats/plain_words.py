"""What may be told of a text of a server: plain words, and dots for all else.

Servers put values of a request or of a record into what they say about an error, and no rule finds all of them: a name
looks like any other word. So it is the other way round: only words that can name nobody are kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

__all__ = ["PLAIN_WORDS", "plain_text"]

_WORDS: Final = """
a about above accept accepted accepts access account action admin after again against all allowed already also an and
another answer answered answers any api apis app appears application applied apply are aren't argument arguments as at
attempt attempted attempts authentication authorization authorized available bad base be because been before below
between blocked body both bulk bundle busy but by cached call calls can can't canceled cancelled cannot cause caused
certificate chained changed check class client closed code column columns conditional config configuration conflict
connect connection constraint contact contain contains content contract could couldn't count create created
credentials currently cursor daily database dataset date days deadlock delete deleted denied didn't disabled does
doesn't don't down due duplicate during each either element elements empty enabled encoding endpoint entity
environment error event events every exactly exceed exceeded exceeds exception exist exists expect expected expired
expires export failed failing fails failure fault faults fetch few fhir field file files filter filters first
following follows for forbidden form format found from full get given go gone got group groups had handle has hasn't
have haven't header headers here history host hour hours how however http https id identifier ids if ignored in
inactive include incomplete incorrect index information input instance instant integer integers interaction internal
interval into invalid is isn't issue it it's item items its json just keep kept key keys know known language large
larger last later latest least left length less license limit link list lists load locked log login longer made
maintenance make makes making malformed many match matches maximum memory message method minimum minute minutes
missing modifier month months more most must name names near need needed needs never next no nobody none nor not now
null number numbers object objects of off offset often older on once one only open operation operations or order our
out over overloaded own page pages paging param parameter parameters parse parser partition password path patient
patients per perform period permission permissions permitted plain plan please possible prefix previous private
problem process processed processing profile project property provide provided proxy public query queue queued quota
raise range rate rather reached read ready reason receive received record records reference refused region register
registered reject rejected rejects relation release reload remaining remove removed renew renewed request requested
requests required requires requiring reserved reset resource resources response rest result results retired retrieve
retry returned review revinclude right root route row rows run running safe same scheme scope scopes search second
seconds secret secure see seems send sent server service session set sets shall shared short shorter should shouldn't
shut sign signature signed since size slow smaller some something soon sorry sort sorted source specified stale start
started starts state statement states still stop stopped storage stored string strings structure subject subscription
such supplied supply support supported suspended syntax system table tables take taken target temporarily temporary
tenant tenants text than that the their them then there there's these they this those three throttle throttled
throttling through time timed timeout to today together token tokens too tool tools topic total traffic transaction
truncated try two type unable unauthorized unavailable undefined under undergoing unexpected unknown unless
unreachable unrecognized unset unsupported until unused up update updated updates upgrade upload upstream uri url us
use used user username users uses using validation value values verify version versions via wait want warning was
wasn't we were weren't what when where which while whole with within without won't words work works written wrong year
years yet you your
"""
PLAIN_WORDS: Final = frozenset(_WORDS.split())
"""Words of messages about requests. They are kept as they are written here, and with a capital at the start of a text:
in the middle of one, it may be that of a name."""

_ALSO_NAMES: Final = frozenset(
    ("base", "field", "given", "host", "link", "list", "match", "page", "private", "see", "short")
)
"""Plain words that are surnames as well. They are kept in small letters only."""
_ACRONYMS: Final = frozenset(
    ("API", "CSV", "HTTP", "HTTPS", "ID", "JSON", "JWT", "OAuth", "OAuth2", "SSL", "TLS", "URI", "URL", "UTC", "XML")
)
_BEFORE_NUMBERS: Final = frozenset(
    ("attempt", "error", "exceed", "exceeds", "least", "limit", "maximum", "minimum", "most", "status", "than")
)
"""Behind these words stands a limit or a code, and no patient's number."""
_TOKEN: Final = re.compile(r"[_$]?[^\W_]+(?:[_-][^\W_]+)*(?:['’][a-z]{1,2}(?!\w))?|[^\w\s]|\s+")
_WORD: Final = re.compile(r"\w")
_DOTS: Final = re.compile(r"…(?:\W*…)+")
_SHORT_NUMBER: Final = re.compile(r"\d{1,4}", re.ASCII)


def plain_text(text: str, *, names: Collection[str] = (), code: re.Pattern[str] | None = None, longest: int) -> str:
    """The first ``longest`` letters of ``text``, with ``…`` for each word that could be a value.

    ``names`` are kept besides :data:`PLAIN_WORDS`, such as those of parameters that were asked with; so is what
    ``code`` matches, and a text may begin behind it.

    >>> plain_text("No patient John Smith born 1980-02-30 in ward 7", longest=200)
    'No patient … in …'
    >>> plain_text("The parameter 'page_size' is too large", names=["page_size"], longest=200)
    "The parameter 'page_size' is too large"
    """
    kept: list[str] = []
    begins = True
    before: str | None = None
    for token in _TOKEN.findall(text[: 20 * longest]):
        if not _WORD.search(token):
            kept.append(token)
            before = before if token.isspace() else None
            continue
        is_code = code is not None and code.fullmatch(token) is not None
        is_limit = before in _BEFORE_NUMBERS and _SHORT_NUMBER.fullmatch(token) is not None
        plain = is_code or is_limit or token in names or token in _ACRONYMS or _is_plain(token, begins)
        kept.append(token if plain else "…")
        begins = begins and is_code
        before = token.lower()
    told = " ".join(_DOTS.sub("…", "".join(kept)).split())
    told = "".join(letter for letter in told if letter.isprintable())
    return told if len(told) <= longest else f"{told[: longest - 1]}…"


def _is_plain(token: str, begins: bool) -> bool:
    word = token.replace("’", "'")
    if word not in PLAIN_WORDS and word.endswith("'s"):
        word = word[:-2]
    if word in PLAIN_WORDS:
        return True
    return begins and word.lower() in PLAIN_WORDS and word.lower() not in _ALSO_NAMES
