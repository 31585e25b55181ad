"""The server: recipes behind the APIs of models. An ASGI app for any server, and what `recipelang serve` runs.

>>> from recipelang.serving import app
>>> application = app("std.direct", "std.local_models")  # any ASGI server runs it; `mount("/", ...)` puts it into another
"""

from recipelang.serving.application import app, reload
from recipelang.serving.bodies import BodyLimits
from recipelang.serving.keys import Key, Keys
from recipelang.serving.reports import Report, RequestLog

__all__ = ["BodyLimits", "Key", "Keys", "Report", "RequestLog", "app", "reload"]
