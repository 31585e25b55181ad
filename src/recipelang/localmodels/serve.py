"""The server of one model, as a process of its own: `python -m recipelang.localmodels.serve`; stops when its input ends.

The settings come as one line of JSON on stdin, the key among them, so that no list of processes shows it; the address
goes out as one line on stdout. A parent that dies, however it does, closes the pipe, and so no server outlives it.
"""

from __future__ import annotations

import json
import os
import sys

CONTEXT = 4_096
"""Tokens of one conversation, prompt and completion."""
SLOTS = 4
"""Conversations at once."""
_TEMPLATE = """\
{%- if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n' + SYSTEM + '<|im_end|>\n' }}{% endif %}
{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + (message['content'] or '') + '<|im_end|>\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""
"""ChatML, the form of the models here that are given a system message of their own."""


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    import xllamacpp  # deferred: an extra, and it takes a second

    parameters = xllamacpp.CommonParams()
    parameters.model.path = settings["path"]
    parameters.model_alias = {settings["id"]}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [settings["key"]]
    parameters.n_parallel = SLOTS
    parameters.n_ctx = CONTEXT * SLOTS
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = _threads()
    parameters.endpoint_metrics = True
    parameters.verbosity = 0
    parameters.fit_params = False
    parameters.cache_ram_mib = 256
    if settings["system"] is not None:
        parameters.chat_template = _TEMPLATE.replace("SYSTEM", json.dumps(settings["system"]))
    try:
        server = xllamacpp.Server(parameters)  # serves until it is collected
        told = {"url": server.listening_address}
    except (RuntimeError, ValueError, OSError) as error:
        told = {"error": str(error)}
    try:
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:  # also where nobody is there any more to be told
        os._exit(0)  # what it holds needs no farewell: a generation under way would delay one, a beginning one hang it


def _threads() -> int:
    """Half of the cores: with all of them, any other work on the machine slows a model down many times over."""
    return max(1, min(8, (os.cpu_count() or 2) // 2))


if __name__ == "__main__":
    main()
