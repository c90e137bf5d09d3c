"""Layers without attention or without a feed-forward part: the classes that slimgpt writes beside
the weights compute what transformers' own compute with that half's output set to zero.

    halves.py FOLDER        where the models are made, random and small
"""

import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

CODE = Path(__file__).parents[2] / "src/export/huggingface"
SIZES = dict(
    vocab_size=64,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=128,
    rope_theta=10000.0,
    tie_word_embeddings=True,
    initializer_range=0.2,
)
ATTENTION = ("self_attn.", "input_layernorm.")


def is_there(name, halves):
    """Whether a tensor belongs to no half that is left out: (layer, whether it is its attention)."""
    place = name.split(".layers.")
    if len(place) == 1:
        return name != "lm_head.weight"
    layer, part = place[1].split(".", 1)
    return (int(layer), part.startswith(ATTENTION)) not in halves


def config(family, halves):
    """The config.json of a folder whose layers lack these halves."""
    layer = {key: SIZES[key] for key in ("num_attention_heads", "num_key_value_heads", "intermediate_size")}
    own = [dict(layer) for _ in range(SIZES["num_hidden_layers"])]
    for number, is_attention in halves:
        gone = ("num_attention_heads", "num_key_value_heads") if is_attention else ("intermediate_size",)
        own[number].update({key: 0 for key in gone})
    config, model = "configuration_slimllama.SlimLlamaConfig", "modeling_slimllama.SlimLlama"
    sizes = {key: value for key, value in SIZES.items() if key != "initializer_range"}
    return sizes | {
        "architectures": ["SlimLlamaForCausalLM"],
        "model_type": "slim_llama",
        "slimgpt_family": family,
        "auto_map": {"AutoConfig": config, "AutoModel": model + "Model", "AutoModelForCausalLM": model + "ForCausalLM"},
        "per_layer_config": {str(i): sizes for i, sizes in enumerate(own)},
        "allow_global_per_layer_attribute_access": True,
        "head_dim": 16,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "layer_types": ["full_attention"] * len(own),
        "max_window_layers": len(own),
        "torch_dtype": "float32",
    }


def check(family, whole, halves, folder):
    """Fails unless logits and text are the same."""
    with torch.no_grad():
        for number, is_attention in halves:
            layer = whole.model.layers[number]
            (layer.self_attn.o_proj if is_attention else layer.mlp.down_proj).weight.zero_()
    folder.mkdir(parents=True)
    tensors = {name: tensor.contiguous() for name, tensor in whole.state_dict().items() if is_there(name, halves)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config(family, halves)))
    for code in CODE.glob("*.py"):
        shutil.copy(code, folder / code.name)
    slim = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval().float()
    assert sum(p.numel() for p in slim.parameters()) == sum(tensor.numel() for tensor in tensors.values())
    ids = torch.randint(3, 60, (1, 17))
    write = dict(max_new_tokens=24, do_sample=False, eos_token_id=None, pad_token_id=0)
    with torch.no_grad():
        apart = (whole(ids).logits - slim(ids).logits).abs().max().item()
        same = whole.generate(ids, **write).tolist() == slim.generate(ids, **write).tolist()
    assert apart < 1e-5 and same, f"{family} without {sorted(halves)}: {apart} apart, same text: {same}"
    print(f"transformers {transformers.__version__}, {family} without {sorted(halves)}: {apart:.1e} apart")


def main(folder):
    makes = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, rms_norm_eps=1e-6)),
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES, rms_norm_eps=1e-6)),
    }
    try:
        from transformers import Qwen3Config, Qwen3ForCausalLM

        makes["qwen3"] = lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, rms_norm_eps=1e-6, head_dim=16))
    except ImportError:
        print("Qwen3 is not known to this transformers")
    # Of the first layer too, whose keys and values a cache is measured by, and of all layers.
    cases = [{(1, True), (2, False)}, {(0, True), (1, True), (3, False)}, {(i, True) for i in range(4)}]
    for family, make in makes.items():
        for i, halves in enumerate(cases):
            torch.manual_seed(i)
            check(family, make().eval().float(), halves, folder / f"{family}-{i}")


main(Path(sys.argv[1]))
