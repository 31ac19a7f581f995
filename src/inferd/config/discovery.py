"""Settings of what is looked for on this machine, and the keys of hosted APIs."""

from __future__ import annotations

from typing import Annotated

from inferd.config.values import PositiveSeconds, Secret, Section, setting


class Discovery(Section):
    """What is looked for when the node starts, and every minute after."""

    auto: Annotated[
        bool,
        setting(
            "Whether to look for servers, keys and command-line tools on this machine. What is "
            "found serves its owner alone, until a rule names it.",
            env=("HF_AUTO_DISCOVER",),
        ),
    ] = True
    hardware: Annotated[
        bool,
        setting("Whether to look for accelerators too.", env=("HF_ENABLE_HARDWARE_DETECTION",)),
    ] = True
    interval: Annotated[PositiveSeconds, setting("How often to look again.")] = 60.0


class Providers(Section):
    """Hosted APIs that need nothing but a key: discovery finds those whose key is set."""

    openai_api_key: Annotated[
        Secret | None,
        setting("The key of api.openai.com.", env=("OPENAI_API_KEY",), example='"env:OPENAI_KEY"'),
    ] = None
    anthropic_api_key: Annotated[
        Secret | None,
        setting(
            "The key of api.anthropic.com.",
            env=("ANTHROPIC_API_KEY",),
            example='"env:ANTHROPIC_KEY"',
        ),
    ] = None
    gemini_api_key: Annotated[
        Secret | None,
        setting(
            "The key of generativelanguage.googleapis.com.",
            env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            example='"env:GEMINI_KEY"',
        ),
    ] = None
    groq_api_key: Annotated[
        Secret | None,
        setting("The key of api.groq.com.", env=("GROQ_API_KEY",), example='"env:GROQ_KEY"'),
    ] = None
    mistral_api_key: Annotated[
        Secret | None,
        setting(
            "The key of api.mistral.ai.", env=("MISTRAL_API_KEY",), example='"env:MISTRAL_KEY"'
        ),
    ] = None
    openrouter_api_key: Annotated[
        Secret | None,
        setting(
            "The key of openrouter.ai.", env=("OPENROUTER_API_KEY",), example='"env:OPENROUTER_KEY"'
        ),
    ] = None
    together_api_key: Annotated[
        Secret | None,
        setting(
            "The key of api.together.xyz.", env=("TOGETHER_API_KEY",), example='"env:TOGETHER_KEY"'
        ),
    ] = None
    deepseek_api_key: Annotated[
        Secret | None,
        setting(
            "The key of api.deepseek.com.", env=("DEEPSEEK_API_KEY",), example='"env:DEEPSEEK_KEY"'
        ),
    ] = None
    xai_api_key: Annotated[
        Secret | None,
        setting("The key of api.x.ai.", env=("XAI_API_KEY",), example='"env:XAI_KEY"'),
    ] = None
    cohere_api_key: Annotated[
        Secret | None,
        setting(
            "The key of api.cohere.ai.",
            env=("COHERE_API_KEY", "CO_API_KEY"),
            example='"env:COHERE_KEY"',
        ),
    ] = None
