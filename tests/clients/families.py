"""Small checkpoints of each family with random weights, made by transformers itself, with the
tokenizer of a trained model."""

import json
import shutil
from pathlib import Path

import torch
import transformers
from transformers import MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

TOKENIZER = ["tokenizer.json", "tokenizer_config.json"]


def make(folder, name, model):
    """Writes the checkpoint `name` beside `folder` with the tokenizer of `model`; returns its path."""
    vocabulary = json.loads((Path(model) / "config.json").read_text())["vocab_size"]
    sizes = dict(
        vocab_size=vocabulary,
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=512,
        bos_token_id=1,
        eos_token_id=2,
        initializer_range=0.15,
    )
    torch.manual_seed(7)
    made = {
        "mistral": lambda: MistralForCausalLM(MistralConfig(**sizes, sliding_window=None)),
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**sizes)),
        "qwen3-tied": lambda: Qwen3ForCausalLM(Qwen3Config(**sizes, head_dim=32, tie_word_embeddings=True)),
        "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**sizes, head_dim=32)),
    }.get(name, lambda: own(name, sizes))()
    for parameter, value in made.named_parameters():
        # Biases and norms begin at zero and one, where a mistake in them would not show.
        if value.dim() == 1:
            with torch.no_grad():
                value.add_(torch.randn_like(value) * 0.2)
    silence(made.lm_head.weight, Path(model) / "tokenizer.json")
    out = Path(folder) / f"{name}-dense"
    made.save_pretrained(out)
    for file in TOKENIZER:
        shutil.copy(Path(model) / file, out / file)
    return str(out)


# What makes the families differ from LLaMA is set so that it shows in so small a model. The scalar of the Gemmas is the
# size of a head, which llama.cpp fixes.
OWN = {
    "phi3": ("Phi3", "", dict(pad_token_id=0)),
    "smollm3": ("SmolLM3", "", dict(pad_token_id=0, rope_theta=1e4)),
    "olmo2": ("Olmo2", "", dict(pad_token_id=0)),
    "granite": ("Granite", "", dict(embedding_multiplier=12.0, residual_multiplier=0.25, attention_multiplier=0.2, logits_scaling=2.0)),
    "gemma2": ("Gemma2", "", dict(pad_token_id=0, head_dim=32, query_pre_attn_scalar=32, sliding_window=48)),
    "gemma3": ("Gemma3", "Text", dict(pad_token_id=0, head_dim=32, query_pre_attn_scalar=32, sliding_window=48)),
}


def own(name, sizes):
    """A random model of a family with classes of its own."""
    stem, text, changes = OWN[name]
    config = getattr(transformers, f"{stem}{text}Config")(**sizes, **changes)
    return getattr(transformers, f"{stem}ForCausalLM")(config)


def silence(head, tokenizer):
    """Gives tokens that are no plain text a logit of 0, which is never the largest: random models
    would write halves of characters, which programs show in different ways."""
    for token, number in json.loads(tokenizer.read_text())["model"]["vocab"].items():
        if token.startswith("<") or not token.strip("▁Ġ").isascii():
            with torch.no_grad():
                head[number] = 0
