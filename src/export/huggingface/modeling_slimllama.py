"""A model that slimgpt pruned: transformers' own layers, each built at its own size.

Nothing is computed here. The layers are LLaMA's, which Mistral shares; Qwen2's are LLaMA's with
biases on q, k and v only; Qwen3's are its own class, for the norms on its heads. Which they are
stands in config.json under `slimgpt_family`.
"""

from torch import nn
from transformers import LlamaForCausalLM, LlamaModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from .configuration_slimllama import SlimLlamaConfig


def decoder_layer(config, index):
    """Layer `index`, of the class that its family has and at the size that it has."""
    family = getattr(config, "slimgpt_family", "llama")
    layer_config = config.layer_config(index)
    if family == "qwen3":
        from transformers.models.qwen3.modeling_qwen3 import Qwen3DecoderLayer

        return Qwen3DecoderLayer(layer_config, index)
    if family == "qwen2":
        layer_config.attention_bias = True
        layer = LlamaDecoderLayer(layer_config, index)
        o_proj = layer.self_attn.o_proj
        layer.self_attn.o_proj = nn.Linear(o_proj.in_features, o_proj.out_features, bias=False)
        return layer
    if family not in ("llama", "mistral"):
        raise ValueError(f"slimgpt_family {family!r} of config.json is not known to this file")
    return LlamaDecoderLayer(layer_config, index)


class SlimLlamaModel(LlamaModel):
    """The decoder without its output head."""

    config_class = SlimLlamaConfig
    _no_split_modules = ["LlamaDecoderLayer", "Qwen3DecoderLayer"]

    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList([decoder_layer(config, i) for i in range(config.num_hidden_layers)])
        self.post_init()


class SlimLlamaForCausalLM(LlamaForCausalLM):
    """The decoder with its output head."""

    config_class = SlimLlamaConfig
    _no_split_modules = ["LlamaDecoderLayer", "Qwen3DecoderLayer"]

    def __init__(self, config):
        super().__init__(config)
        self.model = SlimLlamaModel(config)
        self.post_init()
