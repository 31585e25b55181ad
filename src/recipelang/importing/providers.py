"""Where providers of models are reached in OpenAI's form, and which variable is known to hold their key; knows no foreign format."""

from __future__ import annotations

from urllib.parse import urlsplit

from recipelang.quick import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    url: str
    key: str = ""  # the environment variable that is known to hold its key


PROVIDERS: dict[str, Provider] = {
    "openai": Provider("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": Provider("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "gemini": Provider("https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    "groq": Provider("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": Provider("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "deepseek": Provider("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "together_ai": Provider("https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
    "openrouter": Provider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "fireworks_ai": Provider("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "perplexity": Provider("https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
    "xai": Provider("https://api.x.ai/v1", "XAI_API_KEY"),
    "cerebras": Provider("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "nvidia_nim": Provider("https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
    "deepinfra": Provider("https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    "sambanova": Provider("https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    "moonshot": Provider("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "cohere": Provider("https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
    "huggingface": Provider("https://router.huggingface.co/v1", "HF_TOKEN"),
    "ollama": Provider("http://localhost:11434/v1"),
    "lm_studio": Provider("http://localhost:1234/v1"),
    "llamafile": Provider("http://localhost:8080/v1"),
}
ALIASES = {
    "google": "gemini", "together": "together_ai", "fireworks": "fireworks_ai", "nvidia": "nvidia_nim",
    "ollama_chat": "ollama", "cohere_chat": "cohere", "text-completion-openai": "openai", "x-ai": "xai",
}  # fmt: skip
OPEN = (
    "openai",
    "hosted_vllm",
    "vllm",
    "openai_like",
    "custom_openai",
    "lm_studio",
    "llamafile",
    "litellm_proxy",
    "infinity",
)
"""Kinds that say no more than that an address speaks OpenAI's form."""

OTHERS = (
    "azure", "azure_ai", "bedrock", "vertex_ai", "vertex_ai_beta", "sagemaker", "sagemaker_chat", "watsonx", "databricks", "replicate",
    "voyage", "cloudflare", "snowflake", "oci", "predibase", "nlp_cloud", "aleph_alpha", "petals", "triton", "github", "github_copilot",
    "auto_router", "bytez", "volcengine", "dashscope", "novita", "nebius", "friendliai", "galadriel", "baseten", "featherless_ai", "jina_ai",
)  # fmt: skip
"""Kinds that are known, and not where they are reached in OpenAI's form."""


def provider(name: str) -> Provider | None:
    known = name.strip().lower()
    return PROVIDERS.get(ALIASES.get(known, known))


def is_address(url: str) -> bool:
    """Whether a recipe may name it: http or https, a host, and no password."""
    try:
        parts = urlsplit(url)
        known = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not set("?#") & set(url)
        )
    except ValueError:
        return False
    return known and "@" not in parts.netloc and url.isprintable() and not any(c.isspace() for c in url)


def api_address(url: str) -> str:
    """An address as it stands before `/chat/completions`."""
    bare = url.strip().rstrip("/")
    for ending in ("/chat/completions", "/completions", "/responses", "/messages"):
        bare = bare.removesuffix(ending)
    return bare.rstrip("/")
