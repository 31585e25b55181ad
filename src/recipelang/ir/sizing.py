"""The constants by which sizes are bounded without a tokenizer; the compiler proves with them, the interpreter keeps them.

Byte-level tokenizers never make more tokens than there are bytes, so a prompt has at most as many tokens as its bytes
of UTF-8, and what a provider's chat template puts around them.
"""

from __future__ import annotations

GREATEST_INTEGER = 2**63 - 1
"""Integers stay between this and its negative: a larger literal is refused, arithmetic stops there."""

CALL_TOKENS = 64
"""Tokens that a chat template may add to a call: its own system message, the turn that opens the answer."""

MESSAGE_TOKENS = 16
"""Tokens that a chat template may add around one message."""

BYTES_PER_TOKEN = 8
"""An answer of n tokens is quoted in another prompt up to 8 n bytes, and visibly cut there. Texts have 3 to 5 bytes a
token, so that only an answer that is no text is ever cut."""

FENCE_BYTES = 160
"""The fence around one quoted value, with its number and the mark that says it was cut, at most."""

REPAIR_BYTES = 2_000
"""The message that asks for a repair, without the answer that it quotes, at most; longer ones are cut."""

PROMPTED_BYTES = 160
"""What is said to a model that is shown the schema of its answer instead of being held to it, besides the schema, at most."""

DEFAULT_MAX_TOKENS = 1_024
"""Completion tokens of a role that does not say."""

DEFAULT_TIMEOUT = 120.0
"""Seconds for a call with no timeout of its own and no budget of time over it."""

MAX_RETRY_DELAY = 8.0
"""Seconds between two attempts, at most, jitter included, unless the provider asks for longer within the timeout."""

SCALAR_BYTES = 40
"""A number or a bool in a prompt, at most."""

HEADING_BYTES = 24
"""What stands before an item of a list, or around the name of a record's field, at most."""

FINISH_BYTES = 64
"""Why an answer ended, as a provider may put it, where a prompt quotes that; cut there."""
DEFAULT_HOST_TIMEOUT = 30.0
"""Seconds for a call of a host function that does not say."""

DEFAULT_HOST_BYTES = 8_000
"""Bytes of a text that a host function gave that a prompt shows at most, where the function does not say."""

HOST_RETRY_DELAY = 0.5
"""Seconds between two attempts at a host function."""

TASK_NAME_BYTES = 40
"""The name of a task of a plan, at most."""

PIECE_SLACK = 1.5
"""How much longer than its share one of the pieces of a text may be, so that it ends between paragraphs or words."""

PIECE_MARGIN = 8
"""Bytes by which a piece may be longer besides, so that no character and no break is cut, at most."""

REQUEST_REPAIRS = 1
"""Repairs that the form which a request asks for may have, at most: bounds are proved before there is a request."""
