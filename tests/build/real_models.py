"""Where the real models lie that some tests use; tests/support/models.hpp says the same in C++."""

import os
from pathlib import Path

FILES = {"smollm2": "SmolLM2-135M-Instruct.Q4_1.gguf", "gemma3": "gemma-3-270m-q4_k_m.gguf"}
HOW_TO_GET = "tools/get-model brings it"


def folder(models):
    """$TOKENWORKS_MODELS, else downloaded/ in the checkout's folder of models."""
    chosen = os.environ.get("TOKENWORKS_MODELS")
    return Path(chosen) if chosen else Path(models) / "downloaded"
