#!/usr/bin/env python3
"""Writes a LLaMA of random weights in the size of a real one, to measure time and memory on a card that no
checkpoint of that size was carried to: checkpoint.py OUT [--shape 7b] [--layers N] [--tokenizer FILE].

Needs torch and safetensors. A layer a shard, in f16, as hubs store them.
"""
import argparse
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file

# hidden, layers, heads, K/V heads, channels, vocabulary
SHAPES = {
    "1b": (2048, 16, 32, 8, 8192, 32000),
    "7b": (4096, 32, 32, 32, 11008, 32000),
    "13b": (5120, 40, 40, 40, 13824, 32000),
    "8b": (4096, 32, 32, 8, 14336, 128256),
}

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("out", type=pathlib.Path)
arguments.add_argument("--shape", choices=SHAPES, default="7b")
arguments.add_argument("--layers", type=int, help="fewer than it has")
arguments.add_argument("--tokenizer", type=pathlib.Path, help="a tokenizer.json to copy")
asked = arguments.parse_args()

hidden, layers, heads, kv_heads, channels, vocabulary = SHAPES[asked.shape]
layers = asked.layers or layers
head_dim = hidden // heads
asked.out.mkdir(parents=True)
torch.manual_seed(0)
device = "cuda" if torch.cuda.is_available() else "cpu"


def matrix(rows, columns):
    # As trained models have them: larger ones would saturate every softmax.
    return (torch.randn(rows, columns, device=device) * columns**-0.5).half().cpu()


weights, size = {}, 0


def shard(name, tensors):
    global size
    save_file(tensors, asked.out / name, metadata={"format": "pt"})
    weights.update({tensor: name for tensor in tensors})
    size += sum(t.numel() * t.element_size() for t in tensors.values())


for i in range(layers):
    prefix = f"model.layers.{i}."
    projections = {
        "self_attn.q_proj": (heads * head_dim, hidden),
        "self_attn.k_proj": (kv_heads * head_dim, hidden),
        "self_attn.v_proj": (kv_heads * head_dim, hidden),
        "self_attn.o_proj": (hidden, heads * head_dim),
        "mlp.gate_proj": (channels, hidden),
        "mlp.up_proj": (channels, hidden),
        "mlp.down_proj": (hidden, channels),
    }
    tensors = {f"{prefix}{name}.weight": matrix(*shape) for name, shape in projections.items()}
    for norm in ("input_layernorm", "post_attention_layernorm"):
        tensors[f"{prefix}{norm}.weight"] = torch.ones(hidden).half()
    shard(f"model-{i:05}.safetensors", tensors)
outer = {
    "model.embed_tokens.weight": matrix(vocabulary, hidden),
    "lm_head.weight": matrix(vocabulary, hidden),
    "model.norm.weight": torch.ones(hidden).half(),
}
shard("model-outer.safetensors", outer)
index = {"metadata": {"total_size": size}, "weight_map": weights}
(asked.out / "model.safetensors.index.json").write_text(json.dumps(index))
config = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": hidden,
    "intermediate_size": channels,
    "num_hidden_layers": layers,
    "num_attention_heads": heads,
    "num_key_value_heads": kv_heads,
    "head_dim": head_dim,
    "vocab_size": vocabulary,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "float16",
}
(asked.out / "config.json").write_text(json.dumps(config, indent=1))
if asked.tokenizer:
    shutil.copy(asked.tokenizer, asked.out / "tokenizer.json")
