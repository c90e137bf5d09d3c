"""A model that slimgpt pruned: transformers' own layers, each built at its own size.

Nothing is computed here. The layers are LLaMA's, which Mistral shares; Qwen2's are LLaMA's with
biases on q, k and v only; Qwen3's are its own class, for the norms on its heads. Which they are
stands in config.json under `slimgpt_family`.

A layer with no heads has no attention, and one with no channels no feed-forward part: what is not
there adds nothing, has no weights and keeps no cache.
"""

import copy
import inspect

import torch
from torch import nn
from transformers import LlamaForCausalLM, LlamaModel
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaDecoderLayer

from .configuration_slimllama import SlimLlamaConfig


class NoFeedForward(nn.Module):
    """In the place of a feed-forward part that a layer lacks."""

    def forward(self, hidden_states):
        return torch.zeros_like(hidden_states)


class NoAttention(nn.Module):
    """In the place of attention that a layer lacks."""

    # Before 4.48 the cache was handed in and back under the name that is asked for here.
    hands_cache_back = "output_attentions" in inspect.signature(LlamaAttention.forward).parameters

    def forward(self, hidden_states, **kwargs):
        nothing = torch.zeros_like(hidden_states)
        if self.hands_cache_back:
            return nothing, None, kwargs.get("past_key_value")
        return nothing, None


def decoder_layer(config, index):
    """Layer `index` with the halves that it has."""
    layer_config = config.layer_config(index)
    has_attention = layer_config.num_attention_heads > 0
    has_feed_forward = layer_config.intermediate_size > 0
    if not (has_attention and has_feed_forward):
        layer_config = copy.copy(layer_config)
    # The classes build both halves; what is not there is as small as can be until it is taken out.
    if not has_attention:
        layer_config.num_attention_heads = layer_config.num_key_value_heads = 1
    if not has_feed_forward:
        layer_config.intermediate_size = 1
    layer = whole_layer(getattr(config, "slimgpt_family", "llama"), layer_config, index)
    if not has_attention:
        layer.self_attn, layer.input_layernorm = NoAttention(), nn.Identity()
    if not has_feed_forward:
        layer.mlp, layer.post_attention_layernorm = NoFeedForward(), nn.Identity()
    return layer


def number_attention(layers):
    """Numbers what keeps a cache from 0 without gaps: a cache is as long as its first entry."""
    attending = [layer.self_attn for layer in layers if not isinstance(layer.self_attn, NoAttention)]
    for number, attention in enumerate(attending):
        attention.layer_idx = number


def whole_layer(family, layer_config, index):
    """Layer `index`, of the class that its family has and at the size that it has."""
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
        number_attention(self.layers)
        self.post_init()


class SlimLlamaForCausalLM(LlamaForCausalLM):
    """The decoder with its output head."""

    config_class = SlimLlamaConfig
    _no_split_modules = ["LlamaDecoderLayer", "Qwen3DecoderLayer"]

    def __init__(self, config):
        super().__init__(config)
        self.model = SlimLlamaModel(config)
        self.post_init()
